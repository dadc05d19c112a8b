"""What of a damaged journal goes into the new one.

A row is believed if it is an event of this device under its own number and the next record names its digest.
What is gone becomes LOST events in its place; a report of the damage is the last record.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from hw.clock import SystemClock
from terminal.events import FIRST_DIGEST, Event, RecordError, lost, parse_event
from terminal.journal_memos import FOR_GOOD
from terminal.journal_pages import PageSource, Row
from terminal.receipt import Receipt
from terminal.records import DamageRecord, seal

_LEAP = 1000  # numbers left out, at least, when it is not known how many were used
_BLIND_LEAP = 1_000_000  # when there is not one record to go by
_ROWS_A_PAGE = 16  # no page holds as many records
_RANGES_TOLD = 100  # in the report


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a damaged journal. lost: ranges of numbers that are gone and that central lacks."""

    set_aside: str
    what: str
    recovered: int
    lost: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose journal it is: what a new record in it needs."""

    device: str
    place: str
    central_key: X25519PublicKey


@dataclass
class _Chain:
    """The records that are believed, found from the newest down. gaps: (last before, first after) or None."""

    newest: Event | None = None
    oldest: Event | None = None
    time: datetime | None = None  # of the newest that bounds the clock
    believed: int = 0
    gaps: list[tuple[Event | None, Event]] = field(default_factory=list)


class Salvage:
    """Fills the new journal `db` from the pages of the old one."""

    def __init__(self, db: sqlite3.Connection, source: PageSource, owner: Owner, receipt: Receipt) -> None:
        self._db, self._source, self._owner, self._receipt = db, source, owner, receipt
        self._heads: list[tuple[int, str]] = []
        db.execute("create temp table rival (sequence integer, event text)")
        db.execute("create index temp.rival_sequence on rival (sequence)")

    def run(self, what: str, aside: str) -> Recovery:
        """Fill it. what: the damage as it was noticed. aside: the name that the old file gets."""
        for row in self._source.rows(old=True):
            self._take(row)
        for row in self._source.rows(old=False):
            self._take_memo(row)
        heads = [head for head in self._heads if head[0] <= self._most_used()]
        head = max(heads, default=None)
        chain = self._chain(head)
        if head and (not self._source.wal_whole or (chain.newest and head[0] < chain.newest.sequence)):
            head = None  # one from before the damage
        at = SystemClock(chain.time or datetime.min.replace(tzinfo=UTC)).now()
        gone = self._fill(chain, head)
        events = [
            lost(
                self._owner.device, first, last,
                previous=previous, resumes=resumes, at=at.wall, trusted=at.trusted,
            )
            for first, last, previous, resumes in gone
        ]  # fmt: skip
        newest = max((*events, *([chain.newest] if chain.newest else [])), key=_sequence, default=None)
        through = self._believed_receipt(chain)
        last = max(newest.sequence if newest else 0, through.through)
        previous = newest.chained if newest and newest.sequence == last else through.digest
        ranges = tuple((event.first, event.sequence) for event in events)
        report = DamageRecord(
            str(uuid.uuid4()), at.wall, at.trusted, self._owner.place, aside, what,
            self._source.pages + len(self._source.frames), chain.believed, ranges[-_RANGES_TOLD:], at.basis,
        )  # fmt: skip
        reported = seal(
            report, device=self._owner.device, sequence=last + 1, previous=previous,
            key=self._owner.central_key,
        )  # fmt: skip
        for event in (*events, reported):
            self._db.execute("insert into entry values (?, ?)", [event.sequence, event.text])
        self._db.execute("update head set sequence = ?, digest = ?", [reported.sequence, reported.digest])
        return Recovery(aside, what, chain.believed, ranges)

    def _take(self, row: Row) -> None:
        """Take `row` as a candidate if it looks like a record or like the head."""
        match row:
            case Row(int(rowid), (None, str(text))):
                event = _event(text)
                if event and event.sequence == rowid and event.device == self._owner.device:
                    self._take_event(event)
            case Row(1, (None, int(sequence), str(digest))) if sequence >= 0 and len(digest) == 64:
                self._heads.append((sequence, digest))

    def _take_event(self, event: Event) -> None:
        new = self._db.execute("insert or ignore into entry values (?, ?)", [event.sequence, event.text])
        if new.rowcount:
            return
        known = "select 1 from entry where sequence = ?1 and event = ?2"
        rival = " union all select 1 from temp.rival where sequence = ?1 and event = ?2"
        if not self._db.execute(known + rival, [event.sequence, event.text]).fetchone():
            self._db.execute("insert into temp.rival values (?, ?)", [event.sequence, event.text])

    def _take_memo(self, row: Row) -> None:
        match row:
            case Row(None, (bytes(person), str(what), int(value), int(until))):
                if len(person) == 16 and 0 <= value <= until <= FOR_GOOD:
                    self._db.execute(
                        "insert into memo values (?, ?, ?, ?) on conflict do update"
                        " set value = excluded.value, until = excluded.until where value < excluded.value",
                        [person, what, value, until],
                    )

    def _most_used(self) -> int:
        """A number that no record of a file with these pages can have passed."""
        return max(self._newest(), self._receipt.through) + self._leap()

    def _newest(self) -> int:
        return int(self._db.execute("select max(sequence) from entry").fetchone()[0] or 0)

    def _leap(self) -> int:
        stated = int.from_bytes(self._source.header[28:32], "big")
        pages = max(self._source.pages, len(self._source.frames), stated if stated < 2**24 else 0)
        return max(_LEAP if self._newest() else _BLIND_LEAP, _ROWS_A_PAGE * pages)

    def _chain(self, head: tuple[int, str] | None) -> _Chain:
        """Keep what the chain holds, from the newest down; the rest is deleted."""
        chain, after, drop, swap = _Chain(), None, [], []
        for sequence, text in self._db.execute("select sequence, event from entry order by sequence desc"):
            if after and sequence >= after.first:
                drop.append(sequence)  # inside a range that was lost before
                continue
            candidates = [parse_event(text), *self._rivals(sequence)]
            if after and sequence == after.first - 1:
                event = next((one for one in candidates if one.chained == after.previous), None)
            else:
                event = self._last_of_run(candidates, head)
            if event is None:
                drop.append(sequence)
                continue
            if event.text != text:
                swap.append((event.text, sequence))
            if after and event.sequence != after.first - 1:
                chain.gaps.append((event, after))
            chain.newest = chain.newest or event
            chain.time = chain.time or (event.time if event.raises_floor else None)
            chain.believed += 1
            after = event
        chain.oldest = after
        if after and after.first > 1:
            chain.gaps.append((None, after))
        self._db.executemany("delete from entry where sequence = ?", [(number,) for number in drop])
        self._db.executemany("update entry set event = ? where sequence = ?", swap)
        return chain

    def _last_of_run(self, candidates: list[Event], head: tuple[int, str] | None) -> Event | None:
        """Which of `candidates` to believe when the record after them is gone: the head's, or what follows
        from the one before; if that is gone too, any."""
        for one in candidates:
            if head == (one.sequence, one.chained):
                return one
        for one in candidates:
            before = self._at(one.first - 1)
            if not before or any(other.chained == one.previous for other in before):
                return one
        return None

    def _at(self, sequence: int) -> list[Event]:
        rows = self._db.execute("select event from entry where sequence = ?", [sequence])
        return [*(parse_event(text) for (text,) in rows), *self._rivals(sequence)]

    def _rivals(self, sequence: int) -> Iterator[Event]:
        rows = self._db.execute("select event from temp.rival where sequence = ?", [sequence]).fetchall()
        return (parse_event(text) for (text,) in rows)

    def _believed_receipt(self, chain: _Chain) -> Receipt:
        """The receipt, unless a record that is here says otherwise."""
        receipt = self._receipt
        for event in self._at(receipt.through):
            if receipt.digest not in (event.digest, event.chained):
                return Receipt()
        for event in (one for _, one in chain.gaps if one.first - 1 == receipt.through):
            if event.previous != receipt.digest:
                return Receipt()
        return receipt

    def _fill(self, chain: _Chain, head: tuple[int, str] | None) -> list[tuple[int, int, str, str]]:
        """The ranges that are gone and that central lacks: first, last, `previous` and `resumes` of each."""
        receipt = self._believed_receipt(chain)
        if head and receipt.through > head[0]:
            head = None
        found = []
        for before, after in reversed(chain.gaps):
            edge = (before.sequence, before.chained) if before else (0, FIRST_DIGEST)
            edge = max(edge, (receipt.through, receipt.digest))
            if edge[0] < after.first - 1:
                found.append((edge[0] + 1, after.first - 1, edge[1], after.previous))
        newest = (chain.newest.sequence, chain.newest.chained) if chain.newest else (0, FIRST_DIGEST)
        if receipt.through > newest[0]:
            newest = (receipt.through, receipt.digest)
        if head is None:
            found.append((newest[0] + 1, newest[0] + self._leap(), newest[1], ""))
        elif head[0] > newest[0]:
            found.append((newest[0] + 1, head[0], newest[1], head[1]))
        return found


def _sequence(event: Event) -> int:
    return event.sequence


def _event(text: str) -> Event | None:
    try:
        return parse_event(text)
    except RecordError:
        return None
