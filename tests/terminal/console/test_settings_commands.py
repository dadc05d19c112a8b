"""The console's commands about settings, given to a session with real processes' sockets and a real file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.control import ControlServer, Events, ask
from config.errors import CommitRefused, SettingsError
from config.keys import save_private
from config.settings import Settings, load_settings
from config.settings_history import SettingsHistory
from terminal.console.command import Answer, Command, Refused, installed
from terminal.console.roles import Role
from terminal.console.session import User
from terminal.console.settings_commands import COMMANDS

TEXT = """\
# The gate at the north road.
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "https://central.school.example"
[storage]
state = "state"
run = "run"
[relay]
pin = 17  # checked by anna
"""


class Patient:
    """A line at which nobody asks anything: commands about settings only wait, for processes."""

    def wait(self, seconds: float) -> None:
        time.sleep(seconds / 10)


class Desk:
    """One client, logged in; what is recorded is kept here."""

    def __init__(self, path: Path, name: str = "anna") -> None:
        self.settings_path = path
        self.user = User(name, Role.ADMIN, "password")
        self.recorded: list[tuple[str, Mapping[str, Any]]] = []
        self.line = Patient()

    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        return ask(self.settings().socket(process), op, timeout=timeout, **arguments)

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        self.recorded.append((action, json.loads(json.dumps(details))))

    def give(self, line: str) -> Answer:
        """The answer to a line: the command with the longest name that fits."""
        words = line.split()
        command = max(
            (c for c in COMMANDS if tuple(words[: len(c.words)]) == c.words), key=lambda c: len(c.words)
        )
        answer = command.run(self, command.arguments(words[len(command.words) :]))
        json.dumps(answer)
        return answer

    def shows(self, line: str) -> list[str]:
        """The answer as text."""
        answer = self.give(line)
        command = max((c for c in COMMANDS if line.startswith(c.name)), key=lambda c: len(c.name))
        assert command.render is not None
        return list(command.render(answer))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    path = tmp_path / "campusgate.toml"
    path.write_text(TEXT, "utf-8")
    save_private(load_settings(path).keys / "device.pem", Ed25519PrivateKey.generate())
    return Desk(path)


@pytest.fixture
def restarted(desk: Desk) -> Iterator[list[str]]:
    """The terminal and the sync daemon answer, and begin anew when told; which were told."""
    told: list[str] = []
    with ExitStack() as stack:
        for process in ("terminal", "sync"):

            def restart(_: object, process: str = process) -> Mapping[str, Any]:
                told.append(process)
                return {}

            def health(_: object, process: str = process) -> Mapping[str, Any]:
                return {"state": "well", "begun": told.count(process)}

            def status(_: object) -> Mapping[str, Any]:
                return {"settings_from_central": {"sync.poll_seconds": 3}}

            handlers = {"restart": restart, "health": health, "status": status}
            stack.enter_context(closing(ControlServer(desk.settings().socket(process), handlers, Events())))
        yield told


def in_force(desk: Desk) -> str:
    return desk.settings_path.read_text("utf-8")


def test_the_commands_are_installed(desk: Desk) -> None:
    assert {command.name for command in COMMANDS} <= {command.name for command in installed()}


def test_the_examples_are_lines_that_work_one_after_the_other(desk: Desk) -> None:
    examples = {command.name: command.example for command in COMMANDS}
    for before, name in (
        ("", "show settings"),
        ("", "set"),
        ("", "compare"),
        ("", "commit confirmed"),
        ("", "confirm"),
        ("set inputs.tamper 4", "unset"),
        ("set relay.safe_state safe", "commit"),
        ("", "show history"),
        ("", "rollback"),
        ("", "discard"),
    ):
        if before:
            desk.give(before)
        desk.give(examples.pop(name))
    assert not examples


def test_looking_is_for_everybody_and_changing_for_admins() -> None:
    looking = {command.name for command in COMMANDS if command.role is Role.OBSERVE}
    assert looking == {"show settings", "show history", "compare"}
    assert all(command.role is Role.ADMIN for command in COMMANDS if command.name not in looking)
    assert not any(command.changes for command in COMMANDS)  # they record themselves what they changed


def test_a_change_is_set_compared_committed_recorded_and_taken_up(desk: Desk, restarted: list[str]) -> None:
    assert desk.shows("set relay.pin 27") == ["relay.pin: 17 -> 27"]
    assert in_force(desk) == TEXT
    diff = desk.shows("compare")
    assert diff[:2] == ["--- campusgate.toml", "+++ campusgate.toml (candidate)"]
    assert diff[-2:] == ["-pin = 17  # checked by anna", "+pin = 27  # checked by anna"]
    answer = desk.give("commit moved the relay")
    assert (answer["version"], answer["processes"]) == (2, {"terminal": "well", "sync": "well"})
    assert in_force(desk) == TEXT.replace("17", "27")
    assert restarted == ["terminal", "sync"]
    changed = {"relay.pin": [17, 27]}
    assert desk.recorded == [("commit", {"version": 2, "changed": changed, "comment": "moved the relay"})]
    newest, first = desk.give("show history")["versions"]
    assert (newest["number"], newest["by"], newest["comment"]) == (2, "anna", "moved the relay")
    assert (first["number"], first["by"]) == (1, "by hand")
    assert desk.shows("compare") == ["no candidate: nothing differs from what is in force"]


def test_processes_that_do_not_run_are_only_mentioned(desk: Desk) -> None:
    desk.give("set relay.pin 27")
    lines = desk.shows("commit")
    assert lines[:2] == ["version 2 is in force", "  relay.pin: 17 -> 27"]
    assert lines[2:] == [
        "terminal: not running: it takes it up when it is next started",
        "sync: not running: it takes it up when it is next started",
    ]
    assert load_settings(desk.settings_path).relay.pin == 27


def test_a_lost_connection_loses_no_work_and_a_second_session_sees_it(desk: Desk) -> None:
    desk.give("set relay.pin 27")
    other = Desk(desk.settings_path, "ben")
    assert other.shows("set relay.safe_state safe") == [
        "relay.pin: 17 -> 27",
        "relay.safe_state: secure -> safe",
    ]
    assert "a candidate of ben" in desk.shows("show history")[-1]
    other.give("discard")
    assert desk.give("compare") == {"diff": []}


def test_keys_that_belong_together_are_told_to_be_unfinished_and_not_committed(desk: Desk) -> None:
    (line,) = desk.give("set camera.driver folder")["problems"]
    assert "driver 'folder' needs camera.path" in line
    assert desk.shows("set camera.width 640")[-1].startswith("not to be committed yet: candidate: camera: ")
    with pytest.raises(SettingsError, match=r"needs camera\.path"):
        desk.give("commit")
    assert desk.give("set camera.path pictures")["problems"] == []
    desk.give("commit")
    assert desk.settings().path(desk.settings().camera.path or "") == desk.settings_path.parent / "pictures"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("set relay.pin 99", r"relay\.pin: 99 is not allowed: .*0 to 27"),
        ("set relay.pinn 4", r"unknown key; there are: relay\.pin"),
        ("set relay.pin", "VALUE... is missing; usage: set KEY VALUE..."),
        (
            "set central.url https://gate:s3cret@c.example",
            r"central\.url: 'https://\*\*\*@c\.example' is not",
        ),
        ("unset inputs.tamper", "is not set here"),
        ("unset relay.pin now", "'now' is too much"),
        ("commit", "no candidate"),
        ("commit confirmed", "no candidate"),
        ("commit confirmed 0", "minutes '0' are not allowed: 1 to 60"),
        ("commit confirmed 61", "1 to 60"),
        ("commit confirmed -5", "1 to 60"),
        ("commit confirmed ５", "1 to 60"),
        (f"commit confirmed {'9' * 5000}", "1 to 60"),
        ("confirm", "nothing waits to be confirmed"),
        ("rollback 7", "there is no version 7; `show history`"),
        ("rollback x", "there is no version 0"),
        (f"rollback {'9' * 5000}", "there is no version 0"),
        ("rollback ../../1", "there is no version 0"),
        ("show settings relais", "there is no 'relais'; the tables are device, central"),
    ],
)
def test_what_cannot_be_done_is_refused_and_says_why(desk: Desk, line: str, said: str) -> None:
    with pytest.raises((Refused, SettingsError, CommitRefused), match=said) as caught:
        desk.give(line)
    assert "s3cret" not in str(caught.value)
    assert in_force(desk) == TEXT
    assert desk.recorded == []


def test_a_confirmed_commit_stays_once_it_is_confirmed(desk: Desk, restarted: list[str]) -> None:
    desk.give("set relay.pin 27")
    answer = desk.give("commit confirmed 5")
    assert answer["confirm_within_minutes"] == 5
    assert "`confirm` within 300 s, or version 1 comes back" in answer["notes"]
    assert desk.recorded[-1][1]["confirm_within_minutes"] == 5
    assert "or version 1 comes back" in desk.shows("show history")[-1]
    assert desk.give("confirm") == {"version": 2, "confirmed": True}
    assert [action for action, _ in desk.recorded] == ["commit", "confirm"]
    assert SettingsHistory(desk.settings_path).revert_if_due() is None
    assert restarted == ["terminal", "sync"]


def test_a_commit_that_nobody_confirms_is_undone_at_the_next_look_after_a_restart_of_the_machine(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.give("set relay.pin 27")
    desk.give("commit confirmed")
    assert SettingsHistory(desk.settings_path).revert_if_due() is None
    marker = SettingsHistory(desk.settings_path).directory / "unconfirmed.json"
    kept = json.loads(marker.read_bytes())
    marker.write_text(json.dumps(kept | {"boot": "another"}), "ascii")
    told: list[int] = []
    version = SettingsHistory(desk.settings_path).revert_if_due(lambda version: told.append(version.number))
    assert version is not None
    assert told == [version.number] == [3]
    assert in_force(desk) == TEXT
    assert desk.shows("compare")[-1] == "+pin = 27  # checked by anna"


def test_rollback_makes_a_version_the_candidate(desk: Desk) -> None:
    desk.give("set relay.pin 27")
    desk.give("commit")
    assert desk.shows("rollback 1") == [
        "relay.pin: 27 -> 17",
        "version 1 is the candidate, not in force yet: `compare`, then `commit`",
    ]
    desk.give("commit back")
    assert in_force(desk) == TEXT


def test_settings_that_were_broken_by_hand_are_mended_by_rollback_or_key_by_key(desk: Desk) -> None:
    desk.give("set relay.pin 27")
    desk.give("commit")
    desk.settings_path.write_text("[device\n", "utf-8")
    with pytest.raises(SettingsError, match="is not TOML"):
        desk.give("show settings")
    with pytest.raises(SettingsError, match="see `rollback`"):
        desk.give("set relay.pin 4")
    desk.give("rollback 1")
    with pytest.raises(CommitRefused, match="no good settings to come back to"):
        desk.give("commit confirmed 5")
    desk.settings_path.write_text(TEXT + "pinn = 4\n", "utf-8")
    desk.give("discard")
    desk.give("unset relay.pinn")
    desk.give("commit")
    assert in_force(desk) == TEXT


def test_a_commit_does_not_leave_the_keys_behind(desk: Desk) -> None:
    desk.give("set storage.state elsewhere")
    with pytest.raises(Refused, match="elsewhere does not hold the keys of this terminal; move them first"):
        desk.give("commit")
    assert in_force(desk) == TEXT


def test_settings_are_shown_with_values_and_origins(desk: Desk, restarted: list[str]) -> None:
    lines = desk.shows("show settings")
    assert [line.split() for line in lines if line.startswith("relay.")] == [
        ["relay.pin", "17", "file"],
        ["relay.active_high", "true", "default"],
        ["relay.safe_state", "secure", "default"],
    ]
    assert ["sync.poll_seconds", "3.0", "central"] in [line.split() for line in lines]
    assert [setting["key"] for setting in desk.give("show settings inputs")["settings"]] == ["inputs.tamper"]
    lines = desk.shows("show settings relay.pin")
    assert lines[1:] == [
        "  GPIO number (BCM), 0 to 27",
        "  it takes whole number: 0 to 27",
        "  its default is 17",
    ]


def test_what_central_set_is_said_to_be_unknown_when_sync_does_not_run(desk: Desk) -> None:
    (note,) = desk.give("show settings")["notes"]
    assert note.startswith("what central has set is not known: ")


def test_a_change_of_the_console_itself_says_when_it_is_taken_up(desk: Desk) -> None:
    desk.give("set console.idle_minutes 5")
    assert "the console itself takes up [console] when it is next started" in desk.shows("commit")


def test_keys_tables_and_versions_can_be_completed(desk: Desk) -> None:
    def values(command: Command) -> list[str]:
        complete = command.parameters[0].values
        assert complete is not None
        return list(complete(desk))

    by_name = {command.name: command for command in COMMANDS}
    assert "relay.pin" in values(by_name["set"])
    assert {"relay", "relay.pin"} <= set(values(by_name["show settings"]))
    desk.give("set relay.pin 27")
    assert values(by_name["rollback"]) == ["1"]


def test_processes_are_asked_where_they_are_and_awaited_where_the_settings_move_them(desk: Desk) -> None:
    old = desk.settings()
    moved: list[ControlServer] = []
    began = [1]

    def health(_: object) -> Mapping[str, Any]:
        return {"state": "well", "begun": began[0]}

    def restart(_: object) -> Mapping[str, Any]:
        began[0] = 2
        moved.append(ControlServer(desk.settings().socket("terminal"), {"health": health}, Events()))
        return {}

    handlers = {"restart": restart, "health": health}
    with closing(ControlServer(old.socket("terminal"), handlers, Events())):
        desk.give("set storage.run elsewhere")
        answer = desk.give("commit")
    moved[0].close()
    assert answer["processes"]["terminal"] == "well"
    assert answer["processes"]["sync"].startswith("not running")


def test_a_damaged_deadline_is_told_with_what_can_be_shown_all_the_same(
    desk: Desk, restarted: list[str]
) -> None:
    desk.give("set relay.pin 27")
    desk.give("commit confirmed 5")
    (SettingsHistory(desk.settings_path).directory / "unconfirmed.json").write_bytes(b"{")
    for command, shown in (("show settings relay.pin", "27"), ("show history", "anna")):
        lines = desk.shows(command)
        assert shown in " ".join(lines)
        assert "is damaged; `confirm` keeps what is in force" in lines[-1]
