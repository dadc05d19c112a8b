"""`campusgate status`, asking real sockets: all on one page, and an exit status that a script can use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.control import ControlServer, Events
from terminal.status_cli import status

SETTINGS = """
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "http://127.0.0.1:9"
[storage]
state = "state"
run = "run"
"""
WELL = {"state": "well", "since": None, "seconds": 0.0, "loops": {"gate": 0.1}, "uptime": 5}
HUNG = {**WELL, "state": "hung", "since": "2026-11-24T07:30:00+00:00", "seconds": 9.2,
        "loops": {"screen": 0.1, "gate": 9.2}}  # fmt: skip
TERMINAL = {
    "device": "north-gate-1", "portal": "locked", "answers": 3, "case_open": False,
    "records": 7, "waiting": 2,
    "camera": {"state": "live", "detail": ""}, "fault": "", "fault_detail": "",
    "clock": {"utc": "2026-11-24T07:30:00+00:00", "trusted": True, "source": "rtc", "problem": ""},
    "roster": {"version": 4, "refused": ""},
}  # fmt: skip
SYNC = {"device": "north-gate-1", "waiting": 2, "through": 5, "faults": {"uplink": ""},
        "quarantine": {"count": 0}}  # fmt: skip
Answers = Mapping[str, Mapping[str, Any]]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command while processes answer as it is told."""
    settings = tmp_path / "campusgate.toml"
    settings.write_text(SETTINGS, "utf-8")

    def handlers(answers: Answers) -> dict[str, Any]:
        return {op: lambda _, answer=answer: answer for op, answer in answers.items()}

    def command(terminal: Answers | None, sync: Answers | None, *options: str) -> Result:
        with ExitStack() as stack:
            for name, answers in (("terminal", terminal), ("sync", sync)):
                if answers is not None:
                    socket = tmp_path / "run" / f"{name}.sock"
                    stack.callback(ControlServer(socket, handlers(answers), Events()).close)
            return CliRunner().invoke(status, ["--settings", str(settings), *options])

    return command


def test_where_all_is_well_it_says_so_with_status_0(run: Run) -> None:
    terminal, sync = {"health": WELL, "status": TERMINAL}, {"health": WELL, "status": SYNC}
    done = run(terminal, sync)
    assert done.exit_code == 0, done.output
    assert "north-gate-1" in done.output
    page = json.loads(run(terminal, sync, "--json").output)
    assert (page["faults"], page["processes"]) == ([], {"terminal": "well", "sync": "well"})
    assert page["queue"]["waiting"] == 2


@pytest.mark.parametrize(
    ("terminal", "sync", "fault"),
    [
        (None, {"health": WELL, "status": SYNC}, "terminal: not running"),
        ({"health": WELL, "status": TERMINAL}, None, "sync: not running"),
        ({"health": HUNG, "status": TERMINAL}, {"health": WELL, "status": SYNC},
         "terminal: hung since 2026-11-24T07:30:00+00:00 (9 s): its gate loop does not go round"),
        ({"health": WELL}, {"health": WELL, "status": SYNC}, "gate: no status: "),
        ({"health": WELL, "status": TERMINAL}, {"health": WELL}, "sync: no status: "),
        ({"status": TERMINAL}, {"health": WELL, "status": SYNC}, "unknown op; known: follow, status"),
        ({"health": WELL, "status": {**TERMINAL, "case_open": True}}, {"health": WELL, "status": SYNC},
         "case: open"),
        ({"health": WELL, "status": TERMINAL},
         {"health": WELL, "status": {**SYNC, "faults": {"uplink": "x"}}}, "uplink: x"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_named_with_status_1(
    terminal: Answers | None, sync: Answers | None, fault: str, run: Run
) -> None:
    done = run(terminal, sync, "--json")
    assert done.exit_code == 1
    assert any(fault in one for one in json.loads(done.output)["faults"]), done.output
