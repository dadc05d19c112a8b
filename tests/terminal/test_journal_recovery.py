"""A damaged journal loses at most what was on the pages hit, says so, and goes on under new numbers."""

from __future__ import annotations

import errno
import multiprocessing
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.clock import Source
from hw.clock_sources import MachineSources
from terminal.command_desk import locked_down
from terminal.commands import OWN, memos
from terminal.events import DAMAGE, LOST, Event, parse_event
from terminal.journal import Journal, JournalError, JournalReader
from terminal.journal_pages import PageSource
from terminal.journal_recovery import set_aside
from terminal.memory import ISSUED_AT
from terminal.orders import Orders, Outcome
from terminal.receipt import Receipt
from terminal.records import unseal
from tests.terminal.command_rig import command
from tests.terminal.test_journal_faults import file_size_limit
from tests.terminal.world import (
    DEVICE,
    NOW,
    RECORD_KEY,
    STATE_KEY,
    accepted,
    contiguous,
    open_journal,
    scan_record,
)

ALL = {"records": 100_000, "size": 10**9}
PAGE = 4096
RECORDS = 1500
AT = int(NOW.timestamp())


@dataclass(frozen=True)
class Specimen:
    """A journal as it lay on disk: closed, and as a crash left it with a part still in the log."""

    closed: Path
    crashed: Path
    events: list[Event]
    pages_of: dict[int, set[int]]  # by sequence, in the closed file

    def copy(self, which: str, directory: Path) -> Path:
        source = self.closed if which == "closed" else self.crashed
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(source.parent, directory)
        return directory / "journal.db"


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    directory = tmp_path_factory.mktemp("specimen")
    path = directory / "closed" / "journal.db"
    journal = open_journal(path)
    journal._db.execute("pragma synchronous = off")  # only quicker to make
    journal._db.execute("pragma wal_autocheckpoint = 100")
    for number in range(RECORDS):
        big = {"place": "x" * 9000} if number % 97 == 0 else {}
        subject = f"S{number % 400}"
        record = scan_record(number, claimed_subject=subject, **big)
        journal.append(record, memos=accepted(AT + number))
    shutil.copytree(path.parent, directory / "crashed")
    journal.close()
    assert (directory / "crashed" / "journal.db-wal").stat().st_size > 10 * PAGE
    return Specimen(
        path, directory / "crashed" / "journal.db", JournalReader(path).after(0, **ALL), pages_of(path)
    )


def pages_of(path: Path) -> dict[int, set[int]]:
    """Which pages hold each record, as SQLite itself lays them out: its leaf and its overflow chain."""
    found: dict[int, set[int]] = {}
    data = path.read_bytes()
    with PageSource(path) as source:
        for number in range(1, source.pages + 1):
            page = data[(number - 1) * PAGE : number * PAGE]
            for row in source._rows_on(number, page):
                if row.rowid is None or len(row.values) != 2 or row.values[0] is not None:
                    continue
                text = str(row.values[1])
                found[row.rowid] = {number}
                if len(text) > PAGE:
                    found[row.rowid] |= {
                        n
                        for n in range(1, source.pages + 1)
                        if _overlaps(data[(n - 1) * PAGE : n * PAGE], text.encode())
                    }
    return found


def _overlaps(page: bytes, text: bytes) -> bool:
    return len(page) > 100 and (page[4:60] in text or page[4:40] in text)


Harm = Callable[[bytearray, int, random.Random], None]


def zeros(data: bytearray, page: int, rng: random.Random) -> None:
    data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def noise(data: bytearray, page: int, rng: random.Random) -> None:
    data[page * PAGE : (page + 1) * PAGE] = rng.randbytes(PAGE)


