"""Central's database: every record exactly once, by (device, sequence), and the way to devices and people.

Sealed records are stored as they came; opening one takes central's private key and is left to whoever is
authorised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from config.errors import CampusgateError
from sync.central.claims import Claims
from sync.central.database import Database, alarm, device, read_meta, record, write_meta
from sync.central.devices import Devices
from sync.central.people import People
from sync.protocol import BatchReceipt, Refused
from terminal.events import Event, parse_event
from terminal.person import Person


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
    """Central's database at the SQLAlchemy `url`, its tables made when they are missing.

    devices, roster, claims: the same database's terminals, people and claim codes.
    Raises: SettingsError when a newer campusgate made it.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.devices = Devices(self._database)
        self.roster = People(self._database)
        self.claims = Claims(self._database)

    def close(self) -> None:
        """Let all connections go."""
        self._database.close()

    def register(self, name: str, public_key_pem: str) -> None:
        """Take batches from the device `name` from now on. Raises: KeyFileError, DeviceError."""
        self.devices.register(name, public_key_pem)

    def ingest(self, name: str, events: Sequence[Event]) -> BatchReceipt:
        """Store what is new of `events`, in one durable transaction.

        A record that is here already is left alone; another one under the same number is an alarm, kept as
        evidence and refused. A broken chain is an alarm too, but the record is kept. Raises: Gap.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        refused: list[Refused] = []
        with self._database.begin() as db:
            row = db.execute(
                sa.select(device.c.through, device.c.digest).where(device.c.name == name).with_for_update()
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
                        "device": name,
                        "sequence": event.sequence,
                        "digest": event.digest,
                        "event": event.text,
                        "received_at": now,
                    }
                )
            if new:
                db.execute(sa.insert(record), new)
                advanced = sa.update(device).where(device.c.name == name)
                db.execute(advanced.values(through=through, digest=digest))
        return BatchReceipt(device=name, through=through, digest=digest, refused=refused)

    def records(self, *, after: int = 0, limit: int = 500) -> list[Stored]:
        """Records in order of arrival, those after the identity `after`, at most `limit`."""
        query = sa.select(record).where(record.c.id > after).order_by(record.c.id).limit(limit)
        with self._database.connect() as db:
            rows = db.execute(query).all()
        return [Stored(row.id, row.received_at, parse_event(row.event)) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many records and alarms there are."""
        with self._database.connect() as db:
            return {
                table.name: int(db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
                for table in (record, alarm)
            }

    def put_people(self, people: Sequence[Person]) -> None:
        """Add `people`; whoever is known by that number already is replaced."""
        self.roster.put(people)

    def people(self) -> Iterator[Person]:
        """Everyone, by number."""
        return self.roster.all()

    def person(self, subject: str) -> Person | None:
        """The person with that number, or None."""
        return self.roster.get(subject)

    def note(self, name: str) -> str:
        """What was noted under `name` by `set_note`; "" when nothing was."""
        with self._database.connect() as db:
            return read_meta(db, name) or ""

    def set_note(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        with self._database.begin() as db:
            write_meta(db, name, value)


def _digest(db: sa.Connection, event: Event) -> str | None:
    query = sa.select(record.c.digest).where(
        record.c.device == event.device, record.c.sequence == event.sequence
    )
    return db.execute(query).scalar_one_or_none()


def _raise(db: sa.Connection, event: Event, kind: str, now: str) -> None:
    """Keep `event` as evidence, once: a terminal that sends it again and again adds nothing."""
    evidence = {"device": event.device, "sequence": event.sequence, "kind": kind, "evidence": event.text}
    known = sa.select(alarm.c.id).where(*(alarm.c[name] == value for name, value in evidence.items()))
    if db.execute(known).first() is None:
        db.execute(sa.insert(alarm).values(**evidence, raised_at=now))
