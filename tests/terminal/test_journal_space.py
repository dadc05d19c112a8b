"""What was sent goes in time, in small steps; what was not stays; a disk that fills up is announced."""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from hw.clock import Moment
from terminal.journal import Journal, JournalReader
from terminal.journal_space import Housekeeping, Room
from terminal.policy.tables import RecordsPolicy
from terminal.receipt import Receipt
from tests.terminal.test_journal_faults import append_until_error
from tests.terminal.world import DEVICE, NOW, RECORD_KEY, STATE_KEY, Rig, code_of, scan_record

QUOTA = 4_294_967_296
MONTH = timedelta(days=30)
ALL = {"records": 100_000, "size": 10**9}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def journal_at(path: Path, quota: int = QUOTA) -> Journal:
    return Journal(
        path,
        device=DEVICE,
        central_key=RECORD_KEY.public_key(),
        state_key=STATE_KEY,
        receipt=path.with_name("receipt.json"),
        quota=quota,
    )


def filled(path: Path, count: int, *, sent: int, quota: int = QUOTA, trusted: bool = True) -> Journal:
    journal = journal_at(path, quota)
    journal._db.execute("pragma synchronous = off")  # only quicker to make
    for number in range(count):
        journal.append(scan_record(number, clock_trusted=trusted))
    digest = JournalReader(path).digest(sent)
    assert digest
    Receipt(sent, digest).save(path.with_name("receipt.json"))
    return journal


def steps(house: Housekeeping, count: int, days: float, trusted: bool = True) -> None:
    for number in range(count):
        house.step(Moment(NOW + timedelta(days=days), days * 1e5 + number * 100.0, trusted))


def sequences(path: Path) -> list[int]:
    return [event.sequence for event in JournalReader(path).after(0, **ALL)]


def test_sent_records_are_kept_for_the_set_time_and_then_purged_and_the_file_shrinks(path: Path) -> None:
    journal = filled(path, 900, sent=700)
    journal._db.execute("pragma wal_checkpoint(truncate)").fetchone()
    before = path.stat().st_size
    house = Housekeeping(journal, quota=QUOTA, keep=MONTH)
    steps(house, 10, days=29)
    assert len(sequences(path)) == 900
    steps(house, 1, days=31)
    assert len(sequences(path)) == 700
    steps(house, 10, days=31)
    assert sequences(path) == list(range(700, 901))
    assert path.stat().st_size < before / 2
    assert JournalReader(path).fits(700, Receipt.load(path.with_name("receipt.json")).digest)
    assert journal.append(scan_record()).sequence == 901
    journal.close()


@pytest.mark.parametrize(("through", "digest"), [(700, "ab" * 32), (5000, "ab" * 32)])
def test_nothing_is_purged_on_a_receipt_that_does_not_fit_the_journal(
    through: int, digest: str, path: Path
) -> None:
    journal = filled(path, 900, sent=300)
    Receipt(through, digest).save(path.with_name("receipt.json"))
    house = Housekeeping(journal, quota=1, keep=MONTH)  # there is no room at all
    steps(house, 10, days=31)
    assert len(sequences(path)) == 900
    journal.close()


def test_everything_may_be_sent_and_purged_and_the_chain_goes_on_after_reopening(path: Path) -> None:
    journal = filled(path, 300, sent=300)
    steps(Housekeeping(journal, quota=QUOTA, keep=MONTH), 10, days=31)
    journal.close()
    journal = journal_at(path)
    assert (sequences(path), journal.opened.recovered) == ([300], None)
    assert journal.append(scan_record()).sequence == 301
    assert journal.events(300, records=9)[1].previous == JournalReader(path).digest(300)
    journal.close()


@pytest.mark.parametrize(("records_trusted", "now_trusted"), [(False, True), (True, False)])
def test_nothing_is_purged_by_a_time_that_is_not_trusted(
    path: Path, records_trusted: bool, now_trusted: bool
) -> None:
    journal = filled(path, 50, sent=40, trusted=records_trusted)
    steps(Housekeeping(journal, quota=QUOTA, keep=MONTH), 5, days=99, trusted=now_trusted)
    assert len(sequences(path)) == 50
    journal.close()


def test_when_room_runs_out_sent_records_go_early_and_unsent_ones_never(path: Path) -> None:
    journal = filled(path, 600, sent=500)
    size = path.stat().st_size + path.with_name("journal.db-wal").stat().st_size
    house = Housekeeping(journal, quota=size * 10 // 9, keep=MONTH)
    steps(house, 1, days=0)
    assert (house.room, len(house.notices())) == (Room.LOW, 1)
    steps(house, 9, days=0)
    assert sequences(path)[-101:] == list(range(500, 601))
    scarce = Housekeeping(journal, quota=size // 9, keep=MONTH)
    steps(scarce, 5, days=0)
    assert scarce.room is Room.SCARCE
    assert sequences(path) == list(range(500, 601))
    journal.close()


def test_a_journal_takes_no_more_than_its_quota_and_goes_on_when_some_was_sent(path: Path) -> None:
    journal = journal_at(path, 300_000)
    append_until_error(journal)
    newest = journal.head
    assert newest.sequence > 100
    Receipt(newest.sequence, newest.digest).save(path.with_name("receipt.json"))
    steps(Housekeeping(journal, quota=300_000, keep=MONTH), 5, days=0)
    assert journal.append(scan_record()).sequence == newest.sequence + 1
    journal.close()


def test_damage_among_unsent_records_is_found_while_nobody_is_there(path: Path) -> None:
    journal = filled(path, 400, sent=100)
    with sqlite3.connect(path) as db:
        db.execute("update entry set event = substr(event, 9) where sequence = 222")
    db.close()
    steps(Housekeeping(journal, quota=QUOTA, keep=MONTH), 10, days=0)
    recovered = journal.opened.recovered
    assert recovered
    assert recovered.recovered + sum(last - first + 1 for first, last in recovered.lost) == 400
    assert sequences(path) == list(range(1, 402))
    journal.close()


def test_an_older_journal_that_could_not_shrink_is_made_to(path: Path) -> None:
    filled(path, 100, sent=50).close()
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("pragma journal_mode = delete")
        db.execute("pragma auto_vacuum = none")
        db.execute("vacuum")
        assert db.execute("pragma auto_vacuum").fetchone() == (0,)
    db.close()
    journal = journal_at(path)
    assert journal.shrinks
    assert len(sequences(path)) == 100
    journal.close()


def test_only_refusals_of_nobody_known_are_left_out_when_room_is_scarce(rig: Rig) -> None:
    house = Housekeeping(rig.journal, quota=1, keep=MONTH)
    house.step(rig.clock.now())
    assert house.room is Room.SCARCE
    rig.gate._house = house
    answer = rig.show("https://example.org")
    assert (answer.decision.reasons[0] in RecordsPolicy().spared, answer.entry) == (True, None)
    assert (rig.records(), house.unrecorded) == ([], 1)
    assert rig.show(code_of("S1")).entry
    assert rig.show(code_of("S1")).entry  # shown again: a violation
    assert rig.show(code_of("X1")).entry  # somebody known
    assert house.unrecorded == 1


def test_a_disk_that_is_full_of_other_things_counts_as_well(path: Path) -> None:
    journal = journal_at(path)
    free = shutil.disk_usage(path.parent).free
    total = os.statvfs(path.parent).f_blocks * os.statvfs(path.parent).f_frsize
    house = Housekeeping(journal, quota=total, keep=MONTH)
    steps(house, 1, days=0)
    assert house.used == pytest.approx(1 - free / total, abs=0.05)
    journal.close()