def another_page(data: bytearray, page: int, rng: random.Random) -> None:
    other = rng.randrange(len(data) // PAGE)
    data[page * PAGE : (page + 1) * PAGE] = data[other * PAGE : (other + 1) * PAGE]


def flipped_bits(data: bytearray, page: int, rng: random.Random) -> None:
    for _ in range(3):
        data[page * PAGE + rng.randrange(PAGE)] ^= 1 << rng.randrange(8)


def open_with(path: Path, receipt: Receipt) -> Journal:
    receipt.save(path.with_name("receipt.json"))
    return Journal(
        path,
        device=DEVICE,
        central_key=RECORD_KEY.public_key(),
        state_key=STATE_KEY,
        receipt=path.with_name("receipt.json"),
    )


def assert_saved(specimen: Specimen, path: Path, hit: set[int], receipt: Receipt | None = None) -> None:
    """Open, read all, and see that what has no byte on a page that was hit is there."""
    receipt = receipt or Receipt()
    journal = open_with(path, receipt)
    query = "select event from entry order by sequence"
    found: dict[int, Event] = {}
    for _ in range(2):  # reading all, as the terminal's scrub does, may be what finds the damage
        first = 1
        while events := journal.events(first, records=500):
            found |= {event.sequence: event for event in events}
            first = events[-1].sequence + 1
        journal.append(scan_record(), memos=accepted(AT))
    texts = [text for (text,) in journal._db.execute(query)]
    after = [parse_event(text) for text in texts]
    recovered = journal.opened.recovered
    newest = journal.head
    journal.close()
    found = {event.sequence: event for event in after if event.type not in (LOST, DAMAGE)}
    for event in specimen.events:
        if not specimen.pages_of[event.sequence] & hit:
            assert event.sequence in found, (event.sequence, hit, recovered)
            assert found[event.sequence].text == event.text
    assert contiguous(after, receipt.through)
    assert newest.sequence > RECORDS
    added = [event.sequence for event in after if event.type not in (LOST, DAMAGE)][-2:]
    assert min(added) > RECORDS
    if recovered:
        assert path.with_name(recovered.set_aside).exists()
        [report] = [unseal(e, RECORD_KEY)["damage"] for e in after if e.type == DAMAGE]
        assert report["set_aside"] == recovered.set_aside
        gone = [(e.first, e.sequence) for e in after if e.type == LOST]
        assert [(int(a), int(b)) for a, b in report["lost"]] == gone
        assert all(last > receipt.through for _, last in gone)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "copy"


@given(
    harms=st.lists(
        st.tuples(st.floats(0, 0.9999), st.sampled_from([zeros, noise, another_page, flipped_bits])),
        min_size=1,
        max_size=6,
    ),
    seed=st.integers(0, 2**32 - 1),
    sent=st.integers(0, RECORDS),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_pages_that_are_hit_cost_only_the_records_on_them(
    specimen: Specimen, bench: Path, harms: list[tuple[float, Harm]], seed: int, sent: int
) -> None:
    path, rng = specimen.copy("closed", bench), random.Random(seed)
    data = bytearray(path.read_bytes())
    hit = {int(at * (len(data) // PAGE)) for at, _ in harms}
    for at, harm in harms:
        harm(data, int(at * (len(data) // PAGE)), rng)
    path.write_bytes(data)
    receipt = Receipt(sent, specimen.events[sent - 1].digest) if sent else Receipt()
    assert_saved(specimen, path, {page + 1 for page in hit}, receipt)


def special_pages(path: Path) -> dict[str, int]:
    """Numbers from 0 of the schema's page, the root (an interior page) of the records, and the head's."""
    with sqlite3.connect(path) as db:
        roots = dict(db.execute("select name, rootpage from sqlite_master").fetchall())
    db.close()
    return {"schema": 0, "interior": roots["entry"] - 1, "head": roots["head"] - 1, "memo": roots["memo"] - 1}


@pytest.mark.parametrize("harm", [zeros, noise, another_page])
@pytest.mark.parametrize("which", ["schema", "interior", "head", "memo"])
def test_no_page_is_so_important_that_its_loss_costs_other_records(
    specimen: Specimen, tmp_path: Path, which: str, harm: Harm
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    page = special_pages(path)[which]
    data = bytearray(path.read_bytes())
    assert which != "interior" or data[page * PAGE] == 0x05
    harm(data, page, random.Random(5))
    path.write_bytes(data)
    assert_saved(specimen, path, {page + 1})


@pytest.mark.parametrize("part", [0.9, 0.5, 0.1, 0.001, 0.0])
@pytest.mark.parametrize("more", [0, 1, 700])
def test_a_truncated_file_keeps_what_is_left_of_it(
    specimen: Specimen, tmp_path: Path, part: float, more: int
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    size = int(path.stat().st_size * part) // PAGE * PAGE + more
    pages = path.stat().st_size // PAGE
    path.write_bytes(path.read_bytes()[:size])
    receipt = Receipt(7, specimen.events[6].digest)
    if size:
        assert_saved(specimen, path, set(range(size // PAGE + 1, pages + 1)), receipt)


@pytest.mark.parametrize("harm", [zeros, noise, "header", "middle", "gone"])
def test_a_damaged_log_costs_only_what_was_in_it_alone(
    specimen: Specimen, tmp_path: Path, harm: Harm | str
) -> None:
    path = specimen.copy("crashed", tmp_path / "copy")
    with sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True) as db:
        below = db.execute("select max(sequence) from entry").fetchone()[0]
    db.close()
    log = path.with_name("journal.db-wal")
    data = bytearray(log.read_bytes())
    lowest = below
    if harm == "header":
        data[:32] = bytes(32)
        lowest = RECORDS - 60
    elif harm == "middle":
        frames = range(32, len(data) - PAGE - 23, PAGE + 24)
        current = [at for at in frames if data[at + 8 : at + 16] == data[16:24]]  # not of a log before
        data[current[len(current) // 2] + PAGE // 2] ^= 4
        lowest = RECORDS
    elif callable(harm):
        for page in range(len(data) // PAGE + 1):
            harm(data, page, random.Random(6))
    log.write_bytes(data)
    receipt = Receipt()
    if harm == "gone":  # nothing tells that but central
        log.unlink()
        receipt = Receipt(RECORDS, specimen.events[-1].digest)
    if harm is zeros:  # as after a power cut before it was ever written
        receipt = Receipt(RECORDS - 1, specimen.events[-2].digest)
    journal = open_with(path, receipt)
    assert journal.opened.recovered
    assert journal.append(scan_record()).sequence > RECORDS
    journal.close()
    after = JournalReader(path).after(0, **ALL)
    assert contiguous(after, receipt.through)
    found = {event.sequence: event.text for event in after}
    assert all(found.get(event.sequence) == event.text for event in specimen.events[: min(lowest, below)])


def test_what_is_remembered_of_people_is_saved_too(specimen: Specimen, tmp_path: Path) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    data = bytearray(path.read_bytes())
    zeros(data, 0, random.Random())
    path.write_bytes(data)
    journal = open_journal(path)
    for number in range(RECORDS - 400, RECORDS):
        assert journal.recall(f"S{number % 400}", "north-gate" if number % 97 else "x" * 9000) in (
            {ISSUED_AT: AT + number},
            {ISSUED_AT: AT + number - 400},
            {},
        )
    assert journal.recall("S399", "north-gate") == {ISSUED_AT: AT + 1199}
    journal.close()


def test_a_crash_without_damage_is_told_from_a_proper_close(specimen: Specimen, tmp_path: Path) -> None:
    crashed = open_journal(specimen.copy("crashed", tmp_path / "crashed"))
    assert (crashed.opened.clean, crashed.opened.verified, crashed.opened.recovered) == (False, 500, None)
    assert crashed.head.sequence == RECORDS
    crashed.close()
    closed = open_journal(specimen.copy("closed", tmp_path / "closed"))
    assert (closed.opened.clean, closed.opened.verified, closed.opened.recovered) == (True, 10, None)
    closed.close()


def open_once(path: Path) -> None:
    open_journal(path).close()


@pytest.mark.kill
def test_a_recovery_that_is_killed_at_any_moment_is_done_again(specimen: Specimen, tmp_path: Path) -> None:
    rng = random.Random(11)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.terminal.world"])
    for _ in range(8):
        path = specimen.copy("closed", tmp_path / "copy")
        data = bytearray(path.read_bytes())
        page = 1 + rng.randrange(len(data) // PAGE - 1)
        zeros(data, 0, rng)
        zeros(data, page, rng)
        path.write_bytes(data)
        child = context.Process(target=open_once, args=(path,))
        child.start()
        time.sleep(rng.uniform(0.05, 1.0))
        child.kill()
        child.join()
        child.close()
        open_journal(path).close()
        after = JournalReader(path).after(0, **ALL)
        assert contiguous(after)
        assert [event.type for event in after].count(DAMAGE) == 1
        aside = [f for f in path.parent.glob("journal.db.damaged-*") if f.name[-4:] not in ("-wal", "-shm")]
        assert [file.read_bytes() for file in aside] == [bytes(data)]
        assert not list(path.parent.glob("journal.db.recover*"))


def test_a_disk_with_no_room_to_recover_leaves_the_damaged_file_and_recovers_with_room(
    specimen: Specimen, tmp_path: Path
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    data = bytearray(path.read_bytes())
    zeros(data, 0, random.Random())
    path.write_bytes(data)
    with file_size_limit(len(data) // 3), pytest.raises(JournalError, match="cannot recover"):
        open_journal(path)
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]
    assert path.read_bytes() == data
    assert_saved(specimen, path, {1})


def test_damage_that_a_full_disk_keeps_from_being_repaired_is_repaired_later(
    specimen: Specimen, tmp_path: Path
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    journal = open_journal(path)
    journal._db.execute("update entry set event = substr(event, 9) where sequence = 700")
    with file_size_limit(path.stat().st_size // 3), pytest.raises(JournalError, match="cannot recover"):
        journal.events(650, records=100)
    journal._repair_at = 0.0
    assert journal.append(scan_record()).sequence > RECORDS
    assert journal.opened.recovered
    journal.close()
    assert contiguous(JournalReader(path).after(0, **ALL))


def test_a_recovered_journal_that_cannot_be_opened_at_once_is_opened_later_and_not_recovered_again(
    specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    journal = open_journal(path)
    journal._db.execute("update entry set event = substr(event, 9) where sequence = 700")

    def no_room(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("terminal.journal.prepare", no_room)
        with pytest.raises(JournalError, match="no space left"):
            journal.events(650, records=100)
    journal._repair_at = 0.0
    assert journal.append(scan_record()).sequence > RECORDS
    assert journal.opened.recovered
    assert set_aside(path) == [journal.opened.recovered.set_aside]
    journal.close()
    assert [event.type for event in JournalReader(path).after(0, **ALL)].count(DAMAGE) == 1


def test_a_recovered_journal_remembers_a_lockdown_and_the_commands_that_were_done(
    specimen: Specimen, tmp_path: Path
) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    journal = open_journal(path)
    lockdown = command("c1", "lockdown")
    journal.remember(*OWN, memos(lockdown, Outcome.DONE, Orders((lockdown,)), {}, NOW), now=AT)
    known = journal.recall(*OWN)
    journal._db.execute("update entry set event = substr(event, 9) where sequence = 700")
    journal.events(650, records=100)
    assert journal.opened.recovered
    assert locked_down(journal)
    assert journal.recall(*OWN) == known
    journal.close()


def test_the_report_of_the_damage_says_how_its_time_is_known(specimen: Specimen, tmp_path: Path) -> None:
    path = specimen.copy("closed", tmp_path / "copy")
    journal = open_journal(path)
    journal._db.execute("update entry set event = substr(event, 9) where sequence = 700")
    journal.events(650, records=100)
    [report] = journal.events(journal.head.sequence, records=1)
    assert (report.type, report.boot) == (DAMAGE, MachineSources().boot)
    assert report.uptime is not None
    assert report.clock_trusted == (report.clock != Source.NONE)
    journal.close()
