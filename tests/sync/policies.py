"""A small policy for tests, and how to make it wrong: each test changes one thing of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import SettingsError
from sync.central.policy_file import PolicyFile, read_policy

NOW = datetime(2026, 11, 24, tzinfo=UTC)
GOOD = """\
[calendar]
term = { from = 2026-08-31, to = 2027-01-17 }
[campuses.east]
name_zh = "东"
name_en = "East"
[groups]
cs = { name_zh = "计", name_en = "CS", campus = "east" }
cs-1 = { name_zh = "计1", name_en = "CS 1", part_of = "cs" }
cs-2 = { name_zh = "计2", name_en = "CS 2", part_of = "cs" }
[places.gate]
name_zh = "门"
name_en = "Gate"
campus = "east"
[places.room]
name_zh = "室"
name_en = "Room"
"""
LESSON = 'place = "room"\nday = "mon"\nhours = { from = "08:00", to = "09:35" }\n'


def read(directory: Path, text: str, **included: str) -> PolicyFile:
    for name, more in included.items():
        (directory / f"{name}.toml").write_text(more, "utf-8")
    (directory / "policy.toml").write_text(text, "utf-8")
    return read_policy(directory / "policy.toml", NOW)


def wrong(directory: Path, text: str, **included: str) -> list[str]:
    """The problems of a policy that must be refused, their files without the directory."""
    with pytest.raises(SettingsError) as caught:
        read(directory, text, **included)
    return [problem.replace(f"{directory}/", "") for problem in caught.value.problems]


def odd(directory: Path, text: str) -> list[str]:
    """The warnings of a policy that must be taken."""
    return [warning.replace(f"{directory}/", "") for warning in read(directory, text).warnings]


def after(line: str, added: str) -> str:
    """GOOD with `added` below the line."""
    assert f"{line}\n" in GOOD
    return GOOD.replace(f"{line}\n", f"{line}\n{added}\n", 1)
