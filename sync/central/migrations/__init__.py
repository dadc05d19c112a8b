"""Migrations: the steps from any earlier schema of central's database to this one, carried out by Alembic.

A step's revision is the schema's number, such as "0004". The number is in `meta` as well: that is where
versions from before these steps look, so that they refuse what they would misread.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from config.errors import SettingsError
from sync.central.database import masked, upsert
from sync.central.tables import SCHEMA_VERSION, meta

HEAD = f"{SCHEMA_VERSION:04}"
_UPGRADE_LOCK = 0x63675F75  # any number, the same in every receiver


def upgrade(engine: sa.Engine) -> None:
    """Make the tables of a new database, or bring those of an earlier version up to date, or do nothing.

    Receivers that start at the same time wait for the first one. Raises: SettingsError when a newer
    campusgate made the database.
    """
    with engine.execution_options(campusgate_reading=True).connect() as db:
        if _checked(db) == HEAD:
            return
    from alembic import command
    from alembic.config import Config

    with engine.begin() as db:
        if db.dialect.name == "postgresql":
            db.exec_driver_sql("set local lock_timeout = 0")
            db.exec_driver_sql(f"select pg_advisory_xact_lock({_UPGRADE_LOCK})")
        if _checked(db) == HEAD:
            return
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = db
        command.upgrade(config, HEAD)
        upsert(db, meta, [{"name": "schema_version", "value": str(SCHEMA_VERSION)}])


def _checked(db: sa.Connection) -> str:
    """The database's revision, "" before the first one. Raises: SettingsError when it is a later one."""
    tables = sa.inspect(db)
    found = revision = ""
    if tables.has_table(meta.name):
        noted = sa.select(meta.c.value).where(meta.c.name == "schema_version")
        found = db.execute(noted).scalar_one_or_none() or ""
    if tables.has_table("alembic_version"):
        revision = db.execute(sa.text("select version_num from alembic_version")).scalar_one_or_none() or ""
    newest = max(int(found or 1), int(revision or 1))
    if newest > SCHEMA_VERSION:
        raise SettingsError(
            [
                f"{masked(db.engine.url)}: was made by a newer campusgate (schema {newest}, "
                f"this one knows {SCHEMA_VERSION}); install that one"
            ]
        )
    return revision
