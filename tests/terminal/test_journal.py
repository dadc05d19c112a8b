"""The journal: what was acknowledged is there, in order and chained, and says nothing of anybody."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from hw.clock import Basis, Source
from hw.thermal import Reading, ThermalState
from terminal.events import DAMAGE, FIRST_DIGEST, LOST
from terminal.journal import JournalError, JournalReader, Memo
from terminal.memory import FORGET_AFTER, ISSUED_AT
from terminal.records import unseal
from tests.terminal.world import NOW, RECORD_KEY, accepted, chained, contiguous, open_journal, scan_record

AT = int(NOW.timestamp())
ALL = {"records": 10_000, "size": 10**9}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def filled(path: Path, count: int = 5) -> Path:
    journal = open_journal(path)
    for number in range(count):
        journal.append(scan_record(number))
    journal.close()
    return path


def test_a_new_journal_is_empty(path: Path) -> None:
    journal = open_journal(path)
    assert (journal.head.sequence, journal.head.digest, journal.newest_time()) == (0, FIRST_DIGEST, None)
    assert JournalReader(path).newest() == 0
    assert JournalReader(path).after(0, **ALL) == []
    assert JournalReader(path).digest(0) == FIRST_DIGEST
    journal.close()


def test_a_reader_may_come_before_the_journal(path: Path) -> None:
    assert JournalReader(path).newest() == 0
    assert JournalReader(path).after(0, **ALL) == []
    sqlite3.connect(path).close()
    assert JournalReader(path).newest() == 0
    path.write_bytes(b"")
    assert JournalReader(path).newest() == 0


def test_records_come_back_in_order_and_chained_after_reopening(path: Path) -> None:
    filled(filled(path), 3)
    events = JournalReader(path).after(0, **ALL)
    assert len(events) == 8
    assert chained(events)
    assert [unseal(event, RECORD_KEY)["record"] for event in events[:2]] == ["scan-0", "scan-1"]
    journal = open_journal(path)
    assert (journal.head.sequence, journal.head.digest) == (8, events[-1].digest)
    journal.close()


def test_a_reader_gives_as_much_as_is_asked_for_and_at_least_one(path: Path) -> None:
    reader = JournalReader(filled(path))
    assert [event.sequence for event in reader.after(2, records=2, size=10**9)] == [3, 4]
    assert [event.sequence for event in reader.after(2, records=9, size=1)] == [3]
    size = len(reader.after(0, records=1, size=1)[0].text)
    assert [event.sequence for event in reader.after(0, records=9, size=2 * size)] == [1, 2]
    assert reader.after(5, **ALL) == []
    assert reader.digest(5) == reader.after(4, **ALL)[0].digest
    assert reader.digest(6) is None


def test_the_journal_is_durable_at_every_commit(path: Path) -> None:
    journal = open_journal(path)
    assert journal._db.execute("pragma synchronous").fetchone() == (2,)  # FULL
    assert journal._db.execute("pragma journal_mode").fetchone() == ("wal",)
    journal.close()


def test_nothing_of_a_record_can_be_read_in_the_files(path: Path) -> None:
    journal = open_journal(path)
    for number in range(30):
        record = scan_record(
            number, claimed_subject="S20240042", reading=Reading(ThermalState.OK, 389), identity="SECRETID"
        )
        journal.append(record, memos=accepted(AT + number))
    bare = b"".join(file.read_bytes() for file in path.parent.iterdir())
    names = {file.name for file in path.parent.iterdir()}
    journal.close()
    bare += path.read_bytes()
    assert names == {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert b"urn:campusgate:device:north-gate-1" in bare  # the search does find what is there
    for word in (b"S20240042", b"38.9", b"SECRETID", b"allow"):
        assert word not in bare


def test_the_last_accepted_code_is_remembered_by_person_and_place_over_a_restart(path: Path) -> None:
    journal = open_journal(path)
    journal.append(scan_record(), memos=accepted(AT))
    journal.append(scan_record(claimed_subject="S2"), memos=accepted(AT + 5))
    journal.append(scan_record(place="library"), memos=accepted(AT + 9))
    journal.append(scan_record())
    journal.close()
    journal = open_journal(path)
    assert journal.recall("S1", "north-gate") == {ISSUED_AT: AT}
    assert journal.recall("S2", "north-gate") == {ISSUED_AT: AT + 5}
    assert journal.recall("S1", "library") == {ISSUED_AT: AT + 9}
    assert journal.recall("S3", "north-gate") == {}
    journal.remember("S3", "north-gate", [Memo("a", 1, AT + 60), Memo("b", 2, AT + 60)], now=AT)
    assert journal.recall("S3", "north-gate", "b", "c") == {"b": 2}
    journal.close()


def test_who_was_accepted_is_forgotten_after_a_day(path: Path) -> None:
    journal = open_journal(path)
    journal.append(scan_record(), memos=accepted(AT))
    journal.append(
        scan_record(claimed_subject="S2", happened_at=NOW + timedelta(seconds=FORGET_AFTER)),
        memos=accepted(AT),
    )
    assert journal.recall("S1", "north-gate") == {ISSUED_AT: AT}
    later = NOW + timedelta(seconds=FORGET_AFTER + 1)
    journal.append(scan_record(claimed_subject="S2", happened_at=later), memos=accepted(AT + 1))
    assert journal.recall("S1", "north-gate") == {}
    journal.close()


def test_a_clock_that_was_behind_does_not_have_a_code_forgotten_when_it_is_set(path: Path) -> None:
    journal = open_journal(path)
    behind = NOW.replace(year=1970)
    journal.append(scan_record(happened_at=behind, clock_trusted=False), memos=accepted(AT))
    journal.append(scan_record(claimed_subject="S2"), memos=accepted(AT))
    assert journal.recall("S1", "north-gate") == {ISSUED_AT: AT}
    journal.close()


def test_the_newest_time_is_that_of_a_clock_that_was_trusted(path: Path) -> None:
    journal = open_journal(path)
    assert journal.newest_time() is None
    journal.append(scan_record(happened_at=NOW))
    journal.append(scan_record(happened_at=NOW - timedelta(days=20_000), clock_trusted=False))
    assert journal.newest_time() == NOW
    journal.append(scan_record(happened_at=NOW + timedelta(seconds=1)))
    assert journal.newest_time() == NOW + timedelta(seconds=1)
    journal.close()


def test_a_time_that_staff_set_bounds_no_clock_so_that_a_mistyped_year_can_be_mended(path: Path) -> None:
    journal = open_journal(path)
    journal.append(scan_record())
    years = NOW + timedelta(days=2000)
    journal.append(scan_record(2, happened_at=years, basis=Basis(Source.STAFF, "0" * 16, 1.0)))
    assert journal.newest_time() == NOW
    journal.close()
    journal = open_journal(path)
    assert journal.newest_time() == NOW
    journal.close()


def test_a_closed_journal_takes_no_record_and_says_so(path: Path) -> None:
    journal = open_journal(path)
    journal.close()
    with pytest.raises(JournalError):
        journal.append(scan_record())
    with pytest.raises(JournalError):
        journal.recall("S1", "north-gate")


def test_two_terminals_cannot_both_number_the_same_journal(path: Path) -> None:
    one, two = open_journal(path), open_journal(path)
    one.append(scan_record(1))
    with pytest.raises(JournalError):
        two.append(scan_record(2))
    one.append(scan_record(3))
    one.close()
    two.close()
    events = JournalReader(path).after(0, **ALL)
    assert chained(events)
    assert [unseal(event, RECORD_KEY)["record"] for event in events] == ["scan-1", "scan-3"]


@pytest.mark.parametrize("junk", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 600])
def test_a_file_that_is_no_journal_is_set_aside_and_its_numbers_are_not_used(path: Path, junk: bytes) -> None:
    path.write_bytes(junk)
    with pytest.raises(JournalError):
        JournalReader(path).newest()
    journal = open_journal(path)
    assert journal.opened.recovered
    assert path.with_name(journal.opened.recovered.set_aside).read_bytes() == junk
    assert [event.type for event in JournalReader(path).after(0, **ALL)] == [LOST, DAMAGE]
    assert journal.append(scan_record()).sequence == 1_000_002
    journal.close()


def test_a_directory_in_its_place_is_a_journal_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(JournalError):
        open_journal(path)
    with pytest.raises(JournalError):
        JournalReader(path).newest()


def test_a_file_in_the_place_of_its_directory_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(JournalError):
        open_journal(tmp_path / "state" / "journal.db")


@pytest.mark.parametrize(
    "harm",
    [
        "delete from entry where sequence = 5",
        "update entry set event = '{}' where sequence = 5",
        "update entry set event = null where sequence = 5",
        "update entry set event = replace(event, 'true', 'false') where sequence = 5",
        "update head set digest = printf('%064d', 1)",
        "update head set sequence = 4",
        "update head set sequence = 'many'",
        "insert into entry select 6, event from entry where sequence = 5",
    ],
)
def test_a_journal_that_lies_about_its_end_is_recovered(path: Path, harm: str) -> None:
    database = sqlite3.connect(filled(path))
    database.execute(harm)
    database.commit()
    database.close()
    journal = open_journal(path)
    assert journal.opened.recovered
    assert journal.append(scan_record()).sequence >= 6
    journal.close()
    events = JournalReader(path).after(0, **ALL)
    assert [event.sequence for event in events[:4]] == [1, 2, 3, 4]
    assert contiguous(events)


def test_a_reader_sees_whole_records_while_the_writer_appends(path: Path) -> None:
    journal = open_journal(path)
    done = threading.Event()
    seen: list[int] = []
    faults: list[Exception] = []

    def read() -> None:
        reader = JournalReader(path)
        try:
            while not done.is_set():
                events = reader.after(0, **ALL)
                assert chained(events)
                seen.append(len(events))
                assert reader.newest() >= len(events)
        except Exception as error:  # noqa: BLE001 - a thread's failure is handed to the test
            faults.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(300):
        journal.append(scan_record(number))
    done.set()
    thread.join()
    journal.close()
    assert faults == []
    assert seen == sorted(seen)
    assert JournalReader(path).newest() == 300


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_user_reads_the_journal_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for directory in (tmp_path, *list(tmp_path.parents)[:3]):
        directory.chmod(0o755)
    path = filled(tmp_path / "journal.db")
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]
    os.seteuid(65534)
    try:
        events = JournalReader(path).after(0, **ALL)
    finally:
        os.seteuid(0)
    assert len(events) == 5
    assert JournalReader(path).newest() == 5
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


def test_without_a_trusted_time_the_journal_is_read_through_for_one_only_once(path: Path) -> None:
    journal = open_journal(filled(path, 0))
    journal.append(scan_record(clock_trusted=False))
    assert journal.newest_time() is None
    statements: list[str] = []
    journal._db.conn.set_trace_callback(statements.append)
    assert journal.newest_time() is None
    assert statements == []
    journal.append(scan_record(2))
    journal.append(scan_record(3, clock_trusted=False))
    assert journal.newest_time() == NOW
    journal.close()
