"""The gate under faults: no entry without a record, and no text, sensor, relay or disk that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.thermal import Reading
from sync.central.mint import personal_code
from terminal.codes import PREFIX
from terminal.journal import Entry, Journal, JournalError, JournalReader, Memo
from terminal.reasons import Reason, Verdict
from terminal.records import AnyRecord
from tests.terminal.world import (
    NOW,
    PIN,
    STRANGER,
    Rig,
    Town,
    assert_refused,
    code_of,
    level,
    pass_of,
    rig_at,
)

AT = int(NOW.timestamp())


class Witness(Journal):
    """A journal that looks at the relay's pin before and after each record is made durable."""

    look: Callable[[], int]
    seen: list[tuple[str, int, int]]

    def append(self, record: AnyRecord, *more: AnyRecord, memos: Sequence[Memo] = ()) -> Entry:
        self.seen.append(("before", self.look(), JournalReader(self.path).newest()))
        entry = super().append(record, *more, memos=memos)
        self.seen.append(("durable", self.look(), JournalReader(self.path).newest()))
        return entry


def test_the_relay_never_moves_before_the_record_is_durable(town: Town, tmp_path: Path) -> None:
    with rig_at("north-gate", town, tmp_path, Witness) as rig:
        witness = rig.journal
        assert isinstance(witness, Witness)
        witness.seen, witness.look = [], lambda: level(rig.factory)
        rig.show(code_of("S1"))
        assert witness.seen == [("before", 0, 0), ("durable", 0, 1)]
        assert level(rig.factory) == 1


class Failing(Journal):
    """A journal whose database refuses to be written when told to."""

    fails = False

    def append(self, record: AnyRecord, *more: AnyRecord, memos: Sequence[Memo] = ()) -> Entry:
        self._db.execute(f"pragma query_only = {int(self.fails)}")
        return super().append(record, *more, memos=memos)


def test_a_record_that_cannot_be_written_keeps_the_gate_shut_and_the_next_scan_works(
    town: Town, tmp_path: Path
) -> None:
    with rig_at("north-gate", town, tmp_path, Failing) as rig:
        assert isinstance(rig.journal, Failing)
        rig.journal.fails = True
        for text in (code_of("S1"), pass_of("V-1"), "foreign"):
            answer = rig.show(text)
            assert answer.decision.verdict is Verdict.DENY
            assert answer.decision.reasons == (Reason.JOURNAL_UNWRITABLE,)
            assert answer.entry is None
        assert [state.state for state in rig.factory.pin(PIN).states] == [0]
        assert rig.records() == []
        rig.journal.fails = False
        assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW
        assert len(rig.records()) == 1


def test_a_journal_that_was_closed_keeps_the_gate_shut(rig: Rig) -> None:
    rig.journal.close()
    answer = rig.show(code_of("S1"))
    assert (answer.decision.reasons, answer.entry) == ((Reason.JOURNAL_UNWRITABLE,), None)
    assert level(rig.factory) == 0
    with pytest.raises(JournalError):
        rig.journal.recall("S1", "north-gate")


def test_a_sensor_that_raises_costs_one_scan(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Reading:
        raise OSError("i2c: remote I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(rig.thermal, "read", fail)
        assert_refused(rig, code_of("S1"), Reason.TERMINAL_FAULT)
    assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW


def test_a_relay_that_fails_is_said_to_the_person_and_costs_one_scan(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_value: bool) -> bool:
        raise OSError("gpio: line was taken away")

    with monkeypatch.context() as patch:
        patch.setattr(rig.factory.pin(PIN), "_change_state", fail)
        answer = rig.show(code_of("S1", age=9))
    assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.DENY, (Reason.TERMINAL_FAULT,))
    assert level(rig.factory) == 0
    assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW


def test_the_gate_locks_when_the_pulse_of_the_policy_is_over(rig: Rig) -> None:
    rig.show(code_of("S1"))
    released_at = time.monotonic()
    rig.portal.tick(released_at + 2.9)
    assert level(rig.factory) == 1
    rig.portal.tick(released_at + 3.0)
    assert level(rig.factory) == 0


@settings(max_examples=120)
@given(st.one_of(st.text(max_size=60), st.text("0123456789ABC %$:", max_size=90).map(PREFIX.__add__)))
def test_no_text_makes_the_gate_raise_or_open(rig: Rig, text: str) -> None:
    before = rig.journal.head.sequence
    answer = rig.show(text)
    assert answer.decision.verdict is Verdict.DENY
    assert answer.decision.reasons[0].value.startswith("code.")
    assert answer.entry is not None
    assert answer.entry.sequence == before + 1
    assert level(rig.factory) == 0


_SUBJECTS = st.text(min_size=1, max_size=64, alphabet=st.characters(exclude_categories=["Cs"]))


@settings(max_examples=60)
@given(_SUBJECTS, st.integers(0, 2**40 - 1))
def test_no_stranger_by_any_number_at_any_time_is_let_in(rig: Rig, subject: str, issued_at: int) -> None:
    answer = rig.show(personal_code(STRANGER, subject, issued_at))
    assert answer.decision.verdict is Verdict.DENY
    assert answer.name == ""
    assert rig.records()[-1]["subject"] == subject
