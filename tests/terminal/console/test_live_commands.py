"""The console's commands that look at the running processes and steer them, on real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from config.control import ask
from config.errors import ControlError, NotRunning
from config.process_log import log_file
from terminal.console.command import Refused
from terminal.console.live_commands import COMMANDS
from terminal.console.roles import Role
from terminal.console.wire import Interrupted
from tests.sim.processes import wait_until
from tests.terminal.console.scripted import ScriptedSession
from tests.terminal.desk import Desk

CAMPUSGATE = "from config.cli import main; main()"
CRASHES = """
from config.cli import main
from terminal.screen.window import Window

def keys(window):
    raise LookupError("no such key")

Window.keys = keys
main()
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def session(desk: Desk) -> ScriptedSession:
    return ScriptedSession(desk.campus.settings_file)


@pytest.fixture
def sync(desk: Desk) -> Iterator[Path]:
    """The socket of the daemon, which finds no central."""
    socket = desk.settings.socket("sync")
    command = [sys.executable, "-c", CAMPUSGATE, "sync", "run", "--settings", str(desk.campus.settings_file)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: _finds_no_central(socket), 30)
        yield socket
    finally:
        process.kill()
        process.wait()


def _finds_no_central(socket: Path) -> bool:
    with suppress(ControlError):
        return bool(ask(socket, "status")["faults"]["time"])
    return False


def lines(session: ScriptedSession, command: str) -> list[str]:
    return list(session.give(command)["lines"])


def test_two_running_processes_are_shown_locked_down_released_and_begin_anew(
    desk: Desk, session: ScriptedSession, sync: Path
) -> None:
    desk.start()
    assert wait_until(lambda: desk.status()["journal"] != {}, 30)
    page = session.give("show status")
    assert (page["device"], page["processes"]) == ("north-gate-1", {"terminal": "well", "sync": "well"})
    assert any(fault.startswith("time: ") for fault in session.give("show faults")["faults"])
    version = session.give("show version")
    assert version["terminal"] == version["sync"] == version["console"]["campusgate"]
    assert session.give("show roster").keys() == {"version", "refused", "version_on_disk", "downlink"}
    queue = session.give("show queue")
    assert (queue["records"], queue["waiting"], queue["central_has_through"]) == (0, 0, 0)
    assert queue["journal"]
    assert not queue.keys() & {"terminal", "sync"}, "nothing is wrong with them"
    network = session.give("show network")
    assert network["central"] == "http://127.0.0.1:9"
    assert network["links"]["time"] != "well"
    assert session.give("show clock")["source"]
    assert set(session.give("show uptime")) == {"machine_seconds", "terminal_seconds", "sync_seconds"}
    assert {line.split()[0] for line in lines(session, "show log 500")} == {"terminal", "sync"}
    assert [line.split()[0] for line in sorted(lines(session, "show log 1"))] == ["sync", "terminal"]

    closed = session.give("lockdown glass in the gateway")
    assert (closed["sequence"], closed["closed_by"]) == (1, ["maintenance staff"])
    assert any(fault.startswith("gate: gate.lockdown") for fault in session.give("show faults")["faults"])
    released = session.give("release")
    assert (released["sequence"], released["closed_by"]) == (2, [])
    assert not any("gate.lockdown" in fault for fault in session.give("show faults")["faults"])
    assert session.give("restart") == {"terminal": "well", "sync": "well"}
    assert session.recorded == [("restart", {"processes": ["terminal", "sync"]})]
    assert desk.process.poll() is None
    assert wait_until(lambda: _finds_no_central(sync), 30)


def test_the_log_of_both_is_followed_until_ctrl_c(desk: Desk, session: ScriptedSession, sync: Path) -> None:
    desk.start()
    deadline = time.monotonic() + 30

    def waiting() -> None:
        """Have both log something, again until it is seen: following begins in threads of its own."""
        said = {line.split()[0] for line in session.line.said if "control op log failed" in line}
        if said == {"terminal", "sync"}:
            raise Interrupted("Ctrl-C")
        assert time.monotonic() < deadline, session.line.said
        for socket in (desk.socket, sync):
            with pytest.raises(ControlError, match="most: a whole number"):
                ask(socket, "log", timeout=30, most=0)

    session.line.waiting = waiting
    with pytest.raises(Interrupted):
        session.give("show log follow")


def test_why_a_process_crashed_stays_in_one_piece_whatever_the_other_logs(
    desk: Desk, session: ScriptedSession
) -> None:
    command = [sys.executable, "-c", CRASHES, "terminal", "run", "--settings"]
    died = subprocess.run(
        [*command, str(desk.campus.settings_file)], capture_output=True, timeout=60, check=False
    )
    assert died.returncode == 1
    other = log_file(desk.settings.socket("sync"))
    before = "1999-12-31 23:59:59,000 INFO sync.daemon: before\n"
    after = [f"2999-12-31 23:59:59,000 INFO sync.daemon: after {number}\n" for number in range(600)]
    other.write_text("".join([before, *after]), "utf-8")

    shown = lines(session, "show log 100")
    trace = next(number for number, line in enumerate(shown) if "CRITICAL root: the process ends" in line)
    last = next(number for number, line in enumerate(shown) if line.endswith("LookupError: no such key"))
    assert trace < last
    assert {line.split()[0] for line in shown[trace : last + 1]} == {"terminal"}
    assert sum(line.startswith("sync     2999") for line in shown) == 100
    assert shown[-2].startswith("terminal not running, alive at ")
    assert shown[-1].startswith("sync     not running")

    other.write_text(before + after[0] + before, "utf-8")  # the clock was set back
    shown = lines(session, "show log 500")
    assert [line[-8:] for line in shown if line.startswith("sync     ")][:3] == [
        ": before",
        " after 0",
        ": before",
    ]
    assert shown[0].endswith("before")


def test_nothing_runs_and_every_command_says_so(desk: Desk, session: ScriptedSession) -> None:
    not_running = {"terminal": "not running", "sync": "not running"}
    assert session.give("show status")["processes"] == not_running
    assert session.give("show faults")["faults"] == ["terminal: not running", "sync: not running"]
    version = session.give("show version")
    assert {process: version[process] for process in not_running} == not_running
    uptime = session.give("show uptime")
    assert (uptime["terminal_seconds"], uptime["machine_seconds"] > 0) == ("not running", True)
    queue = session.give("show queue")
    assert {process: queue.pop(process) for process in not_running} == not_running
    assert set(queue.values()) == {None}
    assert all("not running" in said for said in session.give("restart").values())
    for command in ("show roster", "show clock", "show network", "lockdown glass", "release"):
        with pytest.raises(NotRunning, match="is the process running"):
            session.give(command)
    assert desk.process is None


@pytest.mark.parametrize(
    "command", ["show log 0", "show log 501", "show log many", "show log -1", "restart gate", "lockdown"]
)
def test_what_cannot_be_meant_is_refused_with_what_is_allowed(command: str, session: ScriptedSession) -> None:
    with pytest.raises(Refused, match=r"whole number|from 1 to 500|terminal, sync, all|is missing"):
        session.give(command)


def test_looking_is_for_everybody_and_acting_for_those_who_maintain() -> None:
    assert {command.role for command in COMMANDS if command.words[0] == "show"} == {Role.OBSERVE}
    acting = {command.name: command.role for command in COMMANDS if command.words[0] != "show"}
    assert acting == dict.fromkeys(("lockdown", "release", "restart"), Role.MAINTAIN)
    assert all(command.example.startswith(command.name) for command in COMMANDS)
