"""The journal when the ground shakes: killed at any moment, a full disk, a disk that cannot be written."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from terminal.journal import Journal, JournalError, JournalReader
from terminal.memory import ISSUED_AT
from terminal.records import unseal
from tests.terminal.world import NOW, RECORD_KEY, accepted, chained, open_journal, scan_record

KILLS = 25
AT = int(NOW.timestamp())
ALL = {"records": 100_000, "size": 10**9}


def append_for_ever(path: Path, acknowledged: Connection) -> None:
    """Append until killed; tell every sequence that `append` gave back, and only then."""
    journal = open_journal(path)
    while True:
        number = journal.head.sequence + 1
        entry = journal.append(scan_record(number), memos=accepted(number))
        acknowledged.send_bytes(entry.sequence.to_bytes(4, "big"))


@pytest.mark.kill
def test_every_acknowledged_record_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(9)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.terminal.world"])
    path = tmp_path / "journal.db"
    kept = 0
    for _ in range(KILLS):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=append_for_ever, args=(path, theirs))
        child.start()
        theirs.close()
        assert ours.poll(30)
        time.sleep(rng.uniform(0, 0.12))
        child.kill()
        child.join()
        acknowledged = kept
        with suppress(EOFError, OSError):
            while True:
                acknowledged = int.from_bytes(ours.recv_bytes(), "big")
        ours.close()
        child.close()

        events = JournalReader(path).after(0, **ALL)
        journal = open_journal(path)
        assert kept < acknowledged <= journal.head.sequence <= acknowledged + 1
        assert journal.recall("S1", "north-gate")[ISSUED_AT] == journal.head.sequence
        journal.close()
        assert len(events) == journal.head.sequence
        assert chained(events)
        kept = journal.head.sequence
    assert kept > KILLS
    assert [unseal(event, RECORD_KEY)["record"] for event in events] == [
        f"scan-{n}" for n in range(1, kept + 1)
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs root, to mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space there is; the file that holds it."""
    hog = disk / "hog"
    with suppress(OSError), hog.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return hog


def append_until_error(journal: Journal) -> int:
    """Append until the journal refuses; the sequence of the last record acknowledged."""
    for number in range(2000):
        try:
            journal.append(scan_record(number), memos=accepted(AT + number))
        except JournalError:
            return journal.head.sequence
    raise AssertionError("the journal never refused")


def assert_recovered(journal: Journal, path: Path, acknowledged: int) -> None:
    """All that was acknowledged is there and nothing half; the next record follows on."""
    assert journal.append(scan_record()).sequence == acknowledged + 1
    journal.close()
    events = JournalReader(path).after(0, **ALL)
    assert len(events) == acknowledged + 1
    assert chained(events)
    journal = open_journal(path)
    assert journal.head.sequence == acknowledged + 1
    journal.close()


def test_a_full_disk_refuses_the_record_whole_and_recovers_with_space(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    journal = open_journal(path)
    journal.append(scan_record(), memos=accepted(AT))
    hog = fill(small_disk)
    acknowledged = append_until_error(journal)
    remembered = journal.recall("S1", "north-gate")[ISSUED_AT]
    for _ in range(3):
        with pytest.raises(JournalError):
            journal.append(scan_record(), memos=accepted(AT + 9999))
    assert journal.head.sequence == acknowledged == JournalReader(path).newest()
    assert journal.recall("S1", "north-gate")[ISSUED_AT] == remembered
    hog.unlink()
    assert_recovered(journal, path, acknowledged)


def test_a_journal_is_not_opened_on_a_full_disk_and_is_when_there_is_space(small_disk: Path) -> None:
    hog = fill(small_disk)
    path = small_disk / "journal.db"
    with pytest.raises(JournalError):
        open_journal(path)
    hog.unlink()
    journal = open_journal(path)
    assert_recovered(journal, path, 0)


def test_a_file_size_limit_refuses_the_record_whole_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(path)
    with file_size_limit(200_000):
        acknowledged = append_until_error(journal)
    assert acknowledged > 5
    assert_recovered(journal, path, acknowledged)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes; a write that would gives EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_turned_read_only_is_a_journal_error_and_can_still_be_read(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    journal = open_journal(path)
    journal.append(scan_record())
    journal.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(JournalError):
        open_journal(path)
    assert JournalReader(path).newest() == 1
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert_recovered(open_journal(path), path, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_journal_that_may_not_be_written_is_a_journal_error(tmp_path: Path) -> None:
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o755)
    open_journal(tmp_path / "journal.db").close()
    os.seteuid(65534)
    try:
        with pytest.raises(JournalError):
            open_journal(tmp_path / "journal.db")
    finally:
        os.seteuid(0)
