"""Central's database: SQLite or PostgreSQL, opened durably and brought up to date. Its tables: tables.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from config.errors import CampusgateError, SettingsError
from sync.central.tables import meta, record


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


def changing_people(db: sa.Connection) -> None:
    """From here to the commit nobody else changes people: what is read of them is so until it is written.

    Whoever is revoked while a list is taken in would otherwise be written back as they were read. A
    transaction of SQLite that writes is alone from its beginning.
    """
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"select pg_advisory_xact_lock({_PEOPLE_LOCK})")


_ARRIVAL_LOCK = 0x63675F61  # any number, the same in every receiver
_PEOPLE_LOCK = 0x63675F70  # another one


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
