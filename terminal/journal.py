"""The journal: records, durable before anything moves, numbered without gaps, chained by digest.

SQLite in WAL mode with synchronous=FULL: when `append` returns, the record survives a power cut. The
terminal alone writes it; the sync daemon reads. It also keeps the little that the rules need to remember
about people, under keyed digests, in the same transaction as the record.

Damage that shows, when it is opened or at any later moment, is recovered from at once (journal_recovery.py).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlite_utils import Database

from config.errors import CampusgateError
from terminal.events import Event
from terminal.journal_file import (
    Entry,
    JournalDamage,
    JournalError,
    assert_chained,
    assert_wal_sound,
    connect,
    free_bytes,
    give_back,
    is_damage,
    prepare,
    stored,
    verified_tail,
)
from terminal.journal_memos import Memo, Memos
from terminal.journal_reader import JournalReader
from terminal.journal_recovery import Opened, finish, recover
from terminal.journal_salvage import Owner, Recovery
from terminal.receipt import Receipt
from terminal.records import AnyRecord, seal

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_QUOTA = 4_294_967_296  # bytes
PAGE_SIZE = 4096  # bytes, SQLite's own choice
_REPAIR_AGAIN = 30.0  # seconds, at least, between two attempts to recover

__all__ = ["Entry", "Journal", "JournalDamage", "JournalError", "JournalReader", "Memo", "Opened", "Recovery"]


class Journal:
    """The record log of `device` at `place` in the file `path`. A damaged one is recovered and set aside.

    central_key: records are sealed to it. state_key: 32 secret bytes for the digests of people. receipt: the
    file of central's receipt. quota: bytes that the file may take.
    Raises: JournalError when it can be neither opened nor recovered.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        central_key: X25519PublicKey,
        state_key: bytes,
        place: str = "",
        receipt: Path | None = None,
        quota: int = DEFAULT_QUOTA,
    ) -> None:
        self.path, self._receipt, self._quota = path, receipt, quota
        self._owner, self._memos = Owner(device, place, central_key), Memos(state_key)
        self._lock = threading.Lock()
        self._db: Database
        self.head: Entry  # the newest record
        self._trusted_time: datetime | None = None  # see newest_time
        self._time_looked_for = False
        self._damage: JournalDamage | None = None  # seen, but not repaired yet
        self._recovery: Recovery | None = None  # done, but the new file is not open yet
        self._repair_at = 0.0  # monotonic seconds
        try:
            with self._errors("open"):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._open()
        except JournalDamage as damage:
            self._repair(damage)

    def append(self, record: AnyRecord, *more: AnyRecord, memos: Sequence[Memo] = ()) -> Entry:
        """Make `record`, and the others that come of it, durable, all or none; only then return.

        memos: what is to be remembered of the record's subject at its place, in the same transaction.
        Raises: JournalError when it is not durable; nothing of it is then in the journal.
        """
        return self._do("append to", lambda: self._append((record, *more), memos))

    def _append(self, records: Sequence[AnyRecord], memos: Sequence[Memo]) -> Entry:
        events, head = [], self.head
        for one in records:
            event = seal(
                one,
                device=self._owner.device,
                sequence=head.sequence + 1,
                previous=head.digest,
                key=self._owner.central_key,
            )
            events.append(event)
            head = Entry(event.sequence, event.digest)
        with self._transaction():
            for event in events:
                self._db.execute("insert into entry values (?, ?)", [event.sequence, event.text])
            self._db.execute("update head set sequence = ?, digest = ?", [head.sequence, head.digest])
            if memos:
                about = records[0]
                now = int(about.happened_at.timestamp())
                self._memos.remember(self._db, about.claimed_subject, about.place, memos, now=now)
        self.head = head
        if events[-1].raises_floor:
            self._trusted_time = events[-1].time
        return Entry(events[0].sequence, events[0].digest)

    def remember(self, subject: str, place: str, memos: Sequence[Memo], *, now: int) -> None:
        """Remember `memos` of a person without a record. now: Unix seconds. Raises: JournalError."""

        def write() -> None:
            with self._transaction():
                self._memos.remember(self._db, subject, place, memos, now=now)

        self._do("write to", write)

    def recall(self, subject: str, place: str, *only: str) -> dict[str, int]:
        """What is remembered of `subject` at `place` (`only` that), by `Memo.what`. Raises: JournalError."""
        return self._do("read", lambda: self._memos.recall(self._db, subject, place, *only))

    def count(self, what: str, *, since: int = 0, begins: bool = False) -> int:
        """How many memos there are, of all people, that are `what` and whose value is not below `since`.

        begins: count those whose `what` begins so. Raises: JournalError.
        """
        return self._do("read", lambda: self._memos.count(self._db, what, since=since, begins=begins))

    def newest_time(self) -> datetime | None:
        """The wall time of the newest record that bounds the clock: the clock cannot be before it.

        Raises: JournalError.
        """
        return self._do("read", self._newest_time)

    def _newest_time(self) -> datetime | None:
        # Looked for once, found or not: without a trusted clock every scan asks, and it may mean reading all.
        if self._trusted_time is None and not self._time_looked_for:
            rows = self._db.execute("select sequence, event from entry order by sequence desc")
            events = (stored(sequence, text) for sequence, text in rows)
            self._trusted_time = next((event.time for event in events if event.raises_floor), None)
            self._time_looked_for = True
        return self._trusted_time

    def events(self, first: int, *, records: int) -> list[Event]:
        """At most `records` events from `first` on, seen to be chained. Raises: JournalError."""

        def read() -> list[Event]:
            query = "select sequence, event from entry where sequence >= ? order by sequence limit ?"
            found = [stored(*row) for row in self._db.execute(query, [first, records]).fetchall()]
            assert_chained(found, self.receipt().through)
            return found

        return self._do("read", read)

    def purge(self, through: int, *, records: int) -> int:
        """Delete the oldest records up to `through`, at most `records`, and give the room back; how many.

        The newest record always stays. Raises: JournalError.
        """

        def delete() -> int:
            query = (
                "delete from entry where sequence in"
                " (select sequence from entry where sequence <= ? order by sequence limit ?)"
            )
            with self._transaction():
                limit = min(through, self.head.sequence - 1)
                deleted = self._db.execute(query, [limit, records]).rowcount
            give_back(self._db.conn, pages=records)
            return int(deleted)

        return self._do("purge", delete)

    def free_bytes(self) -> int:
        """Bytes in the file that hold nothing. Raises: JournalError."""
        return self._do("read", lambda: free_bytes(self._db.conn))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _open(self) -> None:
        """Open the file as it is. Raises: JournalDamage; OSError, sqlite3.Error, which may say the same."""
        finish(self.path)
        wal = self.path.with_name(f"{self.path.name}-wal")
        clean = not wal.exists() or wal.stat().st_size == 0
        if self.path.is_file():
            assert_wal_sound(self.path)
        self._trusted_time, self._time_looked_for = None, False
        self._db = Database(connect(self.path))
        try:
            self.shrinks = prepare(self._db.conn, max(1, self._quota // PAGE_SIZE))
            self.head, verified = verified_tail(
                self._db.conn, clean=clean, through=self.receipt().through if self._receipt else 0
            )
        except BaseException:
            self._db.close()
            raise
        self.opened = Opened(self.head.sequence, verified, clean)
        log.info(
            "journal %s: %d records, closed %s, the newest %d verified",
            self.path, self.head.sequence, "properly" if clean else "by a crash", verified,
        )  # fmt: skip

    def receipt(self) -> Receipt:
        """Central's receipt as the sync daemon wrote it last."""
        return Receipt.load(self._receipt) if self._receipt else Receipt()

    def _do(self, doing: str, action: Callable[[], T]) -> T:
        """`action`, under the lock; again if the journal had to be recovered for it. Raises: JournalError."""
        with self._lock:
            if self._damage:
                if time.monotonic() < self._repair_at:
                    raise JournalError(str(self._damage))
                self._repair(self._damage)
            try:
                with self._errors(doing):
                    return action()
            except JournalDamage as damage:
                self._repair(damage)
            with self._errors(doing):
                return action()

    def _repair(self, damage: JournalDamage) -> None:
        """Recover the file and open the new one. Raises: JournalError when that is not possible now."""
        log.error("%s; recovering what can be read", damage)
        self._damage = damage
        started = time.monotonic()
        try:
            with self._errors("recover"):
                # Not again when only opening the new file failed: it is sound, and a copy of it takes room.
                self._recovery = self._recovery or recover(
                    self.path, str(damage.args[0]), self._owner, self.receipt()
                )
                # The old connection sees that its file is another by now, and leaves the log alone.
                if hasattr(self, "_db"):
                    self._db.close()
                self._open()
        except JournalError as error:
            if isinstance(error, JournalDamage):
                self._recovery = None
            now = time.monotonic()
            self._repair_at = now + max(_REPAIR_AGAIN, 5 * (now - started))
            raise JournalError(f"{damage}; {error}") from error
        recovery, self._damage, self._recovery = self._recovery, None, None
        self.opened = replace(self.opened, recovered=recovery)
        log.error(
            "%s was damaged and is set aside as %s: %d records recovered, lost: %s",
            self.path, recovery.set_aside, recovery.recovered,
            ", ".join(f"{first} to {last}" for first, last in recovery.lost) or "none",
        )  # fmt: skip

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

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except JournalDamage as error:
            raise JournalDamage(f"{self.path}: {error}") from error
        except (sqlite3.Error, CampusgateError, OSError) as error:
            if isinstance(error, JournalError):
                raise
            kind = JournalDamage if is_damage(error) else JournalError
            raise kind(f"{self.path}: cannot {doing} the journal: {error}") from error
