"""Settings for devices, made from TOML as a terminal's are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, parse_settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Gives settings whose relative paths start at `tmp_path`: make_settings(camera={"driver": "folder"})."""

    def make(**tables: dict[str, Any]) -> Settings:
        lines = ['[device]\nname = "gate-1"\nplace = "gate"\n[central]\nurl = "http://localhost"']
        for table, keys in tables.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        return parse_settings("\n".join(lines), source="test", base=tmp_path)

    return make
