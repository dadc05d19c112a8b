"""The quarantine: records that central will not store, kept here durably with the reason.

A SQLite file of the sync daemon's own. A refusal is in it before the receipt that names it is believed, and
stays: nobody but a person deletes it. The same refusal again is no second entry.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from sync.faults import Fault, SyncFault
from terminal.events import rfc3339

log = logging.getLogger(__name__)

_MAKE = (
    "create table if not exists refused (sequence integer, reason text, event text, at text,"
    " primary key (sequence, reason, event))"
)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One refusal. event: the record's envelope as it was sent. at: when it came (RFC 3339, UTC)."""

    sequence: int
    reason: str
    event: str
    at: str


class Quarantine:
    """The refusals in the file `path`, which is made with the first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, refusals: Sequence[Quarantined]) -> None:
        """Make `refusals` durable. Raises: SyncFault(QUARANTINE) when they are not."""
        if not refusals:
            return
        try:
            self._write(refusals)
        except sqlite3.OperationalError as error:  # full, locked, read-only: the file itself is sound
            raise self._fault(error) from error
        except sqlite3.DatabaseError:
            self._set_aside()
            try:
                self._write(refusals)
            except sqlite3.Error as error:
                raise self._fault(error) from error

    def count(self) -> int:
        """How many refusals there are. Raises: SyncFault(QUARANTINE)."""
        with self._reading() as db:
            return int(db.execute("select count(*) from refused").fetchone()[0]) if db else 0

    def newest(self, limit: int = 1) -> list[Quarantined]:
        """The newest refusals first, at most `limit`. Raises: SyncFault(QUARANTINE)."""
        with self._reading() as db:
            query = "select sequence, reason, event, at from refused order by rowid desc limit ?"
            return [Quarantined(*row) for row in db.execute(query, [limit])] if db else []

    def _write(self, refusals: Sequence[Quarantined]) -> None:
        db = Database(sqlite3.connect(self._path, isolation_level=None, timeout=5))
        try:
            db.execute("pragma synchronous = full")
            db.execute(_MAKE)
            db.execute("begin immediate")
            for one in refusals:
                row = [one.sequence, one.reason, one.event, one.at]
                db.execute("insert or ignore into refused values (?, ?, ?, ?)", row)
            db.execute("commit")
        finally:
            db.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        if not self._path.exists():
            yield None
            return
        try:
            db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
            try:
                made = db.execute("select 1 from sqlite_master where name = 'refused'").fetchone()
                yield db if made else None
            finally:
                db.close()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _set_aside(self) -> None:
        """Move a damaged file out of the way: it may still be read by a person, so it is not deleted."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        self._path.replace(aside)
        log.error("%s is damaged and was set aside as %s", self._path, aside)

    def _fault(self, error: sqlite3.Error) -> SyncFault:
        return SyncFault(
            Fault.QUARANTINE, f"{self._path}: cannot keep refused records: {error}; check disk and rights"
        )


def quarantined(sequence: int, reason: str, event: str) -> Quarantined:
    """A refusal that came just now."""
    return Quarantined(sequence, reason, event, rfc3339(datetime.now(UTC)))
