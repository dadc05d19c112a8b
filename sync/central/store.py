"""Central's database: devices, people, and every record exactly once, by (device, sequence).

SQLAlchemy Core; SQLite by default. Sealed records are stored as they came; opening one takes central's
private key and is left to whoever is authorised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError
from config.keys import parse_public
from sync.protocol import BatchReceipt, Refused
from terminal.person import Person, PersonKind, Status
from terminal.records import FIRST_DIGEST, Event, parse_event

_schema = sa.MetaData()
_device = sa.Table(
    "device",
    _schema,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)
_record = sa.Table(
    "record",
    _schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("received_at", sa.String(32), nullable=False),
    sa.UniqueConstraint("device", "sequence"),
)
_alarm = sa.Table(
    "alarm",
    _schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("raised_at", sa.String(32), nullable=False),
)
_person = sa.Table(
    "person",
    _schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("phone_key", sa.String(66), nullable=False),  # compressed point as hex, or ""
)


class Gap(CampusgateError, ValueError):
    """Raised when a batch begins after records that central lacks; `expected` is the first of them."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(f"record {expected} and those after it come first")


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it lies at central. identity: rises with every record that arrives."""

    identity: int
    received_at: str
    event: Event


class Store:
    """Central's database at the SQLAlchemy `url`, its tables made when they are missing."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _durable)
            sa.event.listen(self._engine, "begin", _immediate)
        _schema.create_all(self._engine)

    def close(self) -> None:
        """Let all connections go."""
        self._engine.dispose()

    def register(self, device: str, public_key_pem: str) -> None:
        """Take batches from `device` from now on. Raises: KeyFileError for a malformed key."""
        parse_public(public_key_pem, Ed25519PublicKey, source=device)
        with self._engine.begin() as db:
            known = db.execute(sa.select(_device.c.name).where(_device.c.name == device)).first()
            if known:
                db.execute(
                    sa.update(_device).where(_device.c.name == device).values(public_key=public_key_pem)
                )
            else:
                row = {"name": device, "public_key": public_key_pem, "through": 0, "digest": FIRST_DIGEST}
                db.execute(sa.insert(_device).values(row))

    def device_keys(self) -> dict[str, Ed25519PublicKey]:
        """The public key of every registered device."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(_device.c.name, _device.c.public_key)).all()
        return {name: parse_public(pem, Ed25519PublicKey, source=name) for name, pem in rows}

    def ingest(self, device: str, events: Sequence[Event]) -> BatchReceipt:
        """Store what is new of `events`, in one durable transaction.

        A record that is here already is left alone; another one under the same number is an alarm, kept as
        evidence and refused. A broken chain is an alarm too, but the record is kept. Raises: Gap.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        refused: list[Refused] = []
        with self._engine.begin() as db:
            row = db.execute(
                sa.select(_device.c.through, _device.c.digest)
                .where(_device.c.name == device)
                .with_for_update()
            ).one()
            through, digest = int(row.through), str(row.digest)
            new: list[dict[str, Any]] = []
            for event in sorted(events, key=lambda e: e.sequence):
                if event.sequence <= through:
                    known = {r["sequence"]: r["digest"] for r in new}.get(event.sequence) or _digest(
                        db, event
                    )
                    if known != event.digest:
                        refused.append(Refused(sequence=event.sequence, reason="fork"))
                        _raise(db, event, "fork", now)
                    continue
                if event.sequence > through + 1:
                    raise Gap(through + 1)
                if event.previous != digest:
                    _raise(db, event, "chain", now)
                through, digest = event.sequence, event.digest
                new.append(
                    {
                        "device": device,
                        "sequence": event.sequence,
                        "digest": event.digest,
                        "event": event.text,
                        "received_at": now,
                    }
                )
            if new:
                db.execute(sa.insert(_record), new)
                advanced = sa.update(_device).where(_device.c.name == device)
                db.execute(advanced.values(through=through, digest=digest))
        return BatchReceipt(device=device, through=through, digest=digest, refused=refused)

    def records(self, *, after: int = 0, limit: int = 500) -> list[Stored]:
        """Records in order of arrival, those after the identity `after`, at most `limit`."""
        query = sa.select(_record).where(_record.c.id > after).order_by(_record.c.id).limit(limit)
        with self._engine.connect() as db:
            rows = db.execute(query).all()
        return [Stored(row.id, row.received_at, parse_event(row.event)) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many records and alarms there are."""
        with self._engine.connect() as db:
            return {
                table.name: int(db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
                for table in (_record, _alarm)
            }

    def put_people(self, people: Sequence[Person]) -> None:
        """Add `people`; whoever is known by that number already is replaced."""
        rows = [
            {
                "subject": person.subject,
                "name": person.name,
                "kind": str(person.kind),
                "status": str(person.status),
                "phone_key": person.keys[0].hex() if person.keys else "",
            }
            for person in people
        ]
        with self._engine.begin() as db:
            db.execute(sa.delete(_person).where(_person.c.subject == sa.bindparam("b_subject")), _keyed(rows))
            db.execute(sa.insert(_person), rows)

    def people(self) -> Iterator[Person]:
        """Everyone, by number."""
        with self._engine.connect() as db:
            for row in db.execute(sa.select(_person).order_by(_person.c.subject)):
                keys = (bytes.fromhex(row.phone_key),) if row.phone_key else ()
                yield Person(row.subject, row.name, PersonKind(row.kind), Status(row.status), keys)

    def person(self, subject: str) -> Person | None:
        """The person with that number, or None."""
        return next((person for person in self.people() if person.subject == subject), None)


def _keyed(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{"b_subject": row["subject"]} for row in rows]


def _digest(db: sa.Connection, event: Event) -> str | None:
    query = sa.select(_record.c.digest).where(
        _record.c.device == event.device, _record.c.sequence == event.sequence
    )
    return db.execute(query).scalar_one_or_none()


def _raise(db: sa.Connection, event: Event, kind: str, now: str) -> None:
    """Keep `event` as evidence, once: a terminal that sends it again and again adds nothing."""
    alarm = {"device": event.device, "sequence": event.sequence, "kind": kind, "evidence": event.text}
    known = sa.select(_alarm.c.id).where(*(_alarm.c[name] == value for name, value in alarm.items()))
    if db.execute(known).first() is None:
        db.execute(sa.insert(_alarm).values(**alarm, raised_at=now))


def _durable(connection: Any, _record: Any) -> None:
    # A receipt lets terminals forget: what it covers must survive a power cut here too.
    connection.isolation_level = None  # SQLAlchemy's "begin" event below starts transactions
    for pragma in ("journal_mode = wal", "synchronous = full", "busy_timeout = 10000", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")


def _immediate(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would otherwise fail when another wrote in between.
    connection.exec_driver_sql("begin immediate")
