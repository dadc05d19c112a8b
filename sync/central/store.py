"""Central's database: every record exactly once, by (device, sequence), and the way to devices and people.

Sealed records are stored as they came; opening one takes central's private key and is left to whoever is
authorised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sync.central.claims import Claims
from sync.central.clock_anchors import corrections
from sync.central.database import Database, read_meta, settled, write_meta
from sync.central.device_orders import DeviceOrders
from sync.central.devices import Devices
from sync.central.ingest import Lane
from sync.central.intake import Taken, ingest
from sync.central.people import People
from sync.central.tables import alarm, device, record, span
from sync.protocol import BatchReceipt
from terminal.events import Event, parse_event
from terminal.person import Person


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it lies at central. identity: rises with every record that arrives."""

    identity: int
    received_at: str
    event: Event


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """Something that must not be, at a device's record `sequence`. evidence: the text of its event."""

    device: str
    sequence: int
    kind: str
    raised_at: str
    evidence: str


class Store:
    """Central's database at the SQLAlchemy `url`, made or brought up to date when it is not.

    devices, roster, claims, orders: the same database's terminals, people, claim codes, commands.
    Raises: SettingsError when a newer campusgate made it, or PostgreSQL's driver is missing; DatabaseDown.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.devices = Devices(self._database)
        self.roster = People(self._database)
        self.claims = Claims(self._database)
        self.orders = DeviceOrders(self._database)

    def close(self) -> None:
        """Let all connections go."""
        self._database.close()

    def register(self, name: str, public_key_pem: str) -> None:
        """Take batches from the device `name` from now on. Raises: KeyFileError, DeviceError."""
        self.devices.register(name, public_key_pem)

    def ingest(self, name: str, events: Sequence[Event], lane: Lane = Lane.MAIN) -> BatchReceipt:
        """Store what is new of `events` of the device `name`, in one durable transaction.

        Raises: Gap, DatabaseDown; nothing of the batch is stored then.
        """
        return ingest(self._database, name, events, lane).receipt

    def take(self, name: str, events: Sequence[Event], lane: Lane) -> Taken:
        """As `ingest`, with the counts for the metrics."""
        return ingest(self._database, name, events, lane)

    def records(self, *, after: int = 0, limit: int = 500) -> list[Stored]:
        """Records in order of arrival, those after the identity `after`, at most `limit`.

        Paging by identity misses none, however many receivers there are.
        """
        with self._database.begin() as db:
            settled_id = settled(db)
        query = sa.select(record).where(record.c.id > after, record.c.id <= settled_id)
        with self._database.connect() as db:
            rows = db.execute(query.order_by(record.c.id).limit(limit)).all()
        return [Stored(row.id, row.received_at, parse_event(row.event)) for row in rows]

    def alarms(self) -> Iterator[StoredAlarm]:
        """Every alarm with its evidence, in the order in which they were raised."""
        with self._database.connect() as db:
            for row in db.execute(sa.select(alarm).order_by(alarm.c.id)):
                yield StoredAlarm(row.device, row.sequence, row.kind, row.raised_at, row.evidence)

    def missing(self) -> int:
        """How many records central lacks although it has later ones of the same device."""
        query = (
            sa.select(sa.func.max(span.c.through), sa.func.sum(span.c.through - span.c.first + 1))
            .add_columns(device.c.through)
            .join(device, device.c.name == span.c.device)
            .group_by(device.c.name, device.c.through)
        )
        with self._database.connect() as db:
            return sum(int(last - through - there) for last, there, through in db.execute(query))

    def corrections(self, stored: Sequence[Stored]) -> Mapping[tuple[str, int], Mapping[str, str]]:
        """See `clock_anchors.corrections`."""
        with self._database.connect() as db:
            return corrections(db, [one.event for one in stored])

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
