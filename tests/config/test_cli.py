"""The command line as a whole: every command explains itself with an example, every mistake is clear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from config import VERSION
from config.cli import campusgate
from tests.sync.world import campusgate as run


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command below `command`, by its words."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, (*path, name))


ALL = list(commands(campusgate))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(campusgate, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example:" in result.output
    assert f"campusgate {' '.join(words)}".strip() in result.output.partition("Example:")[2]


def test_every_entry_point_gives_a_command() -> None:
    assert {words[0] for words in ALL if words} == set(campusgate.list_commands(click.Context(campusgate)))
    assert ("central", "init") in ALL


@pytest.mark.parametrize("words", [["fly"], ["central", "fly"], ["sync", "--fly"]])
def test_an_unknown_command_is_named_and_nothing_is_done(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert f"{words[-1]}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert VERSION in run("--version").stdout


def test_a_settings_file_that_is_wrong_is_told_line_by_line_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_text("[relay]\npin = 99\n", "utf-8")
    done = run("sync", "status", "--settings", str(file))
    assert done.returncode == 1
    assert "relay.pin: 99 is not allowed" in done.stderr
    assert "Traceback" not in done.stderr
