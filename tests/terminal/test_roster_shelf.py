"""The shelf: the newest roster that verifies is in use; a bad one leaves the last good one in place."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hw.clock import Moment
from terminal import roster_shelf
from terminal.person import Person, PersonKind
from terminal.reasons import Reason
from terminal.roster import RosterRefused
from terminal.roster_shelf import RosterShelf
from tests.terminal.world import NOW, PEOPLE, Town

NEWCOMER = Person("N1", "新人", PersonKind.STUDENT)
HERE = Moment(NOW, time.monotonic(), True)


def shelf_of(town: Town, trust: Path) -> RosterShelf:
    return RosterShelf(town.mirror, trust, town.root)


def test_an_empty_shelf_says_that_the_roster_is_missing(town: Town, tmp_path: Path) -> None:
    shelf = RosterShelf(tmp_path / "nothing", tmp_path / "trust", town.root)
    for _ in range(2):
        with pytest.raises(RosterRefused) as caught:
            shelf.current(HERE)
        assert caught.value.reason is Reason.ROSTER_MISSING
        shelf.refresh()


def test_a_first_roster_is_taken_up_when_it_comes(town: Town, tmp_path: Path) -> None:
    shelf = RosterShelf(tmp_path / "mirror", tmp_path / "trust", town.root)
    shelf.refresh()
    shutil.copytree(town.mirror, tmp_path / "mirror")
    shelf.refresh()
    assert shelf.current(HERE).person("S1") == PEOPLE["S1"]
    assert shelf.refused is None


def test_a_newer_roster_is_taken_up(own_town: Town, tmp_path: Path) -> None:
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    own_town.publish(NEWCOMER)
    assert shelf.current(HERE).person("N1") is None
    shelf.refresh()
    assert shelf.current(HERE).person("N1") == NEWCOMER


def test_an_unchanged_roster_is_not_opened_again(own_town: Town, tmp_path: Path) -> None:
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    before = shelf.current(HERE)
    shelf.refresh()
    assert shelf.current(HERE) is before


def test_a_bad_roster_leaves_the_last_good_one_in_use_until_a_better_comes(
    own_town: Town, tmp_path: Path
) -> None:
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    timestamp = own_town.mirror / "metadata" / "timestamp.json"
    good = timestamp.read_bytes()
    timestamp.write_bytes(b"{}")
    shelf.refresh()
    assert shelf.refused is not None
    assert shelf.refused.reason is Reason.ROSTER_ALTERED
    assert shelf.current(HERE).person("S1") == PEOPLE["S1"]
    timestamp.write_bytes(good)
    own_town.publish(NEWCOMER)
    shelf.refresh()
    assert shelf.refused is None
    assert shelf.current(HERE).version == 2


def test_an_older_roster_put_back_leaves_the_newer_in_use(town: Town, tmp_path: Path) -> None:
    newer = town.copy(tmp_path / "newer")
    newer.publish(NEWCOMER)
    shelf = shelf_of(newer, tmp_path / "trust")
    shelf.refresh()
    shutil.rmtree(newer.mirror)
    shutil.copytree(town.mirror, newer.mirror, copy_function=shutil.copyfile)
    shelf.refresh()
    assert shelf.refused is not None
    assert shelf.current(HERE).version == 2


def test_a_roster_expires_on_the_shelf_but_only_by_a_clock_that_is_trusted(
    own_town: Town, tmp_path: Path
) -> None:
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    later = replace(HERE, wall=NOW + timedelta(days=31))
    with pytest.raises(RosterRefused) as caught:
        shelf.current(later)
    assert caught.value.reason is Reason.ROSTER_EXPIRED
    assert shelf.current(replace(later, trusted=False)).version == 1


def test_a_refusal_that_passes_is_tried_again_without_a_new_publication(
    own_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trust").write_text("in the way")
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    (tmp_path / "trust").unlink()
    shelf.refresh()
    assert shelf.refused is not None  # not at every look
    monkeypatch.setattr(roster_shelf, "RETRY_AFTER", 0.0)
    shelf = shelf_of(own_town, tmp_path / "trust")
    shelf.refresh()
    assert shelf.refused is None


@pytest.mark.parametrize(
    "junk", [b"", b"\xff", b"null", b"[]", b'{"signed":{},"signatures":[]}', b"[" * 200_000]
)
def test_refresh_never_raises_whatever_the_mirror_holds(own_town: Town, tmp_path: Path, junk: bytes) -> None:
    for file in list((own_town.mirror / "metadata").iterdir()):
        file.write_bytes(junk)
    shelf = RosterShelf(own_town.mirror, tmp_path / "trust", b"{}")
    shelf.refresh()
    assert shelf.refused is not None
