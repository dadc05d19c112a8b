"""What the tests of sync share: a campus in a directory, and its real central on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.site import DATABASE_VARIABLE, Site
from tests.sim.campus import Campus, build
from tests.sync.postgresql import new_database, server
from tests.sync.world import serving

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server."""
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database of each kind, which centrals of this test use, in other processes too."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'central.db'}"
    url = new_database(request.getfixturevalue("postgresql"))
    monkeypatch.setenv(DATABASE_VARIABLE, url)
    return url


@pytest.fixture
def campus(tmp_path: Path) -> Campus:
    """Central with 500 people, and a terminal provisioned from it whose journal is still empty."""
    return build(tmp_path, seed=7, link_url=NOBODY)


@pytest.fixture
def central(campus: Campus) -> Iterator[str]:
    """The URL of the campus's real central, serving."""
    with serving(campus) as url:
        yield url


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A central without anybody, not serving."""
    made = Site(tmp_path / "central")
    made.create("https://central.school.example", school="示例大学")
    return made
