"""Central's tables: SQLAlchemy Core, the same in SQLite and in PostgreSQL.

The steps that bring a database of an earlier version to this schema are in migrations/.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from config.errors import CampusgateError, SettingsError

SCHEMA_VERSION = 4

schema = sa.MetaData()
_Identity = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows of that type alone

device = sa.Table(
    "device",
    schema,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("chained", sa.String(64), nullable=True),  # what the next record names, if that is not `digest`
)
span = sa.Table(
    "span",  # records ahead of `device.through`; see ingest.Span
    schema,
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("chained", sa.String(64), nullable=False),
    sa.Column("opening", sa.Text, nullable=False),
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
    sa.Column("id", _Identity, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),  # its row is locked as it comes: no key to look up
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("received_at", sa.String(32), nullable=False),
    sa.UniqueConstraint("device", "sequence"),
)
alarm = sa.Table(
    "alarm",
    schema,
    sa.Column("id", _Identity, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("raised_at", sa.String(32), nullable=False),
    sa.Index("alarm_device_sequence", "device", "sequence"),
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
clock_anchor = sa.Table(
    "clock_anchor",
    schema,
    sa.Column("device", sa.String(63), primary_key=True),
    sa.Column("boot", sa.String(16), primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),  # of what vouched for it: the lower, the better
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("time", sa.String(32), nullable=False),
    sa.Column("uptime", sa.BigInteger, nullable=False),  # milliseconds
)
command = sa.Table(
    "command",
    schema,
    sa.Column("number", sa.Integer, primary_key=True),  # in the order in which they were issued
    sa.Column("identity", sa.String(36), nullable=False, unique=True),
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False, index=True),
    sa.Column("do", sa.String(32), nullable=False),
    sa.Column("issued_at", sa.BigInteger, nullable=False),  # Unix seconds, both
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)
device_setting = sa.Table(
    "device_setting",
    schema,
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),  # such as sync.batch_records
    sa.Column("value", sa.Text, nullable=False),  # JSON
)
meta = sa.Table(
    "meta",
    schema,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class DatabaseDown(CampusgateError, OSError):
    """Raised when the database cannot be reached, is locked for long or takes nothing: worth trying again."""


class Database:
    """Central's database at the SQLAlchemy `url`, made or brought up to date when it is not.

    Raises: SettingsError when a newer campusgate made it, or PostgreSQL's driver is missing; DatabaseDown.
    """

    def __init__(self, url: str) -> None:
        address = sa.make_url(url)
        try:
            self.engine = _engine(address)
        except ModuleNotFoundError as error:
            raise SettingsError(
                [f"{masked(url)}: psycopg is not installed; pip install campusgate[postgresql]"]
            ) from error
        self._reading = self.engine.execution_options(campusgate_reading=True)
        from sync.central.migrations import upgrade

        try:
            with self._errors():
                upgrade(self.engine)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction that is durable when it ends well, and undone otherwise. Raises: DatabaseDown."""
        with self._errors(), self.engine.begin() as db:
            yield db

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection to read with: it keeps no writer waiting. Raises: DatabaseDown."""
        with self._errors(), self._reading.connect() as db:
            yield db

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        dbapi: Any = self.engine.dialect.dbapi
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.TimeoutError, dbapi.OperationalError) as error:
            cause = getattr(error, "orig", None) or error  # without the statement and its values
            raise DatabaseDown(f"{masked(self.engine.url)}: {' '.join(str(cause).split())}") from error


def postgresql_url(text: str, source: str) -> str:
    """`text`, when it is the URL of a PostgreSQL database. Raises: SettingsError naming `source`."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres"):
        raise SettingsError(
            [f"{source}: is not allowed; give a URL such as postgresql://central@db.lan/central"]
        )
    return text


def has_password(text: str) -> bool:
    """Whether the URL `text` holds a password."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        return False
    return bool(url.password or "password" in url.query)


def masked(url: str | sa.URL) -> str:
    """`url` without a password, for people to read."""
    address = sa.make_url(url).difference_update_query(["password"])
    address = address.set(drivername=address.get_backend_name())
    return address.render_as_string(hide_password=True)


def arriving(db: sa.Connection) -> None:
    """From here to the commit records get their ids; see `settled`."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"select pg_advisory_xact_lock_shared({_ARRIVAL_LOCK})")


def settled(db: sa.Connection) -> int:
    """The id up to which no record can arrive any more: whoever pages by id misses none up to there.

    PostgreSQL gives ids out before the commit, so that a higher one may be seen first. This waits until all
    that are given out are committed, while no new ones are.
    """
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"select pg_advisory_xact_lock({_ARRIVAL_LOCK})")
    return db.execute(sa.select(sa.func.max(record.c.id))).scalar_one() or 0


_ARRIVAL_LOCK = 0x63675F61  # any number, the same in every receiver


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


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url)
        sa.event.listen(engine, "connect", _durable)
        sa.event.listen(engine, "begin", _begin)
        return engine
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": _PATIENCE}
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=patience, pool_timeout=_PATIENCE
    )
    sa.event.listen(engine, "connect", _durable_postgresql)
    return engine


_PATIENCE = 10  # seconds for a lock, a connection


def _durable(connection: Any, _record: Any) -> None:
    # A receipt lets terminals forget: what it covers must survive a power cut here too.
    connection.isolation_level = None  # SQLAlchemy's "begin" event below starts transactions
    patience = f"busy_timeout = {_PATIENCE * 1000}"
    for pragma in ("journal_mode = wal", "synchronous = full", patience, "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")


def _durable_postgresql(connection: Any, _record: Any) -> None:
    connection.execute(
        "select set_config('lock_timeout', %s, false), set_config('synchronous_commit',"
        " case current_setting('synchronous_commit') when 'off' then 'on'"
        " else current_setting('synchronous_commit') end, false)",
        [f"{_PATIENCE}s"],
    )
    connection.commit()


def _begin(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would otherwise fail when another wrote in between.
    reading = connection.get_execution_options().get("campusgate_reading")
    connection.exec_driver_sql("begin" if reading else "begin immediate")
