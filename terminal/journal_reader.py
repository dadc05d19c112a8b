"""The sync daemon's view of the journal. It opens the file anew each time, because that may be replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.errors import CampusgateError
from terminal.events import FIRST_DIGEST, Event, parse_event
from terminal.journal_file import JournalError, assert_chained


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

    def chained_after(self, sequence: int, *, records: int, size: int) -> list[Event]:
        """As `after`, each seen to be what the record after it names: one that the disk altered never leaves.

        Raises: JournalError, also when one is not; the terminal finds and mends that.
        """
        events = self.after(sequence, records=records, size=size)
        following = self.after(events[-1].sequence, records=1, size=1) if events else []
        chained = [*events, *following]
        try:
            assert_chained(chained, chained[-1].first if chained else 0)
        except JournalError as damage:
            raise JournalError(f"{self._path}: {damage}") from damage
        return events

    def digest(self, sequence: int) -> str | None:
        """The digest of the record `sequence`, or None when it is not there. Raises: JournalError."""
        if sequence == 0:
            return FIRST_DIGEST
        events = self.after(sequence - 1, records=1, size=1)
        return events[0].digest if events and events[0].sequence == sequence else None

    def fits(self, sequence: int, digest: str) -> bool:
        """Whether `digest` is what the record `sequence` may have; never for one that was not written.

        Raises: JournalError when the journal cannot be read.
        """
        if sequence == 0:
            return digest == FIRST_DIGEST
        events = self.after(sequence - 1, records=1, size=1)
        return bool(events) and events[0].fits(sequence, digest)

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
