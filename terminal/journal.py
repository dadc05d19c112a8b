"""The journal: records, durable before anything moves, numbered without gaps, chained by digest.

SQLite in WAL mode with synchronous=FULL: when `append` returns, the record survives a power cut. The
terminal alone writes it; the sync daemon reads. It also keeps the little that the rules need to remember
about people, under keyed digests, in the same transaction as the record.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlite_utils import Database

from config.errors import CampusgateError
from terminal.events import FIRST_DIGEST, LOST, Event, parse_event
from terminal.records import AnyRecord, seal


class JournalError(CampusgateError, OSError):
    """Raised when the journal cannot be opened, read or written: the gate must not open then."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Proof that a record is on disk. Only `Journal.append` makes one; the portal opens for nothing else."""

    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class Memo:
    """One thing remembered of a person at a place, for the rules. until: Unix seconds; 0 forgets it now."""

    what: str
    value: int
    until: int


class Journal:
    """The record log of `device` in the file `path`.

    central_key: records are sealed to it. state_key: 32 secret bytes for the digests of people.
    Raises: JournalError when the file is damaged or not writable.
    """

    def __init__(self, path: Path, *, device: str, central_key: X25519PublicKey, state_key: bytes) -> None:
        self._path, self._device = path, device
        self._central_key, self._state_key = central_key, state_key
        self._lock = threading.Lock()
        self._trusted_time: datetime | None = None  # see newest_time; None until it was looked for
        with self._errors("open"):
            path.parent.mkdir(parents=True, exist_ok=True)
            # No implicit transactions: each begins and commits where the code says so.
            self._db = Database(
                sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            )
            try:
                self._make_tables()
                self.head = self._checked_head()
            except BaseException:
                self._db.close()
                raise

    def append(self, record: AnyRecord, *more: AnyRecord, memos: Sequence[Memo] = ()) -> Entry:
        """Make `record`, and the others that come of it, durable, all or none; only then return.

        memos: what is to be remembered of the record's subject at its place, in the same transaction.
        Raises: JournalError when it is not durable; nothing of it is then in the journal.
        """
        with self._lock, self._errors("append to"):
            events, head = [], self.head
            for one in (record, *more):
                event = seal(
                    one,
                    device=self._device,
                    sequence=head.sequence + 1,
                    previous=head.digest,
                    key=self._central_key,
                )
                events.append(event)
                head = Entry(event.sequence, event.digest)
            with self._transaction():
                for event in events:
                    self._db.execute("insert into entry values (?, ?)", [event.sequence, event.text])
                self._db.execute("update head set sequence = ?, digest = ?", [head.sequence, head.digest])
                if memos:
                    now = int(record.happened_at.timestamp())
                    self._remember(self._person(record.claimed_subject, record.place), memos, now)
            self.head = head
            if events[-1].clock_trusted and self._trusted_time is not None:
                self._trusted_time = events[-1].time
            return Entry(events[0].sequence, events[0].digest)

    def remember(self, subject: str, place: str, memos: Sequence[Memo], *, now: int) -> None:
        """Remember `memos` of a person without a record. now: Unix seconds. Raises: JournalError."""
        with self._lock, self._errors("write to"), self._transaction():
            self._remember(self._person(subject, place), memos, now)

    def recall(self, subject: str, place: str) -> dict[str, int]:
        """What is remembered of `subject` at `place`: values by `Memo.what`. Raises: JournalError."""
        with self._lock, self._errors("read"):
            person = self._person(subject, place)
            return dict(
                self._db.execute("select what, value from memo where person = ?", [person]).fetchall()
            )

    def count(self, what: str, *, since: int = 0, begins: bool = False) -> int:
        """How many memos there are, of all people, that are `what` and whose value is not below `since`.

        begins: count those whose `what` begins so. Raises: JournalError.
        """
        with self._lock, self._errors("read"):
            query = "select count(*) from memo where what >= ? and what <= ? and value >= ?"
            last = what + "\U0010ffff" if begins else what
            return int(self._db.execute(query, [what, last, since]).fetchone()[0])

    def newest_time(self) -> datetime | None:
        """The wall time of the newest record with a trusted clock: the clock cannot be before it.

        Raises: JournalError.
        """
        with self._lock, self._errors("read"):
            if self._trusted_time is None:  # kept: without a trusted clock every scan asks
                events = (
                    parse_event(text)
                    for (text,) in self._db.execute("select event from entry order by sequence desc")
                )
                self._trusted_time = next((event.time for event in events if event.clock_trusted), None)
            return self._trusted_time

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _make_tables(self) -> None:
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute("create table if not exists entry (sequence integer primary key, event text)")
        self._db.execute(
            "create table if not exists head"
            " (id integer primary key check (id = 1), sequence integer, digest text)"
        )
        self._db.execute(
            "create table if not exists memo (person blob, what text, value integer, until integer,"
            " primary key (person, what)) without rowid"
        )
        self._db.execute("create index if not exists memo_until on memo (until)")
        self._db.execute("create index if not exists memo_what on memo (what, value)")
        self._db.execute("insert or ignore into head values (1, 0, ?)", [FIRST_DIGEST])

    def _checked_head(self) -> Entry:
        """The head, if it fits the newest record on disk; a journal that lies about its end is damaged."""
        sequence, digest = self._db.execute("select sequence, digest from head").fetchone()
        row = self._db.execute("select sequence, event from entry order by sequence desc limit 1").fetchone()
        if row and (row[0] != sequence or parse_event(row[1]).digest != digest):
            raise JournalError(f"{self._path}: its newest record does not fit its head; set the file aside")
        return Entry(sequence, digest)

    def _remember(self, person: bytes, memos: Sequence[Memo], now: int) -> None:
        for memo in memos:
            row = [person, memo.what, memo.value, memo.until]
            self._db.execute("insert or replace into memo values (?, ?, ?, ?)", row)
        self._db.execute("delete from memo where until < ?", [now])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.conn.in_transaction:
                self._db.execute("rollback")
            raise

    def _person(self, subject: str, place: str) -> bytes:
        return hmac.digest(self._state_key, f"{place}\n{subject}".encode(), hashlib.sha256)[:16]

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"{self._path}: cannot {doing} the journal: {error}") from error
        except CampusgateError as error:
            raise JournalError(f"{self._path}: holds a damaged record: {error}") from error


