"""Central's tables and its connections: SQLAlchemy Core; SQLite by default.

A later version adds tables, never columns, so that a database made by an earlier one is brought up to date
by creating what it lacks. The number in `meta` says which version last did so; a database of a newer
campusgate than this one is refused rather than misread.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from config.errors import SettingsError

SCHEMA_VERSION = 3
_VERSION_NAME = "schema_version"

schema = sa.MetaData()

device = sa.Table(
    "device",
    schema,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)
device_trust = sa.Table(
    "device_trust",
    schema,
    sa.Column("name", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("rotate", sa.Boolean, nullable=False),
    sa.Column("next_key", sa.Text, nullable=False),  # PEM of the key that takes over at its first use, or ""
    sa.Column("revoked_at", sa.String(32), nullable=False),  # or ""
)
record = sa.Table(
    "record",
    schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("received_at", sa.String(32), nullable=False),
    sa.UniqueConstraint("device", "sequence"),
)
alarm = sa.Table(
    "alarm",
    schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("raised_at", sa.String(32), nullable=False),
)
person = sa.Table(
    "person",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("phone_key", sa.String(66), nullable=False),  # compressed point as hex, or ""
)
validity = sa.Table(
    "person_validity",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("valid_from", sa.BigInteger, nullable=True),  # Unix seconds, both
    sa.Column("valid_until", sa.BigInteger, nullable=True),
)
person_group = sa.Table(
    "person_group",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),  # in the order in which the groups were given
)
person_absence = sa.Table(
    "person_absence",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("starts_at", sa.BigInteger, primary_key=True),  # Unix seconds, all three
    sa.Column("ends_at", sa.BigInteger, primary_key=True),
    sa.Column("make_up_until", sa.BigInteger, nullable=False),
)
person_declaration = sa.Table(
    "person_declaration",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False),  # the school's date, such as 2026-11-24
    sa.Column("decidegrees", sa.Integer, nullable=True),  # tenths of a degree Celsius
    sa.Column("symptoms", sa.Integer, nullable=False),  # flags of terminal.declaration.Symptom
    sa.Column("contact", sa.Boolean, nullable=False),
)
person_change = sa.Table(
    "person_change",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("change", sa.BigInteger, nullable=False),  # the number of the change, rising
)
claim = sa.Table(
    "claim",
    schema,
    sa.Column("digest", sa.String(64), primary_key=True),  # SHA-256 of the claim's 16 bytes, as hex
    sa.Column("subject", sa.String(64), nullable=False, index=True),
    sa.Column("expires_at", sa.BigInteger, nullable=False),  # Unix seconds
    sa.Column("used_at", sa.BigInteger, nullable=True),
    sa.Column("used_key", sa.String(66), nullable=False),  # the key it was used for, or ""
)
meta = sa.Table(
    "meta",
    schema,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class Database:
    """Central's database at the SQLAlchemy `url`, its tables made when they are missing.

    Raises: SettingsError when a newer campusgate made it.
    """

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _durable)
            sa.event.listen(self.engine, "begin", _begin)
        self._reading = self.engine.execution_options(campusgate_reading=True)
        schema.create_all(self.engine)
        with self.begin() as db:
            found = int(read_meta(db, _VERSION_NAME) or 1)
            if found < SCHEMA_VERSION:
                write_meta(db, _VERSION_NAME, str(SCHEMA_VERSION))
        if found > SCHEMA_VERSION:
            self.close()
            raise SettingsError(
                [
                    f"{self.engine.url.database}: was made by a newer campusgate (schema {found}, "
                    f"this one knows {SCHEMA_VERSION}); install that one"
                ]
            )

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that is durable when it ends well, and undone otherwise."""
        return self.engine.begin()

    def connect(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read with: it sees one state throughout and keeps no writer waiting."""
        return self._reading.connect()

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()


def upsert(db: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, each replacing what has its primary key already. All rows name the same columns."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    insert: Any = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    db.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def read_meta(db: sa.Connection, name: str) -> str | None:
    """The value noted under `name`, or None."""
    return db.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()


def write_meta(db: sa.Connection, name: str, value: str) -> None:
    """Note `value` under `name`."""
    upsert(db, meta, [{"name": name, "value": value}])


def _durable(connection: Any, _record: Any) -> None:
    # A receipt lets terminals forget: what it covers must survive a power cut here too.
    connection.isolation_level = None  # SQLAlchemy's "begin" event below starts transactions
    for pragma in ("journal_mode = wal", "synchronous = full", "busy_timeout = 10000", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would otherwise fail when another wrote in between.
    reading = connection.get_execution_options().get("campusgate_reading")
    connection.exec_driver_sql("begin" if reading else "begin immediate")
