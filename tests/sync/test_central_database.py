"""Which database central has is one setting; passwords are seen by nobody."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from config.errors import SettingsError
from sync.central.database import DatabaseDown, masked
from sync.central.site import DATABASE_VARIABLE, Site
from sync.central.store import Store
from sync.protocol import batch_body
from tests.sim.campus import Campus
from tests.sync.batches import chain, event, post
from tests.sync.office import good, opened, put, student
from tests.sync.postgresql import new_database
from tests.sync.world import campusgate

URL = "https://central.school.example"


def init(directory: Path, database: str) -> tuple[int, str]:
    done = campusgate("central", "init", "--dir", str(directory), "--url", URL, "--database", database)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_central_is_made_on_postgresql_by_one_option(postgresql: str, tmp_path: Path) -> None:
    address = new_database(postgresql)
    assert init(tmp_path / "central", address) == (0, "")
    site = Site(tmp_path / "central")
    assert json.loads((site.directory / "central.json").read_text("utf-8"))["database"] == address
    assert not (site.directory / "central.db").exists()
    put(site, student("S1"))
    assert "version 2 " in good(site, "roster", "publish")
    with opened(site) as store:
        assert [one.subject for one in store.people()] == ["S1"]


def test_the_environment_wins_over_the_file(
    postgresql: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.database_url.startswith("sqlite:///")
    address = new_database(postgresql)
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    assert site.database_url == address
    monkeypatch.setenv(DATABASE_VARIABLE, "mysql://x")
    with pytest.raises(SettingsError, match=f"{DATABASE_VARIABLE}: is not allowed; give"):
        _ = site.database_url


@pytest.mark.parametrize(
    "text", ["postgresql://c:secret-word@db.lan/c", "postgresql:///c?password=secret-word"]
)
def test_a_password_in_the_command_line_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    code, said = init(tmp_path / "central", text)
    assert code == 2
    assert "PGPASSFILE" in said
    assert "secret-word" not in said
    assert not (tmp_path / "central").exists()
    assert "secret-word" not in masked(text)


@pytest.mark.parametrize("text", ["mysql://db.lan/c", "central.db", "postgresql+asyncpg://db.lan/c", "://"])
def test_another_database_is_refused_with_an_example(text: str, tmp_path: Path) -> None:
    code, said = init(tmp_path / "central", text)
    assert code == 1
    assert "postgresql://central@db.lan/central" in said
    assert said.count("\n") == 1


def test_a_database_that_does_not_answer_is_said_so_and_nothing_is_half_made(tmp_path: Path) -> None:
    code, said = init(tmp_path / "central", f"postgresql://central@/central?host={tmp_path}")
    assert code == 1
    assert said.startswith("campusgate: postgresql://central@/central")
    assert not (tmp_path / "central" / "keys").exists()
    with pytest.raises(DatabaseDown) as caught:
        Store(f"postgresql://central:secret-word@/central?host={tmp_path}")
    assert "secret-word" not in str(caught.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"not installed; pip install campusgate\[postgresql\]"):
        Store("postgresql:///central")


@pytest.mark.usefixtures("database")
def test_alarms_are_listed_with_their_evidence(campus: Campus, central: str) -> None:
    events = chain(3)
    forged = event(2, events[0].digest, salt="forged")
    post(central, campus, batch_body(events))
    post(central, campus, batch_body([forged]))
    [line] = good(campus.site, "central", "alarms").splitlines()
    assert line.endswith("  north-gate-1  record 2  fork")
    [line] = good(campus.site, "central", "alarms", "--json").splitlines()
    found = json.loads(line)
    assert (found["device"], found["sequence"], found["kind"]) == ("north-gate-1", 2, "fork")
    assert found["evidence"] == forged.text
