"""The ops that config/CONTROL.md describes, and those that a running process has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.control import ask
from config.errors import ControlError

DOCUMENT = Path(__file__).parents[2] / "config" / "CONTROL.md"


def documented(section: str) -> set[str]:
    """The ops in the tables of CONTROL.md that hold for `section`."""
    text = DOCUMENT.read_text("utf-8")
    found = re.search(rf"^## {section}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert found
    return set(re.findall(r"^\| `([a-z]+)` \|", found[1], re.MULTILINE))


def known_ops(socket: Path) -> set[str]:
    with pytest.raises(ControlError, match="unknown op; known: ") as caught:
        ask(socket, "dance", timeout=30)
    return set(str(caught.value).partition("known: ")[2].split(", "))
