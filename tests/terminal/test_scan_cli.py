"""`campusgate scan`: whatever lies in a directory, each picture is one line, and nothing else is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from terminal.cli import scan


def lines(result: Result) -> dict[str, str]:
    """The error of each file that there is a line for, by its name."""
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return {Path(one["file"]).name: one.get("error", "") for one in found}


def save(path: Path, height: int, width: int) -> None:
    assert cv2.imwrite(str(path), np.full((height, width, 3), 255, np.uint8))


@pytest.mark.timeout(30)
def test_what_is_only_called_a_picture_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    save(tmp_path / "a.png" / "b.png", 40, 40)
    os.mkfifo(tmp_path / "c.jpg")
    result = CliRunner().invoke(scan, [str(tmp_path), "--json"])
    assert (result.exit_code, lines(result)) == (0, {"b.png": ""})


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone")
    result = CliRunner().invoke(scan, [str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert "No such file" in lines(result)["a.png"]


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_a_picture_too_small_for_a_code_is_named(tmp_path: Path, size: tuple[int, int]) -> None:
    save(tmp_path / "a.png", *size)
    result = CliRunner().invoke(scan, [str(tmp_path / "a.png"), "--json"])
    assert (result.exit_code, result.stderr) == (1, "")
    assert lines(result)["a.png"].endswith(f"has {size[1]}x{size[0]} pixels, too few for a code")
