"""The journal's file: how it is opened, what is in it, and whether its end is sound.

SQLite reports some damage itself. What it cannot see, the chain shows: the newest records are read back after
an unclean end, and the write-ahead log is looked through first, because SQLite passes over a broken one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from config.errors import CampusgateError
from terminal.events import FIRST_DIGEST, Event, RecordError, parse_event
from terminal.journal_pages import PageSource

DURABILITY = ("journal_mode = wal", "synchronous = full")
"""What makes a commit survive a power cut."""

TAIL = 500  # records verified after an unclean end
_TAIL_CLEAN = 10  # after a clean one
_WAL_LIMIT = 4_194_304  # bytes kept of the write-ahead log once it was written back
_CONVERTED_UP_TO = 4096  # pages: an older journal up to here is rewritten so that it can shrink
_TABLES = (
    "create table entry (sequence integer primary key, event text)",
    "create table head (id integer primary key check (id = 1), sequence integer, digest text)",
    "create table memo (person blob, what text, value integer, until integer,"
    " primary key (person, what)) without rowid",
    "create index memo_until on memo (until)",
    "create index memo_what on memo (what, value)",
)


class JournalError(CampusgateError, OSError):
    """Raised when the journal cannot be opened, read or written: the gate must not open then."""


class JournalDamage(JournalError):
    """Raised when what the journal's file holds is not what was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Proof that a record is on disk. Only `Journal.append` makes one; the portal opens for nothing else."""

    sequence: int
    digest: str


def is_damage(error: Exception) -> bool:
    """Whether SQLite's `error` says that the file itself is damaged, or that a part cannot be read."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code in (
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
    )


def connect(path: Path) -> sqlite3.Connection:
    """A connection to `path` that begins and commits only where the code says so. Raises: sqlite3.Error."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")  # a flipped bit is for the chain to find
    return db


def prepare(db: sqlite3.Connection, pages: int) -> bool:
    """Make `db` ready for records: durable, its tables there, at most `pages` of it; whether it can shrink.

    Raises: sqlite3.Error; JournalDamage when it had tables and they are gone.
    """
    db.execute("pragma auto_vacuum = incremental")  # of effect only before there is anything in it
    for pragma in DURABILITY:
        db.execute(f"pragma {pragma}")
    db.execute(f"pragma journal_size_limit = {_WAL_LIMIT}")
    db.execute(f"pragma max_page_count = {pages}")
    names = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
    size = int(db.execute("pragma page_count").fetchone()[0])
    if not names and size <= 1:
        make_tables(db)
    elif not {"entry", "head", "memo"} <= names:
        raise JournalDamage(f"its {size} pages have no table of records")
    if db.execute("pragma auto_vacuum").fetchone()[0]:
        return True
    if size > _CONVERTED_UP_TO:
        return False
    db.execute("pragma auto_vacuum = incremental")
    try:
        db.execute("vacuum")
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        return False  # no room for a copy of it now
    return bool(db.execute("pragma auto_vacuum").fetchone()[0])


def make_tables(db: sqlite3.Connection) -> None:
    """Make the tables of an empty journal, all or none. Raises: sqlite3.Error."""
    db.execute("begin immediate")
    try:
        for table in _TABLES:
            db.execute(table)
        db.execute("insert into head values (1, 0, ?)", [FIRST_DIGEST])
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise


def free_bytes(db: sqlite3.Connection) -> int:
    """Bytes in the file of `db` that hold nothing. Raises: sqlite3.Error."""
    pages, size = (
        int(db.execute(f"pragma {name}").fetchone()[0]) for name in ("freelist_count", "page_size")
    )
    return pages * size


def give_back(db: sqlite3.Connection, *, pages: int) -> None:
    """Shrink the file of `db` by as many empty pages, at the most. Raises: sqlite3.Error."""
    # A script, because execute() takes only one step of it, which is one page.
    db.executescript(f"pragma incremental_vacuum({pages})")
    db.execute("pragma wal_checkpoint(passive)").fetchone()  # waits for nobody


def stored(sequence: int, text: str) -> Event:
    """The event in the row `sequence`. Raises: JournalDamage when that is not what it holds."""
    try:
        event = parse_event(text)
    except RecordError as error:
        raise JournalDamage(f"record {sequence} is damaged: {error}") from error
    if event.sequence != sequence:
        raise JournalDamage(f"record {sequence} says that it is record {event.sequence}")
    return event


def assert_chained(events: list[Event], through: int) -> None:
    """See that `events`, in order, follow each other; up to `through` some may be missing.

    Raises: JournalDamage.
    """
    for one, after in pairwise(events):
        if after.first != one.sequence + 1:
            if after.first - 1 > through:
                raise JournalDamage(f"the records between {one.sequence} and {after.first} are gone")
        elif after.previous != one.chained:
            raise JournalDamage(f"record {after.sequence} does not follow from record {one.sequence}")


def verified_tail(db: sqlite3.Connection, *, clean: bool, through: int) -> tuple[Entry, int]:
    """The head of `db`, and how many of the newest records were seen to be sound.

    through: up to here central has all records. Raises: sqlite3.Error, JournalDamage.
    """
    head = db.execute("select sequence, digest from head where id = 1").fetchone()
    if head is None or not isinstance(head[0], int) or not isinstance(head[1], str):
        raise JournalDamage("it does not say which record is its newest")
    rows = db.execute(
        "select sequence, event from entry order by sequence desc limit ?", [_TAIL_CLEAN if clean else TAIL]
    ).fetchall()
    events = [stored(sequence, text) for sequence, text in reversed(rows)]
    assert_chained(events, through)
    if (events and (events[-1].sequence, events[-1].chained) != head) or (not events and head[0] != 0):
        raise JournalDamage(f"its newest record does not fit its head, which says {head[0]}")
    if head[0] < through:
        raise JournalDamage(f"central has records up to {through}, and its newest is {head[0]}")
    return Entry(*head), len(events)


def assert_wal_sound(path: Path) -> None:
    """See that nothing which was committed to the write-ahead log of `path` is broken.

    SQLite takes the first broken frame for the end. A torn last transaction is no damage: it was never
    acknowledged. Raises: JournalDamage, OSError.
    """
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or wal.stat().st_size == 0:
        return
    with PageSource(path) as source:
        if not source.wal_header_sound:
            if any(wal.read_bytes()):
                raise JournalDamage("its write-ahead log is damaged")
            return
        broken = ended = False
        for frame in source.frames:
            if ended and frame.sound:
                raise JournalDamage("a part of its write-ahead log is damaged")
            broken = broken or not frame.sound
            ended = broken and frame.commits
