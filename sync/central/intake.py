"""Central's intake: what `ingest.take` makes of a batch, done to the database in one durable transaction.

The device's row is locked from reading what is known to the commit, so that any number of receivers may take
batches of one device at the same time. That also makes it known which rows are new, so PostgreSQL gets them
by a plain COPY; that (device, sequence) is unique is the last guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sync import protocol
from sync.central.clock_anchors import learn
from sync.central.database import Database, arriving
from sync.central.ingest import Alarm, Kept, Known, Lane, Outcome, Span, take
from sync.central.tables import alarm, device, record, span
from sync.protocol import BatchReceipt
from terminal.events import FIRST_DIGEST, LOST, Event, parse_event

_COLUMNS = "device, sequence, digest, event, received_at"
_LOOKED_UP = 1000  # numbers in one query
_ESCAPE, _ESCAPED = "\\", "\\\\"  # in COPY's text format


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: the receipt, and the counts for the metrics. alarms: their kinds."""

    receipt: BatchReceipt
    records: int
    duplicates: int
    alarms: tuple[str, ...]


def ingest(database: Database, name: str, events: Sequence[Event], lane: Lane) -> Taken:
    """Store what is new of `events` of the device `name`. Raises: Gap, DatabaseDown."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with database.begin() as db:
        known = _known(db, name)
        outcome = take(known, events, _stored(db, name, known.covered(events)), lane)
        raised = [one for one in outcome.alarms if _raise(db, name, one, now)]
        if outcome.found:
            gone = record.c.device == name, record.c.sequence.in_(outcome.found)
            db.execute(sa.delete(record).where(*gone))
        if outcome.new:
            _insert(db, name, outcome, now)
            learn(db, [event for event, _ in outcome.new])
        if outcome.known != known:
            _save(db, name, known, outcome.known)
    whole, live = outcome.known.whole, outcome.live
    receipt = BatchReceipt(
        device=name,
        through=whole.through,
        digest=whole.digest,
        live=live and protocol.Span(first=live.first, through=live.through, digest=live.digest),
        refused=list(outcome.refused),
    )
    return Taken(receipt, len(outcome.new), outcome.duplicates, tuple(one.kind for one in raised))


def _known(db: sa.Connection, name: str) -> Known:
    of_device = sa.select(device.c.through, device.c.digest, device.c.chained).where(device.c.name == name)
    row = db.execute(of_device.with_for_update()).one()
    whole = Span(1, row.through, FIRST_DIGEST, row.digest, row.chained or row.digest)
    # Not in one query with the row above: it would see the spans as they were before it waited for the lock.
    ahead = db.execute(sa.select(span).where(span.c.device == name).order_by(span.c.first)).all()
    return Known(
        whole,
        tuple(Span(r.first, r.through, r.previous, r.digest, r.chained, r.opening) for r in ahead),
    )


def _stored(db: sa.Connection, name: str, numbers: Sequence[int]) -> dict[int, Kept]:
    found: dict[int, Kept] = {}
    lost = record.c.event.contains(f'"type":"{LOST}"')  # canonical JSON: it cannot stand inside a text
    for start in range(0, len(numbers), _LOOKED_UP):
        query = sa.select(record.c.sequence, record.c.digest, sa.case((lost, record.c.event), else_=""))
        some = record.c.sequence.in_(numbers[start : start + _LOOKED_UP])
        for number, digest, text in db.execute(query.where(record.c.device == name, some)):
            found[number] = Kept.of(parse_event(text), digest) if text else Kept(digest)
    return found


def _raise(db: sa.Connection, name: str, raised: Alarm, now: str) -> bool:
    """Keep the evidence, once: a terminal that sends it again and again adds nothing."""
    values = {"device": name, "sequence": raised.sequence, "kind": raised.kind, "evidence": raised.evidence}
    same = (alarm.c[column] == value for column, value in values.items())
    if db.execute(sa.select(alarm.c.id).where(*same)).first() is not None:
        return False
    db.execute(sa.insert(alarm).values(**values, raised_at=now))
    return True


def _insert(db: sa.Connection, name: str, outcome: Outcome, now: str) -> None:
    if db.dialect.name == "sqlite":
        rows = [(name, event.sequence, digest, event.text, now) for event, digest in outcome.new]
        db.exec_driver_sql(f"insert into record ({_COLUMNS}) values (?, ?, ?, ?, ?)", rows)  # noqa: S608
        return
    arriving(db)
    # Canonical JSON has no raw control characters: of what COPY's text format escapes, only backslashes.
    lines = [
        f"{name}\t{event.sequence}\t{digest}\t{event.text.replace(_ESCAPE, _ESCAPED)}\t{now}\n"
        for event, digest in outcome.new
    ]
    driver: Any = db.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"copy record ({_COLUMNS}) from stdin") as copy:
        copy.write("".join(lines).encode())


def _save(db: sa.Connection, name: str, before: Known, now: Known) -> None:
    whole = now.whole
    if whole != before.whole:
        chained = None if whole.chained == whole.digest else whole.chained
        advanced = {"through": whole.through, "digest": whole.digest, "chained": chained}
        db.execute(sa.update(device).where(device.c.name == name).values(advanced))
    if now.ahead != before.ahead:
        db.execute(sa.delete(span).where(span.c.device == name))
        if now.ahead:
            db.execute(
                sa.insert(span),
                [
                    {
                        "device": name,
                        "first": one.first,
                        "through": one.through,
                        "previous": one.previous,
                        "digest": one.digest,
                        "chained": one.chained,
                        "opening": one.opening,
                    }
                    for one in now.ahead
                ],
            )
