"""The reckoning can fail: what is missing, doubled or altered at central is found and counted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.central.store import Store
from terminal.decision import Decision
from terminal.events import parse_event
from terminal.journal import Journal, JournalReader
from terminal.provision import trust
from terminal.reasons import Reason, Verdict
from terminal.receipt import Receipt
from terminal.records import Record, seal
from tests.sim.audit import Ledger, Tally, percentiles, reckon
from tests.sim.campus import Campus

RECORDS = 6
CLEAN = Ledger(RECORDS, RECORDS, 0, 0, 0)
DEVICE = "north-gate-1"


def _record(number: int) -> Record:
    return Record(
        identity=f"00000000-0000-4000-8000-{number:012d}",
        happened_at=datetime.now(UTC),
        clock_trusted=True,
        place="north-gate",
        decision=Decision(Verdict.ALLOW, (Reason.OK,)),
        claimed_subject=f"S2024{number:04d}",
    )


@pytest.fixture
def settled(campus: Campus) -> Campus:
    """A campus whose journal has six records, all of them at central."""
    trusted = trust(campus.settings)
    journal = Journal(
        campus.settings.journal,
        device=DEVICE,
        central_key=trusted.central_key,
        state_key=trusted.state_key,
    )
    for number in range(RECORDS):
        journal.append(_record(number))
    journal.close()
    store = Store(campus.site.database_url)
    events = JournalReader(campus.settings.journal).after(0, records=100, size=10**6)
    assert store.ingest(DEVICE, events).through == RECORDS
    store.close()
    Receipt(RECORDS, events[-1].digest).save(campus.settings.receipt)
    return campus


@pytest.fixture
def central(settled: Campus) -> Iterator[sqlite3.Connection]:
    """Central's database, open to mischief."""
    with contextlib.closing(sqlite3.connect(settled.site.directory / "central.db")) as db, db:
        yield db


def test_a_clean_run_reckons_clean(settled: Campus) -> None:
    assert reckon(settled) == CLEAN
    assert reckon(settled).clean


def test_a_record_that_has_not_arrived_is_lost(settled: Campus, central: sqlite3.Connection) -> None:
    central.execute("delete from record where sequence = ?", [RECORDS])
    central.commit()
    assert reckon(settled) == replace(CLEAN, at_central=RECORDS - 1, lost=1)


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_record_deleted_in_the_middle_is_lost(
    settled: Campus, central: sqlite3.Connection, sequence: int
) -> None:
    central.execute("delete from record where sequence = ?", [sequence])
    central.commit()
    assert reckon(settled) == replace(CLEAN, at_central=RECORDS - 1, lost=1)


def test_a_record_under_another_number_as_well_is_duplicated(
    settled: Campus, central: sqlite3.Connection
) -> None:
    event = seal(
        _record(2), device=DEVICE, sequence=7, previous="0" * 64, key=trust(settled.settings).central_key
    )
    _insert(central, 7, event.digest, event.text)
    ledger = reckon(settled)
    assert (ledger.lost, ledger.written, ledger.at_central) == (0, RECORDS, RECORDS + 1)
    assert ledger.duplicated >= 1
    assert not ledger.clean


def test_a_record_that_the_journal_never_wrote_is_not_clean(
    settled: Campus, central: sqlite3.Connection
) -> None:
    event = seal(
        _record(99), device=DEVICE, sequence=7, previous="0" * 64, key=trust(settled.settings).central_key
    )
    _insert(central, 7, event.digest, event.text)
    assert reckon(settled) == replace(CLEAN, at_central=RECORDS + 1, duplicated=1)


def test_an_answer_without_its_record_is_a_record_lost(settled: Campus) -> None:
    assert reckon(settled, [(DEVICE, 1), (DEVICE, RECORDS)]) == CLEAN
    assert reckon(settled, [(DEVICE, 1), (DEVICE, None), (DEVICE, RECORDS + 1)]) == replace(CLEAN, lost=2)
    assert reckon(settled, [("hall-1", 1)]) == replace(CLEAN, lost=1), "another terminal's record"


def test_an_altered_record_is_lost(settled: Campus, central: sqlite3.Connection) -> None:
    (text,) = central.execute("select event from record where sequence = 4").fetchone()
    altered = parse_event(text.replace('"clocktrusted":true', '"clocktrusted":false'))
    central.execute("update record set event = ? where sequence = 4", [altered.text])
    central.commit()
    assert reckon(settled) == replace(CLEAN, lost=1)


def test_an_alarm_at_central_is_not_clean(settled: Campus, central: sqlite3.Connection) -> None:
    central.execute("insert into alarm values (1, ?, 3, 'fork', '', '')", [DEVICE])
    central.commit()
    assert reckon(settled) == replace(CLEAN, alarms=1)
    assert not reckon(settled).clean


def _insert(db: sqlite3.Connection, sequence: int, digest: str, text: str) -> None:
    db.execute(
        "insert into record (device, sequence, digest, event, received_at) values (?, ?, ?, ?, '')",
        [DEVICE, sequence, digest, text],
    )
    db.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ledger: replace(ledger, lost=1),
        lambda ledger: replace(ledger, duplicated=1),
        lambda ledger: replace(ledger, alarms=1),
        lambda ledger: replace(ledger, written=RECORDS + 1),
        lambda ledger: replace(ledger, at_central=RECORDS - 1),
        lambda ledger: replace(ledger, unacknowledged=1),
    ],
    ids=["lost", "duplicated", "alarms", "written more", "fewer at central", "not acknowledged"],
)
def test_a_run_is_not_ok_when_anything_is_amiss(spoil: Callable[[Ledger], Ledger]) -> None:
    assert Tally().summary(CLEAN, 0)["ok"] is True
    assert Tally().summary(spoil(CLEAN), 0)["ok"] is False


def test_a_run_is_not_ok_when_somebody_got_the_wrong_answer() -> None:
    summary = Tally(wrong=["scan 3, card: deny code.forged"]).summary(CLEAN, 0)
    assert summary["ok"] is False
    assert summary["unexpected"] == ["scan 3, card: deny code.forged"]


def test_percentiles_are_of_the_values() -> None:
    assert percentiles(range(101)) == {"p50": 50, "p95": 95, "p99": 99}
    assert percentiles([1.0]) == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert percentiles([]) == {}
