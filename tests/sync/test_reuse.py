"""What central sees that no terminal can: one code accepted twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import public_pem
from sync.central.reuse import WALK, Opened, Reuse, opened_records, reused
from sync.central.store import Stored
from terminal.codes import Code, CodeKind, PassKind
from terminal.decision import Decision
from terminal.events import FIRST_DIGEST, Event
from terminal.journal import JournalReader
from terminal.reasons import Reason, Verdict
from terminal.records import Record, seal, unseal
from tests.sim.campus import Campus
from tests.sync.office import good, opened
from tests.terminal.world import NOW, RECORD_KEY, Rig, Town, code_of, found_town, pass_of, scan_record

PERSONAL = Code(CodeKind.PERSONAL, "S1", "a" * 64, issued_at=0)
CARD = Code(CodeKind.PASS, "S1", "b" * 64, pass_kind=PassKind.CARD)


def event(device: str, record: Record, sequence: int = 1) -> Event:
    key = RECORD_KEY.public_key()
    return seal(record, device=device, sequence=sequence, previous=FIRST_DIGEST, key=key)


def use(
    device: str, code: Code = PERSONAL, *, seconds: float = 0, sequence: int = 1, **changes: Any
) -> Opened:
    record = scan_record(code=code, happened_at=NOW + timedelta(seconds=seconds), **changes)
    sealed = event(device, record, sequence)
    return sealed, unseal(sealed, RECORD_KEY)


def kinds(found: list[Reuse]) -> list[tuple[CodeKind, list[str]]]:
    return [(one.kind, [each.device for each in one.uses]) for one in found]


def test_a_personal_code_accepted_by_two_devices_is_reported_with_both() -> None:
    [found] = reused([use("b", seconds=5, place="library"), use("a")])
    assert (found.digest, found.kind, found.subject) == ("a" * 64, CodeKind.PERSONAL, "S1")
    assert [(each.device, each.place) for each in found.uses] == [("a", "north-gate"), ("b", "library")]
    assert found.uses[0].at == NOW


@pytest.mark.parametrize(
    "uses",
    [
        [],
        [use("a")],
        [use("a"), use("b", Code(CodeKind.PERSONAL, "S1", "c" * 64))],
        [use("a"), use("b", decision=Decision(Verdict.DENY, (Reason.CODE_STALE,)))],
        [use("a"), use("b", decision=Decision(Verdict.REFER, (Reason.HEALTH_DECLARED,)))],
        [use("a", CARD), use("b", CARD, seconds=1)],  # two lanes of one gate
        [use("a", CARD), use("b", CARD, place="library", seconds=WALK.total_seconds())],
        [use("a", CARD), use("b", CARD, place="library", clock_trusted=False)],
    ],
)
def test_what_good_faith_explains_is_not_reported(uses: list[Opened]) -> None:
    assert reused(uses) == []


def test_a_card_at_two_places_sooner_than_anybody_walks_is_reported() -> None:
    near = use("b", CARD, place="library", seconds=WALK.total_seconds() - 0.001)
    assert kinds(reused([near, use("a", CARD)])) == [(CodeKind.PASS, ["a", "b"])]
    assert reused([near, use("a", CARD)], walk=timedelta(seconds=9)) == []


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"verdict": "allow"},
        {"verdict": "allow", "subject": "S1", "code": []},
        {"verdict": "allow", "subject": ["S1"], "code": {"digest": "a" * 64, "kind": "personal"}},
        {"verdict": "allow", "subject": "S1", "code": {"digest": ["a"], "kind": "personal"}},
        {"verdict": "allow", "subject": "S1", "code": {"digest": "a" * 64, "kind": "master"}},
        {"verdict": "allow", "subject": "S1", "code": {"digest": "a" * 64, "kind": ["personal"]}},
    ],
)
def test_a_record_of_nonsense_is_passed_over(junk: dict[str, Any]) -> None:
    nonsense = (use("c")[0], junk)
    assert kinds(reused([use("a"), nonsense, use("b"), nonsense])) == [(CodeKind.PERSONAL, ["a", "b"])]


class Shelf:
    """Records as central's store gives them, a few at a time."""

    def __init__(self, *events: Event) -> None:
        self._stored = [Stored(number, "", event) for number, event in enumerate(events, 1)]

    def records(self, *, after: int = 0) -> list[Stored]:
        return self._stored[after : after + 2]


def test_all_records_are_read_and_one_that_does_not_open_hides_no_other() -> None:
    moved = use("a")[0]
    moved = replace(moved, device="y", sequence=9, clock_trusted=True)
    shelf = Shelf(use("a")[0], moved, moved, moved, use("b")[0])
    assert kinds(reused(opened_records(shelf, RECORD_KEY))) == [(CodeKind.PERSONAL, ["a", "b"])]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return found_town(tmp_path_factory.mktemp("town"))


def test_a_code_shown_again_at_another_terminal_is_found_by_its_records(town: Town, tmp_path: Path) -> None:
    """Offline neither gate can know; the card that both saw a second time is what cards are for."""
    opened: list[Opened] = []
    text, card = code_of("S1"), pass_of("T1", PassKind.VISITOR)
    for place in ("north-gate", "library"):
        (tmp_path / place).mkdir()
        rig = Rig(town, tmp_path / place, place=place)
        assert rig.show(text).decision.verdict is Verdict.ALLOW
        rig.show(card)
        events = JournalReader(tmp_path / place / "journal.db").after(0, records=99, size=10**6)
        rig.close()
        # One device name in the test's world; a second terminal has its own.
        opened += [(use(place, sequence=e.sequence)[0], unseal(e, RECORD_KEY)) for e in events]
    assert kinds(reused(opened)) == [(CodeKind.PERSONAL, ["library", "north-gate"])]


def test_the_command_prints_each_code_once_with_every_use(campus: Campus) -> None:
    with opened(campus.site) as store:
        for device, place in (("a", "north-gate"), ("b", "library")):
            store.register(device, public_pem(Ed25519PrivateKey.generate().public_key()))
            record = scan_record(code=PERSONAL, place=place)
            key = campus.site.record_key().public_key()
            store.ingest(device, [seal(record, device=device, sequence=1, previous=FIRST_DIGEST, key=key)])
    [line] = good(campus.site, "central", "reuse").splitlines()
    assert json.loads(line)["subject"] == "S1"
    assert [use["device"] for use in json.loads(line)["uses"]] == ["a", "b"]
