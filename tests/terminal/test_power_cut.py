"""The journal when the power fails: what `append` acknowledged is there, whatever the disk kept of the rest.

The disk is simulated below SQLite (see power_cut.py): it keeps what was synced and loses, tears and reorders
the rest. The same examination must find losses where the journal does not wait for the disk.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from terminal.events import LOST
from terminal.journal import Journal, JournalReader
from tests.sim.exactly_once import chain_breaks
from tests.terminal.power_cut import Recording, recorded
from tests.terminal.world import open_journal, scan_record

RECORDS = 320  # the log is copied into the database, and begun anew, after some 250
CUTS = 80


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to the disk, and what `append` acknowledged: operations until then, sequence, digest."""

    recording: Recording
    acknowledged: list[tuple[int, int, str]]


def write(path: Path, synchronous: str) -> Written:
    """Append with `pragma synchronous` at this value."""
    acknowledged = []
    with recorded() as recording:
        journal = open_journal(path)
        journal._db.execute(f"pragma synchronous = {synchronous}")
        for number in range(1, RECORDS + 1):
            entry = journal.append(scan_record(number))
            acknowledged.append((len(recording.operations), entry.sequence, entry.digest))
        journal.close()
    return Written(recording, acknowledged)


def losses(written: Written, directory: Path) -> int:
    """Over many power cuts: acknowledged records that the reopened journal does not have, unaltered."""
    rng = random.Random(6)
    first, last = written.acknowledged[0][0], len(written.recording.operations)
    lost = 0
    for number in range(CUTS):
        moment = rng.randint(first, last)
        disk = directory / str(number)
        disk.mkdir()
        written.recording.after_cut(moment, disk, rng)
        open_journal(disk / "journal.db").close()
        events = JournalReader(disk / "journal.db").after(0, records=RECORDS + 1, size=10**9)
        assert chain_breaks(events) == 0, "what is lost is reported, and the chain goes on after it"
        there = {event.sequence: event.digest for event in events if event.type != LOST}
        sworn = [(sequence, digest) for done, sequence, digest in written.acknowledged if done <= moment]
        lost += sum(there.get(sequence) != digest for sequence, digest in sworn)
    return lost


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The journal as it is."""
    return write(tmp_path_factory.mktemp("full") / "journal.db", "full")


def test_no_acknowledged_record_is_lost_at_a_power_cut(full: Written, tmp_path: Path) -> None:
    assert losses(full, tmp_path) == 0


def test_the_harness_reports_what_a_journal_loses_that_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    written = write(tmp_path / "journal.db", "normal")
    assert losses(written, tmp_path) > CUTS


def test_the_recording_is_of_a_journal_that_syncs_every_record(full: Written) -> None:
    kinds = [(one.kind, one.name) for one in full.recording.operations]
    assert kinds.count(("sync", "journal.db-wal")) >= RECORDS
    assert kinds.count(("sync", "journal.db")) >= 1, "no checkpoint: the cuts never met one"


def test_a_journal_asks_sqlite_to_wait_for_the_disk(tmp_path: Path) -> None:
    journal: Journal = open_journal(tmp_path / "journal.db")
    assert journal._db.execute("pragma synchronous").fetchone()[0] == 2
    journal.close()
