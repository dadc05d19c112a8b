"""Terminals at central: which keys sign for them, which are to be renewed, which are lost.

A terminal's key is renewed without a gap: the next key is accepted beside the present one until it is first
used, and only then takes its place, so a terminal that dies at any moment in between still has a key that
central knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError
from config.keys import parse_public, public_pem
from sync.central.database import Database, upsert
from sync.central.tables import device, device_trust
from terminal.events import FIRST_DIGEST


class DeviceStatus(StrEnum):
    """What central thinks of a device by some name."""

    ACTIVE = "active"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class DeviceError(CampusgateError, ValueError):
    """Raised when a device is unknown or revoked, or its key cannot be renewed now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What central knows of a device that signed something.

    keys: those that may sign for it, the present one first; none when it is unknown. rotate: whether it was
    asked for a new key and has not used one yet.
    """

    name: str
    status: DeviceStatus
    keys: tuple[Ed25519PublicKey, ...] = ()
    rotate: bool = False


class Devices:
    """All terminals that were ever registered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, public_key_pem: str) -> None:
        """Take batches from `name` from now on.

        Raises: KeyFileError for a malformed key; DeviceError when that device is revoked.
        """
        parse_public(public_key_pem, Ed25519PublicKey, source=name)
        with self._database.begin() as db:
            if _status(db, name) is DeviceStatus.REVOKED:
                raise DeviceError(f"{name} is revoked; give the new terminal a name of its own")
            known = db.execute(sa.select(device.c.name).where(device.c.name == name)).first()
            if known:
                db.execute(sa.update(device).where(device.c.name == name).values(public_key=public_key_pem))
                db.execute(sa.delete(device_trust).where(device_trust.c.name == name))
            else:
                row = {"name": name, "public_key": public_key_pem, "through": 0, "digest": FIRST_DIGEST}
                db.execute(sa.insert(device).values(row))

    def standing(self, name: str) -> Standing:
        """What is known of `name`, in one look."""
        joined = sa.outerjoin(device, device_trust, device.c.name == device_trust.c.name)
        columns = (
            device.c.public_key,
            device_trust.c.next_key,
            device_trust.c.revoked_at,
            device_trust.c.rotate,
        )
        query = sa.select(*columns).select_from(joined).where(device.c.name == name)
        with self._database.connect() as db:
            row = db.execute(query).first()
        if row is None:
            return Standing(name, DeviceStatus.UNKNOWN)
        keys = tuple(
            parse_public(pem, Ed25519PublicKey, source=name) for pem in (row.public_key, row.next_key) if pem
        )
        status = DeviceStatus.REVOKED if row.revoked_at else DeviceStatus.ACTIVE
        return Standing(name, status, keys, bool(row.rotate))

    def keys(self, name: str) -> tuple[Ed25519PublicKey, ...]:
        """The keys that may sign for `name`, the present one first; none when unknown. Revoked ones too."""
        return self.standing(name).keys

    def trusted_keys(self, name: str) -> tuple[Ed25519PublicKey, ...]:
        """As `keys`, but none of a device that is revoked."""
        standing = self.standing(name)
        return standing.keys if standing.status is DeviceStatus.ACTIVE else ()

    def all(self) -> dict[str, DeviceStatus]:
        """Every device and its status, by name."""
        with self._database.connect() as db:
            names = db.execute(sa.select(device.c.name).order_by(device.c.name)).scalars().all()
            return {name: _status(db, name) for name in names}

    def status(self, name: str) -> DeviceStatus:
        """Whether what the device `name` signs counts."""
        with self._database.connect() as db:
            return _status(db, name)

    def revoke(self, name: str) -> None:
        """Take nothing from `name` any more; what it sent before stays. Raises: DeviceError."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._trust(name, rotate=False, next_key="", revoked_at=now)

    def rotate(self, name: str) -> None:
        """Ask `name` for a new key, in its next receipt. Raises: DeviceError."""
        self._trust(name, rotate=True, next_key="", revoked_at="")

    def rotation_due(self, name: str) -> bool:
        """Whether `name` was asked for a new key and has not used one yet."""
        query = sa.select(device_trust.c.rotate).where(device_trust.c.name == name)
        with self._database.connect() as db:
            return bool(db.execute(query).scalar_one_or_none())

    def offer(self, name: str, key: Ed25519PublicKey) -> None:
        """Accept `key` beside the present one from now on; offered again, nothing changes.

        Raises: DeviceError when no new key was asked for, or another one was offered before.
        """
        pem = public_pem(key)
        with self._database.begin() as db:
            row = db.execute(sa.select(device_trust).where(device_trust.c.name == name)).first()
            current = db.execute(sa.select(device.c.public_key).where(device.c.name == name)).scalar_one()
            if pem == current:
                return
            if row is None or not row.rotate:
                raise DeviceError(f"no new key of {name} was asked for")
            if row.next_key not in ("", pem):
                raise DeviceError(f"another new key of {name} is waiting; ask for a new one again")
            db.execute(sa.update(device_trust).where(device_trust.c.name == name).values(next_key=pem))

    def used(self, name: str, key: Ed25519PublicKey) -> None:
        """Note that `key` has signed for `name`: the next key takes over when it is first used."""
        pem = public_pem(key)
        took_over = sa.and_(device_trust.c.name == name, device_trust.c.next_key == pem)
        with self._database.connect() as db:
            if db.execute(sa.select(device_trust.c.name).where(took_over)).first() is None:
                return
        with self._database.begin() as db:
            done = db.execute(sa.update(device_trust).where(took_over).values(next_key="", rotate=False))
            if done.rowcount:
                db.execute(sa.update(device).where(device.c.name == name).values(public_key=pem))

    def _trust(self, name: str, *, rotate: bool, next_key: str, revoked_at: str) -> None:
        row = {"name": name, "rotate": rotate, "next_key": next_key, "revoked_at": revoked_at}
        with self._database.begin() as db:
            status = _status(db, name)
            if status is DeviceStatus.UNKNOWN:
                raise DeviceError(f"no device is registered as {name}")
            if status is DeviceStatus.REVOKED:
                raise DeviceError(f"{name} is revoked already")
            upsert(db, device_trust, [row])


def _status(db: sa.Connection, name: str) -> DeviceStatus:
    joined = sa.outerjoin(device, device_trust, device.c.name == device_trust.c.name)
    query = sa.select(device.c.name, device_trust.c.revoked_at).select_from(joined)
    row = db.execute(query.where(device.c.name == name)).first()
    if row is None:
        return DeviceStatus.UNKNOWN
    return DeviceStatus.REVOKED if row.revoked_at else DeviceStatus.ACTIVE
