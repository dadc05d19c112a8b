"""The demo as a user runs it: what it prints, its page, its exit status, and Ctrl-C at any moment."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from click.testing import CliRunner

from terminal.reasons import SENTENCES
from tests.sim import demo as demo_module
from tests.sim.audit import Ledger
from tests.sim.cli import demo as demo_command
from tests.sim.conftest import running_in
from tests.sim.network import free_port
from tests.sim.processes import wait_until
from tests.sim.scenario import EXPECTED, Visit
from tests.sim.watcher import Watcher

pytestmark = pytest.mark.campus

SCANS = 24
_ROW = re.compile(r"^\d\d:\d\d:\d\d  ")
_PROGRAM = [sys.executable, "-c", "from config.cli import main; main()", "demo"]


@dataclass
class Shown:
    """A run that printed its table, and what its page said meanwhile."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    screens: list[bytes] = field(default_factory=list)
    status: int = -1
    left: list[int] = field(default_factory=list)


@dataclass
class Quiet:
    """A run with --json."""

    output: str
    status: int


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Quiet]:
    """The same demo twice at the same time: with its table, its page looked at, and with --json."""
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    usual = ["--scans", str(SCANS), "--seed", "3"]
    with (
        subprocess.Popen([*_PROGRAM, *usual, "--json", "--port", "0"], stdout=subprocess.PIPE) as quiet,
        (directory / "table").open("w+") as table,
        subprocess.Popen(
            [*_PROGRAM, *usual, "--port", str(port), "--keep", f"{directory}/run"], stdout=table
        ) as loud,
    ):
        shown = Shown()
        while loud.poll() is None:
            _look(f"http://127.0.0.1:{port}", shown)
            time.sleep(0.5)
        output = quiet.communicate(timeout=120)[0].decode()
        table.seek(0)
        shown.lines = table.read().splitlines()
    shown.rows = [re.split("  ", line) for line in shown.lines if _ROW.match(line)]
    shown.status, shown.left = loud.returncode, running_in(directory)
    return shown, Quiet(output, quiet.returncode)


def _look(url: str, shown: Shown) -> None:
    try:
        shown.pages.append(requests.get(f"{url}/", timeout=30).text)
        shown.states.append(requests.get(f"{url}/state.json", timeout=30).json())
        screen = requests.get(f"{url}/screen.png", timeout=30)
    except requests.RequestException:
        return  # not yet up, or just over
    if screen.ok:
        assert screen.headers["content-type"] == "image/png"
        shown.screens.append(screen.content)


class TestSummary:
    def test_is_one_json_object_that_says_all_is_well(self, runs: tuple[Shown, Quiet]) -> None:
        quiet = runs[1]
        summary = json.loads(quiet.output)
        assert quiet.status == 0
        assert summary["ok"] is True
        assert summary["scans"] == SCANS == sum(summary["verdicts"].values())
        assert summary["records_written"] == summary["records_at_central"] >= SCANS
        assert (summary["lost"], summary["duplicated"], summary["alarms"], summary["kills"]) == (0, 0, 0, 0)
        assert summary["unexpected"] == []

    def test_says_how_long_the_way_from_frame_to_relay_took(self, runs: tuple[Shown, Quiet]) -> None:
        times = json.loads(runs[1].output)["frame_to_relay_ms"]
        assert 0 < times["p50"] <= times["p95"] <= times["p99"] < 1000

    def test_is_the_same_for_the_same_seed(self, runs: tuple[Shown, Quiet]) -> None:
        shown, quiet = runs
        verdicts = [row[3] for row in shown.rows]
        counted = {verdict: verdicts.count(verdict) for verdict in verdicts}
        assert counted == json.loads(quiet.output)["verdicts"]


class TestTable:
    def test_ends_well_and_leaves_nothing_running(self, runs: tuple[Shown, Quiet]) -> None:
        shown = runs[0]
        assert shown.status == 0, shown.lines
        assert shown.lines[-1] == "everything as it should be"
        assert shown.left == []

    def test_has_every_sort_of_guest_answered_as_expected(self, runs: tuple[Shown, Quiet]) -> None:
        rows = runs[0].rows
        assert len(rows) == SCANS
        assert {row[2] for row in rows} == {str(visit) for visit in Visit}
        for row in rows:
            verdict, reason = EXPECTED[Visit(row[2])]
            assert (row[3], row[4]) == (str(verdict), SENTENCES[reason].en)

    def test_shows_names_masked(self, runs: tuple[Shown, Quiet]) -> None:
        assert all(row[1] == "-" or "*" in row[1] for row in runs[0].rows)

    def test_shows_the_queue_grow_in_the_outage_and_drain_after_it(self, runs: tuple[Shown, Quiet]) -> None:
        outage = range(SCANS // 3, 2 * SCANS // 3)
        queue = [int(row[7]) for row in runs[0].rows]
        central = [int(row[8]) for row in runs[0].rows]
        during = [queue[number] for number in outage]
        assert during == sorted(during)
        assert during[-1] >= len(outage), "the network was down: nothing can have been sent"
        assert len({central[number] for number in list(outage)[1:]}) == 1, "records passed a cut network"
        assert max(queue[-4:]) < during[-1], "the queue did not drain"
        assert central[-1] > central[outage[-1]]


class TestPage:
    def test_is_there_during_the_run(self, runs: tuple[Shown, Quiet]) -> None:
        shown = runs[0]
        assert len(shown.pages) > 5
        assert all("state.json" in page and "campusgate" in page for page in shown.pages)

    def test_state_follows_the_run(self, runs: tuple[Shown, Quiet]) -> None:
        states = runs[0].states
        assert {state["network"] for state in states} == {True, False}
        counts = [state["at_central"] for state in states]
        assert counts == sorted(counts)
        assert counts[-1] > 0
        rows = [row for state in states for row in state["rows"]]
        assert all(len(row["cells"]) == len(states[0]["headings"]) for row in rows)
        assert {row["verdict"] for row in rows} == {"allow", "deny"}
        live = [state["terminal"] for state in states if state["terminal"]]
        assert {status["device"] for status in live} == {"north-gate-1"}

    def test_screen_is_a_picture_that_changes(self, runs: tuple[Shown, Quiet]) -> None:
        screens = runs[0].screens
        pictures = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in screens]
        assert len(pictures) > 3
        assert {picture.shape for picture in pictures if picture is not None} == {(480, 800, 3)}
        assert len(set(screens)) > 1