class JournalReader:
    """The sync daemon's view of the journal at `path`: reads, never writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest(self) -> int:
        """The newest sequence; 0 when there is no record or no journal yet. Raises: JournalError."""
        with self._connection() as db:
            row = db.execute("select sequence from head").fetchone() if db else None
            return int(row[0]) if row else 0

    def after(self, sequence: int, *, records: int, size: int) -> list[Event]:
        """Events after `sequence`, in order: at most `records`, and about `size` bytes, but at least one.

        Raises: JournalError when the journal cannot be read.
        """
        events: list[Event] = []
        with self._connection() as db:
            if db is None:
                return events
            rows = db.execute(
                "select event from entry where sequence > ? order by sequence limit ?", [sequence, records]
            )
            for (text,) in rows:
                size -= len(text)
                if events and size < 0:
                    break
                events.append(parse_event(text))
        return events

    def digest(self, sequence: int) -> str | None:
        """The digest of the record `sequence`, or None when it is not there. Raises: JournalError."""
        if sequence == 0:
            return FIRST_DIGEST
        events = self.after(sequence - 1, records=1, size=1)
        return events[0].digest if events and events[0].sequence == sequence else None

    def fits(self, sequence: int, digest: str) -> bool:
        """Whether `digest` is what the record `sequence` may have; never for one that was not written.

        Of lost records only the digest that the next one names is known; without a next one, none.
        Raises: JournalError when the journal cannot be read.
        """
        if sequence == 0:
            return digest == FIRST_DIGEST
        events = self.after(sequence - 1, records=1, size=1)
        if not events or not events[0].first <= sequence <= events[0].sequence:
            return False
        event = events[0]
        if event.type != LOST or digest == event.digest:
            return digest == event.digest
        return sequence < event.sequence or event.resumes in ("", digest)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection | None]:
        if not self._path.exists():
            yield None
            return
        # Without a WAL file nobody writes. SQLite would then make one: the terminal could not open it, being
        # another user, or this user may not.
        wal = self._path.with_name(f"{self._path.name}-wal")
        mode = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
        try:
            db = sqlite3.connect(f"{self._path.absolute().as_uri()}?{mode}", uri=True, timeout=5)
            try:
                # The terminal may be just now making its journal.
                made = db.execute("select 1 from sqlite_master where name = 'head'").fetchone()
                yield db if made else None
            finally:
                db.close()
        except (sqlite3.Error, CampusgateError) as error:
            raise JournalError(f"{self._path}: cannot read the journal: {error}") from error
