"""Databases of earlier versions, brought up to date with all that is in them, in SQLite and in PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from config.errors import SettingsError
from sync.central import migrations
from sync.central.database import Database
from sync.central.migrations import HEAD, versions
from sync.central.migrations.versions import v0003
from sync.central.store import Store
from sync.central.tables import SCHEMA_VERSION, schema
from tests.sync.batches import event

VERSION_3 = Path(__file__).with_name("central-3.sql")
SINCE_VERSION_1 = ("person_group", "person_absence", "person_declaration", "person_validity", "claim")


def the_same(engine: sa.Engine) -> bool:
    with engine.connect() as db:
        return compare_metadata(MigrationContext.configure(db), schema) == []


def test_a_new_database_has_the_schema_of_the_code(database: str) -> None:
    made = Database(database)
    assert the_same(made.engine)
    made.close()


def test_the_newest_step_is_the_schema_of_the_code() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_heads() == [HEAD]
    assert {path.stem for path in Path(versions.__file__).parent.glob("v*.py")} == {
        f"v{step.revision}" for step in script.walk_revisions()
    }


def dumped(directory: Path, *without: str) -> str:
    """The URL of a database that version 3 made, or an earlier one, which lacked those tables."""
    with sqlite3.connect(directory / "old.db") as old:
        old.executescript(VERSION_3.read_text("utf-8"))
        for table in without:
            old.execute(f"drop table {table}")
    old.close()
    return f"sqlite:///{directory / 'old.db'}"


@pytest.mark.parametrize("without", [(), (*SINCE_VERSION_1, "device_trust", "person_change", "meta")])
def test_a_database_of_an_earlier_version_keeps_all_that_is_in_it(
    without: tuple[str, ...], tmp_path: Path
) -> None:
    url = dumped(tmp_path, *without)
    for records in (3, 4):
        store = Store(url)
        assert store.counts() == {"record": records, "alarm": 1}
        assert [one.subject for one in store.people()] == ["S1"]
        assert store.note("schema_version") == str(SCHEMA_VERSION)
        assert the_same(store._database.engine)
        following = event(records + 1, store.records()[-1].event.digest)
        assert store.ingest("north-gate-1", [following]).through == records + 1
        assert store.counts() == {"record": records + 1, "alarm": 1}
        store.close()


def test_receivers_that_start_at_once_upgrade_a_database_once(database: str) -> None:
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    v0003._tables().create_all(engine)
    with engine.begin() as db:
        db.execute(sa.text("insert into meta values ('schema_version', '3')"))
        db.execute(sa.text("insert into device values ('north-gate-1', 'a key', 0, 'x')"))
    together, failed = threading.Barrier(4), []

    def start() -> None:
        together.wait()
        try:
            Store(database).close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert the_same(engine)
    with engine.connect() as db:
        assert db.execute(sa.text("select name, chained from device")).all() == [("north-gate-1", None)]
    engine.dispose()


@pytest.mark.parametrize(
    "newer", ["update meta set value = '99'", "update alembic_version set version_num = '0099'"]
)
def test_a_database_of_a_newer_version_is_refused_and_left_alone(newer: str, database: str) -> None:
    made = Database(database)
    with made.begin() as db:
        db.execute(sa.text(newer))
    made.close()
    with pytest.raises(SettingsError, match=r"newer campusgate.*99") as caught:
        Store(database)
    assert "postgres:@" not in str(caught.value)