@pytest.mark.parametrize(
    ("awaited", "then", "endless"),
    [
        (None, 0.6, False),
        ("building", 0.0, False),
        ("starting", 0.0, True),
        ("starting", 0.5, False),
        ("  allow  ", 0.2, True),
        ("waiting", 0.0, False),
    ],
)
def test_ctrl_c_ends_it_soon_and_leaves_no_process(
    tmp_path: Path, awaited: str | None, then: float, endless: bool
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if pytest runs in the background
    scans = [] if endless else ["--scans", "2" if awaited == "waiting" else "50"]
    log = tmp_path / "log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [*_PROGRAM, *scans, "--port", "0", "--keep", f"{tmp_path}/run"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PYTHONUNBUFFERED": "1"},
        )
    if awaited:
        assert wait_until(lambda: awaited in log.read_text(), 60), log.read_text()
    time.sleep(then)
    demo.send_signal(signal.SIGINT)
    try:
        status = demo.wait(60)
    finally:
        demo.kill()
    assert running_in(tmp_path) == []
    assert "Traceback" not in log.read_text()
    # A run that was over all the same says so; the interrupt may still have met it while it tidied up.
    over = "everything as it should be" in log.read_text()
    allowed = {0} if endless else {0, 130} if over else {130}
    assert status in allowed, log.read_text()


def test_it_begins_although_the_stage_stood_still_while_the_others_started(tmp_path: Path) -> None:
    class Slow(Watcher):
        def __init__(self) -> None:
            self.following = True

        def status(self) -> dict[str, Any]:
            return {"fault": "", "camera": {"state": "frozen", "frames": 1}}

    demo = demo_module.Demo(tmp_path, 1, 1)
    demo.link.close()
    demo._doors["north-gate"] = demo_module.Door(None, Slow(), None)  # type: ignore[arg-type]
    assert demo._ready()


@pytest.mark.parametrize(
    ("ledger", "status"),
    [(Ledger(1, 1, 0, 0, 0), 0), (Ledger(1, 0, 1, 0, 0), 1), (Ledger(1, 2, 0, 1, 0), 1)],
    ids=["all is well", "one lost", "one duplicated"],
)
def test_the_exit_status_tells_whether_anything_was_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ledger: Ledger, status: int
) -> None:
    monkeypatch.setattr(demo_module.Demo, "_start", lambda *_: None)
    monkeypatch.setattr(demo_module.Demo, "_play", lambda *_: None)
    monkeypatch.setattr(demo_module.Demo, "_drain", lambda *_: None)
    monkeypatch.setattr(demo_module, "reckon", lambda *_: ledger)
    arguments = ["--scans", "1", "--json", "--port", "0", "--keep", str(tmp_path / "run")]
    ended = CliRunner().invoke(demo_command, arguments)
    assert ended.exit_code == status, ended.output
    assert json.loads(ended.stdout)["lost"] == ledger.lost


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (
            "import terminal.journal as j\n"
            "j.Journal.append = lambda self, record, *more, memos=(): j.Entry(1, '0' * 64)\n",
            "lost",
        ),
        ("import sync.uplink as u\nu.Uplink._believe = lambda self, answer: None\n", "unacknowledged"),
    ],
    ids=["the journal only says that it wrote", "no receipt is ever believed"],
)
def test_a_broken_promise_of_the_product_ends_the_demo_in_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str, noticed: str
) -> None:
    program = f"{broken}from config.cli import main\nmain()"
    monkeypatch.setattr("tests.sim.processes._CAMPUSGATE", ["-c", program])
    monkeypatch.setattr(demo_module, "DRAIN", 2.0)
    arguments = ["--scans", "3", "--json", "--port", "0", "--keep", str(tmp_path / "run")]
    ended = CliRunner().invoke(demo_command, arguments)
    assert ended.exit_code == 1, ended.output
    summary = json.loads(ended.stdout)
    assert summary["unexpected"] == []
    assert summary[noticed] == (summary["records_written"] or 3) >= 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kills", "3"], "--kills needs --scans"),
        (["--keep", "."], "name a new directory"),
        (["--scans", "0"], "--scans"),
        (["--port", "70000"], "--port"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_starts(arguments: list[str], told: str) -> None:
    ended = CliRunner().invoke(demo_command, arguments)
    assert ended.exit_code == 2
    assert told in ended.output
