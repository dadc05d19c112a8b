"""Attacks on the roster: each has its own reason, and leaves the last good roster in use."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hw.clock import Moment
from terminal.codes import PassKind, compressed, key_id
from terminal.person import Person, PersonKind, Status
from terminal.reasons import SENTENCES, Reason, Verdict
from terminal.roster import Roster, RosterRefused
from terminal.roster_layout import MAX_SMALL, RECENT, Index
from terminal.roster_shelf import RosterShelf
from tests.terminal.repository import Attacked
from tests.terminal.world import NOW, PEOPLE, STRANGER, Rig, Town, pass_of

NEWCOMER = Person("N1", "新人", PersonKind.STUDENT)
HERE = Moment(NOW, time.monotonic(), True)


OPENING: dict[str, tuple[Callable[[Attacked], object], Reason]] = {
    "altered": (lambda a: a.corrupt(next(a.metadata.glob("2.snapshot.json"))), Reason.ROSTER_ALTERED),
    "swapped metadata": (
        lambda a: a.swap(a.metadata / "2.snapshot.json", a.metadata / "1.snapshot.json"),
        Reason.ROSTER_ALTERED,
    ),
    "expired": (lambda a: a.expire("timestamp"), Reason.ROSTER_EXPIRED),
    "wrong key": (lambda a: a.forge(), Reason.ROSTER_WRONG_KEYS),
    "endless": (lambda a: a.endless(a.metadata / "timestamp.json"), Reason.ROSTER_OVERSIZE),
    "missing": (lambda a: (a.metadata / "2.targets.json").unlink(), Reason.ROSTER_MISSING),
    "hanging": (lambda a: a.hang(a.metadata / "2.targets.json"), Reason.ROSTER_ALTERED),
    "missing index": (
        lambda a: a.index().unlink(),
        Reason.ROSTER_MISSING,
    ),
    "oversized overlay": (
        lambda a: a.take_recent_key({RECENT: b"x" * (MAX_SMALL + 1)}),
        Reason.ROSTER_OVERSIZE,
    ),
}


@pytest.mark.parametrize("case", OPENING)
def test_an_attack_on_a_new_version_has_its_reason_and_the_last_good_one_stays(
    case: str, own_town: Town, tmp_path: Path
) -> None:
    attack, reason = OPENING[case]
    shelf = RosterShelf(own_town.mirror, tmp_path / "trust", own_town.root)
    shelf.refresh()
    attacked = Attacked(own_town)
    attacked.publish(NEWCOMER)
    attack(attacked)
    shelf.refresh()
    assert shelf.refused is not None
    assert shelf.refused.reason is reason, shelf.refused
    assert SENTENCES[reason].zh
    assert shelf.current(HERE).version == 1
    assert shelf.current(HERE).person("T1") == PEOPLE["T1"]


def test_a_rollback_is_refused_after_a_reboot_too(town: Town, tmp_path: Path) -> None:
    newer = town.copy(tmp_path / "newer")
    attacked = Attacked(newer)
    attacked.publish(NEWCOMER)
    newer.open(tmp_path / "trust")
    attacked.rollback(town)
    for _ in range(2):
        with pytest.raises(RosterRefused) as caught:
            newer.open(tmp_path / "trust")
        assert caught.value.reason is Reason.ROSTER_ROLLED_BACK


SHARD: dict[str, tuple[Callable[[Attacked, Path, Path], object], Reason]] = {
    "altered": (lambda a, file, _: a.corrupt(file), Reason.ROSTER_ALTERED),
    "swapped": (lambda a, file, other: a.swap(file, other), Reason.ROSTER_SWAPPED),
    "missing": (lambda _, file, __: file.unlink(), Reason.ROSTER_MISSING),
    "endless": (lambda a, file, _: a.endless(file), Reason.ROSTER_ALTERED),
    "hanging": (lambda a, file, _: a.hang(file), Reason.ROSTER_MISSING),
}


@pytest.mark.parametrize("case", SHARD)
def test_an_attack_on_a_shard_is_noticed_at_the_next_lookup(
    case: str, own_town: Town, tmp_path: Path
) -> None:
    attack, reason = SHARD[case]
    roster, attacked = own_town.open(tmp_path / "trust"), Attacked(own_town)
    file = attacked.shard("S1")
    other = next(shard for shard in sorted(file.parent.iterdir()) if shard != file)
    attack(attacked, file, other)
    with pytest.raises(RosterRefused) as caught:
        roster.person("S1")
    assert caught.value.reason is reason, caught.value


def test_an_entry_of_the_index_that_was_altered_is_noticed_at_the_next_lookup(
    own_town: Town, tmp_path: Path
) -> None:
    roster = own_town.open(tmp_path / "trust")
    file = next((own_town.mirror / "targets").glob("*.index.bin"))
    file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
    with pytest.raises(RosterRefused, match="entry of shard"):
        roster.person("S1")


@pytest.mark.parametrize("size", [0, 35, 37, 36 * 4 + 1])
def test_an_index_of_another_size_than_its_shards_take_is_none(size: int) -> None:
    with pytest.raises(ValueError, match=r"index\.bin"):
        Index(b"x" * size, 0)


def test_a_stolen_recent_key_can_alter_people_but_neither_issuers_nor_policy_nor_shards(
    own_town: Town, tmp_path: Path
) -> None:
    attacked = Attacked(own_town)
    evil = b'{"bits":0,"people":1,"issuers":["%s"]}' % compressed(STRANGER.public_key()).hex().encode()
    mallory = Person("M1", "Mallory", PersonKind.STAFF)
    targets = {"manifest.json": evil, "policy.json": b"{}", "index.bin": b"x" * 36}
    attacked.take_recent_key(targets | {RECENT: mallory.to_line() + b"\n"})
    roster = own_town.open(tmp_path / "trust")
    assert roster.issuer(key_id(STRANGER.public_key())) is None
    assert roster.policy().places.keys() == {"north-gate", "library", "annex"}
    assert roster.person("S1") == PEOPLE["S1"]
    assert roster.person("M1") == mallory  # the residual risk, until targets takes the delegation away
    own_town.repository.renew_recent_key()
    own_town.publish()
    assert own_town.open(tmp_path / "trust").person("M1") is None


def test_the_overlay_wins_over_the_shards_and_is_folded_in(own_town: Town, tmp_path: Path) -> None:
    suspended = Person("S1", "张伟", PersonKind.STUDENT, Status.SUSPENDED)
    repository = own_town.repository
    assert repository.publish_recent([suspended, NEWCOMER]) == 2
    assert repository.publish_recent([], ["T1"]) == 3
    roster = own_town.open(tmp_path / "trust")
    assert (roster.person("S1"), roster.person("N1")) == (suspended, NEWCOMER)
    assert roster.person("T1") is None
    assert roster.person("W1") == PEOPLE["W1"]
    overlay = next(path for path in own_town.mirror.glob("targets/recent/*") if b"gone" in path.read_bytes())
    Attacked(own_town).corrupt(overlay)
    with pytest.raises(RosterRefused, match=r"roster\.altered"):
        roster.person("W1")
    own_town.publish(NEWCOMER)
    folded = own_town.open(tmp_path / "trust")
    assert folded.person("S1") == PEOPLE["S1"]  # as the full publication says
    assert folded.person("N1") == NEWCOMER


def test_a_frozen_roster_warns_then_restricts_then_closes(rig: Rig) -> None:
    visitor, card = pass_of("V9", expires_at=2**33), pass_of("S1", PassKind.CARD, expires_at=2**33)
    start = rig.clock.wall
    for days, visitors, cards in ((2, Reason.OK, Reason.OK), (8, Reason.ROSTER_STALE, Reason.OK)):
        rig.clock.wall = start + timedelta(days=days)
        assert rig.show(visitor).decision.reasons == (visitors,)
        answer = rig.show(card)
        assert answer.decision.reasons == (cards,)
        assert "roster-old" in answer.decision.notices
    rig.clock.wall = start + timedelta(days=31)
    for text in (visitor, card):
        assert rig.show(text).decision.reasons == (Reason.ROSTER_EXPIRED,)


def test_no_flipped_byte_under_the_roster_directory_ever_lets_anybody_in(
    own_town: Town, tmp_path: Path
) -> None:
    own_town.repository.publish_recent([NEWCOMER], ["W1"])
    rig = Rig(own_town, tmp_path)
    rng = random.Random(2000)
    shown = {
        subject: pass_of(subject, PassKind.CARD)
        for subject in ("S1", "S10", "T1", "W1", "X1", "N1", "nobody")
    } | {"forged": pass_of("S1", PassKind.CARD, key=STRANGER), "visitor": pass_of("V9")}
    true = {name: rig.show(text).decision.verdict for name, text in shown.items()}
    assert {name for name, verdict in true.items() if verdict is Verdict.ALLOW} == {
        "S1", "S10", "T1", "N1", "visitor",
    }  # fmt: skip
    files = sorted(file for file in own_town.mirror.rglob("*") if file.is_file())
    refused = opened = 0
    for flip in range(2000):
        file = files[flip % len(files)] if flip % 3 else rng.choice(files)
        stat, at, bit = file.stat(), rng.randrange(file.stat().st_size), 1 << rng.randrange(8)
        with file.open("r+b") as stream:
            whole = os.pread(stream.fileno(), 1, at)
            os.pwrite(stream.fileno(), bytes([whole[0] ^ bit]), at)
            if flip % 10 == 0:  # as after a restart: everything is opened anew
                rig.shelf._stamp = None
            rig.shelf.refresh()
            opened += rig.shelf.refused is None
            name = rng.choice(list(shown))
            verdict = rig.show(shown[name]).decision.verdict
            assert verdict is not Verdict.ALLOW or true[name] is Verdict.ALLOW, (file, at, bit, name)
            refused += verdict is not true[name]
            os.pwrite(stream.fileno(), whole, at)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    rig.shelf._stamp = None
    rig.shelf.refresh()
    assert {name: rig.show(text).decision.verdict for name, text in shown.items()} == true
    assert refused > 100
    assert opened > 100
    rig.close()


def test_opening_needs_no_network(own_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise AssertionError("the terminal has no network")

    monkeypatch.setattr("socket.socket.connect", none)
    assert isinstance(own_town.open(tmp_path / "trust"), Roster)
