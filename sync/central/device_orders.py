"""Orders for terminals at central: commands that expire, and the settings that central may change.

They are published as signed targets, one a terminal (see terminal/orders.py). What became of a command is in
the record that the terminal wrote of it, which takes the record key to open.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.errors import CampusgateError
from config.overlay import check_value
from sync.central.database import Database, upsert
from sync.central.tables import command, device, device_setting, record
from terminal.events import COMMAND, RecordError, parse_event
from terminal.orders import Command, Do, dump_orders
from terminal.records import unseal

MOST_WAITING = 100
"""Commands that may wait for one terminal, so that its document stays small."""


class OrderError(CampusgateError, ValueError):
    """Raised when a command or a setting cannot be given to a terminal; the message says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A command and what central knows of it.

    state: "done", "expired" or "refused", as the terminal's record says; "waiting" while it may still be
    done; "no-word" when it has expired and no record of it has come. details: of the record.
    """

    device: str
    command: Command
    state: str
    reason: str = ""
    at: datetime | None = None
    details: Mapping[str, Any] | None = None


class DeviceOrders:
    """Commands and settings of all terminals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, name: str, do: Do, seconds: int) -> Command:
        """Have the terminal `name` do something within `seconds`. Raises: OrderError."""
        now = int(time.time())
        with self._database.begin() as db:
            _known(db, name)
            waiting = sa.select(sa.func.count()).where(command.c.device == name, command.c.expires_at > now)
            if db.execute(waiting).scalar_one() >= MOST_WAITING:
                raise OrderError(f"{name}: {MOST_WAITING} commands wait for it already; let some expire")
            values = {
                "identity": str(uuid.uuid4()),
                "device": name,
                "do": str(do),
                "issued_at": now,
                "expires_at": now + seconds,
            }
            db.execute(sa.insert(command).values(values))
            issued = db.execute(sa.select(command).where(command.c.identity == values["identity"])).one()
        return _command(issued)

    def settings(self, name: str) -> dict[str, object]:
        """The settings that central has for the terminal `name`. Raises: OrderError."""
        with self._database.connect() as db:
            _known(db, name)
            query = sa.select(device_setting).where(device_setting.c.device == name)
            rows = db.execute(query.order_by(device_setting.c.key)).all()
        return {row.key: json.loads(row.value) for row in rows}

    def set(self, name: str, values: Mapping[str, object]) -> None:
        """Have the terminal `name` use `values`, all or none. Raises: OrderError."""
        for key, value in values.items():
            try:
                check_value(key, value)
            except ValueError as error:
                raise OrderError(str(error)) from error
        rows = [{"device": name, "key": key, "value": json.dumps(value)} for key, value in values.items()]
        with self._database.begin() as db:
            _known(db, name)
            upsert(db, device_setting, rows)

    def unset(self, name: str, keys: list[str]) -> None:
        """Leave `keys` to the terminal's own file again. Raises: OrderError when one was not set."""
        with self._database.begin() as db:
            _known(db, name)
            for key in keys:
                gone = sa.delete(device_setting).where(
                    device_setting.c.device == name, device_setting.c.key == key
                )
                if not db.execute(gone).rowcount:
                    raise OrderError(f"{key}: is not set for {name}")

    def documents(self) -> dict[str, bytes]:
        """The document of every terminal that there are settings or commands for that can still be done."""
        commands: dict[str, list[Command]] = defaultdict(list)
        settings: dict[str, dict[str, object]] = defaultdict(dict)
        with self._database.connect() as db:
            live = sa.select(command).where(command.c.expires_at > int(time.time()))
            for row in db.execute(live.order_by(command.c.number)):
                commands[row.device].append(_command(row))
            for row in db.execute(sa.select(device_setting)):
                settings[row.device][row.key] = json.loads(row.value)
        names = sorted(commands.keys() | settings.keys())
        return {name: dump_orders(name, commands[name], settings[name]) for name in names}

    def issued(self, key: X25519PrivateKey, name: str = "") -> list[Issued]:
        """All commands, or those of the terminal `name`, as issued. key: central's private record key."""
        now = int(time.time())
        ours = sa.true() if not name else command.c.device == name
        with self._database.connect() as db:
            if name:
                _known(db, name)
            rows = db.execute(sa.select(command).where(ours).order_by(command.c.number)).all()
            reports = _reports(db, key, {row.device for row in rows})
        found = []
        for row in rows:
            one = _command(row)
            at, said = reports.get((row.device, row.identity), (None, None))
            if said is None:
                found.append(Issued(row.device, one, "waiting" if row.expires_at > now else "no-word"))
                continue
            details = said.get("details")
            found.append(
                Issued(
                    row.device,
                    one,
                    str(said.get("outcome")),
                    str(said.get("reason", "")),
                    at,
                    details if isinstance(details, dict) else None,
                )
            )
        return found


_Report = tuple[datetime | None, Mapping[str, Any] | None]


def _reports(db: sa.Connection, key: X25519PrivateKey, devices: set[str]) -> dict[tuple[str, str], _Report]:
    """What the records of `devices` say of commands, by terminal and id; of several the first."""
    found: dict[tuple[str, str], _Report] = {}
    query = sa.select(record.c.event).where(
        record.c.device.in_(devices), record.c.event.contains(f'"type":"{COMMAND}"')
    )
    for (text,) in db.execute(query.order_by(record.c.id)):
        try:
            event = parse_event(text)
            said = unseal(event, key)
        except RecordError:  # a terminal that seals nonsense hides its own records, nobody else's
            continue
        found.setdefault((event.device, str(said.get("command"))), (event.time, said))
    return found


def _command(row: sa.Row[Any]) -> Command:
    times = (datetime.fromtimestamp(seconds, UTC) for seconds in (row.issued_at, row.expires_at))
    return Command(row.identity, row.do, *times)


def _known(db: sa.Connection, name: str) -> None:
    if db.execute(sa.select(device.c.name).where(device.c.name == name)).first() is None:
        raise OrderError(f"no terminal {name!r} is registered; see `campusgate central devices`")
