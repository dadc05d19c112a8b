"""What tests of the simulated campus share: a campus in a directory, and who runs in a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sim.campus import Campus, build


@pytest.fixture
def campus(tmp_path: Path) -> Campus:
    """A campus whose central nobody runs."""
    return build(tmp_path, seed=1, link_url="http://127.0.0.1:9")


def running_in(directory: Path) -> list[int]:
    """Process ids of all processes, but this one, whose command line names `directory`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        if os.fsencode(directory) in command:
            found.append(int(process.name))
    return found
