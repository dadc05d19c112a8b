"""What the tests of the terminal share: a published town that no test changes, and a gate in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.roster import Roster
from tests.terminal.world import Rig, Town, found_town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A published town of 300 people in 4 shards; take a `copy` to change anything."""
    return found_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="session")
def roster(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Roster:
    """The town's roster, opened."""
    return town.open(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def own_town(town: Town, tmp_path: Path) -> Town:
    """A copy of the town that the test may change."""
    return town.copy(tmp_path / "own-town")


@pytest.fixture
def rig(town: Town, tmp_path: Path) -> Iterator[Rig]:
    """A gate at the north gate of the town, with an empty journal."""
    rig = Rig(town, tmp_path)
    yield rig
    rig.close()
