"""Every command can be given in JSON, and answers JSON: over pipes, and over the cable."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from terminal.console.client import ConsoleClient, ConsoleRefused
from terminal.console.command import Command, installed
from terminal.console.roles import Role
from tests.terminal.console.rig import ConsoleRig, console_rig

COMMANDS = tuple(installed())
ENDLESS = "show log follow"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with console_rig(tmp_path_factory.mktemp("machine")) as made:
        yield made


def looks(command: Command) -> bool:
    """Whether `command` shows something, and asks nothing."""
    return command.role is Role.OBSERVE and command.name not in (ENDLESS, "password")


def through_pipes(rig: ConsoleRig, role: str, *asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The last answer to each request by its number, in a session of `role`."""
    login = {"id": 0, "login": {"name": role, "password": rig.passwords[role]}}
    done = subprocess.run(
        [sys.executable, "-c", "from config.cli import main; main()", "console", "--json",
         "--settings", str(rig.settings_file)],
        input="\n".join(map(json.dumps, [login, *asked, {"id": -1, "do": "exit"}])) + "\n",
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {answer["id"]: answer for answer in answers if "ok" in answer}


def test_every_command_that_looks_answers_an_object_or_says_why_not(rig: ConsoleRig) -> None:
    commands = [command for command in COMMANDS if looks(command)]
    answers = through_pipes(
        rig, "observe", *({"id": n, "do": c.example} for n, c in enumerate(commands, start=1))
    )
    assert sorted(answers) == list(range(-1, len(commands) + 1))
    for number, command in enumerate(commands, start=1):
        answer = answers[number]
        if answer["ok"]:
            assert isinstance(answer["answer"], dict), command.name
        else:
            assert answer["error"], command.name
            assert "not foreseen" not in answer["error"], command.name


def test_every_command_that_changes_something_is_refused_to_who_only_looks(rig: ConsoleRig) -> None:
    commands = [command for command in COMMANDS if command.role is not Role.OBSERVE]
    before = rig.settings_file.read_bytes()
    answers = through_pipes(
        rig, "observe", *({"id": n, "do": c.example} for n, c in enumerate(commands, start=1))
    )
    for number, command in enumerate(commands, start=1):
        assert not answers[number]["ok"], command.name
        assert "is for the role" in answers[number]["error"], command.name
    assert rig.settings_file.read_bytes() == before


def test_help_in_json_names_every_command(rig: ConsoleRig) -> None:
    lines = through_pipes(rig, "admin", {"id": 1, "do": "help"})[1]["answer"]["lines"]
    for command in COMMANDS:
        assert any(line.startswith(command.name) for line in lines), command.name


def test_the_same_over_the_cable(rig: ConsoleRig) -> None:
    client = ConsoleClient(str(rig.cable.far))
    try:
        assert client.synchronise().device == "north-gate-1"
        client.login_with_password("observe", rig.passwords["observe"])
        for command in filter(looks, COMMANDS):
            with contextlib.suppress(ConsoleRefused):  # no terminal runs: that is an answer too
                assert client.do(command.example), command.name
        client.exit()
    finally:
        client.close()


def test_requests_that_come_while_a_command_runs_wait_for_their_turn(rig: ConsoleRig) -> None:
    asked = ({"id": 1, "do": "set sync.batch_records 300"}, {"id": 2, "do": "commit"},
             {"id": 3, "do": "restart"}, {"id": 4, "do": "show uptime"})  # fmt: skip
    answers = through_pipes(rig, "admin", *asked)
    assert [answers[number]["ok"] for number in (1, 2, 3, 4)] == [True] * 4


def test_a_cancel_ends_what_runs(rig: ConsoleRig) -> None:
    asked = ({"id": 1, "do": ENDLESS}, {"id": 1, "cancel": True}, {"id": 2, "do": "show uptime"})
    answers = through_pipes(rig, "observe", *asked)
    assert answers[1]["error"] == "interrupted"
    assert answers[2]["ok"]


def test_who_logs_in_in_anothers_place_ends_that_session(rig: ConsoleRig) -> None:
    known = len(rig.entries())
    again = {"id": 90, "login": {"name": "observe", "password": rig.passwords["observe"]}}
    through_pipes(rig, "admin", again)
    said = [(one["user"], one["action"], one["details"].get("why")) for one in rig.entries()[known:]]
    assert said == [
        ("admin", "login", None),
        ("admin", "logout", "observe logged in"),
        ("observe", "login", None),
        ("observe", "logout", "logged out"),
    ]
