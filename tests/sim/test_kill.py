"""Power fails: whenever a process dies, every record reaches central exactly once and the gate recovers.

Longer by the environment: CAMPUSGATE_KILL_SEEDS=1,2,3 for more runs, CAMPUSGATE_KILLS=200 for more kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segno

from hw.camera_simulated import Stage
from sync.central.mint import personal_code
from terminal.journal import JournalReader
from terminal.receipt import Receipt
from tests.sim.audit import reckon
from tests.sim.blemishes import grain
from tests.sim.campus import Citizen, build
from tests.sim.conftest import running_in
from tests.sim.die_at import Step
from tests.sim.network import Link, free_port
from tests.sim.processes import Supervised, stop_all, wait_until
from tests.sim.watcher import Watcher

pytestmark = pytest.mark.campus

KILLS = int(os.environ.get("CAMPUSGATE_KILLS", "21"))
SCANS = max(40, 2 * KILLS)
SEEDS = [int(seed) for seed in os.environ.get("CAMPUSGATE_KILL_SEEDS", "1").split(",")]
BLANK = np.full((720, 1280, 3), 90, np.uint8)

# What dies, at which step, and how many records the interrupted scan leaves.
STEPS: dict[str, tuple[str, Step, int]] = {
    "the code is read, not verified": ("terminal", Step("terminal.gate:Gate.handle", after=False, nth=2), 0),
    "verified, not decided": ("terminal", Step("terminal.gate:decide", after=False, nth=2), 0),
    "sealed, not in the journal": ("terminal", Step("terminal.journal:seal", after=True, nth=2), 0),
    "in the journal, not committed": (
        "terminal",
        Step("sqlite_utils.db:Database.execute", after=False, nth=2, argument="commit"),
        0,
    ),
    "committed, the relay not moved": (
        "terminal",
        Step("terminal.journal:Journal.append", after=True, nth=2),
        1,
    ),
    "the relay moved, no answer yet": (
        "terminal",
        Step("terminal.portal:Portal.open_for", after=True, nth=2),
        1,
    ),
    "the answer not published": ("terminal", Step("terminal.app:answer_event", after=False, nth=2), 1),
    "the batch signed, not sent": ("sync", Step("sync.uplink:sign_batch", after=True), 1),
    "central answered, no receipt saved": ("sync", Step("sync.uplink:Uplink._believe", after=False), 1),
    "the receipt saved, not taken up": ("sync", Step("terminal.receipt:Receipt.save", after=True), 1),
    "the batch arrived, not stored": (
        "central",
        Step("sync.central.store:Store.take", after=False),
        1,
    ),
    "stored, central has not answered": ("central", Step("sync.central.store:Store.take", after=True), 1),
}


class Rig:
    """Central, sync daemon and terminal as processes, and somebody who holds up codes."""

    def __init__(self, directory: Path) -> None:
        self.link = Link()
        self.campus = build(directory, seed=1, link_url=f"http://127.0.0.1:{self.link.port}")
        self._people = iter(self.campus.citizens)
        self._directory = directory
        settings = str(self.campus.settings_file)
        port = self.link.target = free_port()
        self._commands = {
            "central": ["central", "run", "--dir", str(self.campus.site.directory), "--port", str(port)],
            "sync": ["sync", "run", "--settings", settings],
            "terminal": ["terminal", "run", "--settings", settings],
        }
        self._picture, self._over = BLANK, threading.Event()
        threading.Thread(target=self._film, daemon=True).start()
        self.campus.settings.path("thermal.txt").write_text("36.5")
        self.processes = {name: self._started(name) for name in self._commands}
        self.watcher = Watcher(self.campus.settings, port)
        self._journal = JournalReader(self.campus.settings.journal)

    @property
    def written(self) -> int:
        """Records in the journal."""
        return self._journal.newest()

    def arm(self, victim: str, step: Step) -> Supervised:
        """Start `victim` anew so that it dies at `step`, once."""
        self.processes[victim].stop()
        self.processes[victim] = self._started(victim, step)
        assert wait_until(self.ready, 30)
        return self.processes[victim]

    def ready(self) -> bool:
        """Whether people can be served."""
        status = self.watcher.status()
        served = bool(status) and not status["fault"] and status["camera"]["state"] == "live"
        return served and self.watcher.following

    def next_person(self) -> Citizen:
        """Somebody who has not been here."""
        return next(self._people)

    def show(self, citizen: Citizen) -> None:
        """Hold a fresh code before the camera."""
        text = personal_code(citizen.phone, citizen.person.subject, int(time.time()))
        code = np.array(list(segno.make(text, error="m").matrix_iter(scale=4, border=4)), np.uint8)
        picture = BLANK.copy()
        picture[60 : 60 + len(code), 300 : 300 + len(code)] = np.where(code, 0, 255)[:, :, None]
        self._picture = cv2.GaussianBlur(picture, (3, 3), 0).astype(np.uint8)

    def hide(self) -> None:
        """Take it away."""
        self._picture = BLANK

    def answer_to(self, citizen: Citizen) -> dict[str, Any]:
        """What the gate says to a fresh code; {} after a minute without a word."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.watcher.answers.get_nowait()
        self.show(citizen)
        try:
            return self.watcher.answers.get(timeout=60)
        except queue.Empty:
            return {}
        finally:
            self.hide()

    def settled(self) -> bool:
        """Whether central has acknowledged everything."""
        return Receipt.load(self.campus.settings.receipt).through == self.written

    def close(self) -> None:
        """Stop all."""
        self.watcher.close()
        stop_all([self.processes[name] for name in ("terminal", "sync", "central")])
        self.link.close()
        self._over.set()

    def _film(self) -> None:
        stage = Stage(self.campus.settings.path("stage.frames"), (720, 1280))
        rng = np.random.default_rng(1)
        while not self._over.wait(0.05):
            picture = self._picture.copy()
            grain(picture, rng)
            stage.show(picture)

    def _started(self, name: str, step: Step | None = None) -> Supervised:
        arguments = self._commands[name]
        first = step.command(arguments) if step else None
        return Supervised(name, arguments, self._directory / f"{name}.log", first=first)


class RandomRun:
    """A demo with random kills in `directory`, running."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        program = [sys.executable, "-c", "from config.cli import main; main()", "demo", "--json"]
        options = f"--port 0 --scans {SCANS} --kills {KILLS} --seed {seed} --keep".split()
        self._process = subprocess.Popen(
            [*program, *options, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def result(self) -> tuple[int, str]:
        """Wait for the end: exit status and output."""
        output, _ = self._process.communicate(timeout=60 + 5 * (SCANS + KILLS))
        return self._process.returncode, output

    def interrupt(self) -> None:
        """End it, unless it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with self._process:  # its output is closed, if nobody has read it
            self._process.wait(30)


@pytest.fixture(scope="module", autouse=True)
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, RandomRun]]:
    """One run for each seed, going on while the exact steps are tested."""
    runs = {seed: RandomRun(tmp_path_factory.mktemp("random") / "run", seed) for seed in SEEDS}
    yield runs
    for run in runs.values():
        run.interrupt()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One running campus for all exact kills."""
    made = Rig(tmp_path_factory.mktemp("kill"))
    try:
        assert wait_until(made.ready, 60)
        yield made
    finally:
        made.close()


@pytest.mark.kill
@pytest.mark.parametrize(("victim", "step", "left"), STEPS.values(), ids=STEPS)
def test_a_death_at_an_exact_step_loses_nothing_and_doubles_nothing(
    rig: Rig, victim: str, step: Step, left: int
) -> None:
    process = rig.arm(victim, step)
    before = rig.written
    served = 0
    for _ in range(step.nth - 1):
        assert rig.answer_to(rig.next_person())["verdict"] == "allow"
        served += 1
    unlucky = rig.next_person()
    rig.show(unlucky)
    assert wait_until(lambda: process.starts == 2, 30), "the step was never reached: nothing was tested"
    shown_at = int(time.time())
    rig.hide()
    assert wait_until(rig.ready, 30)
    assert rig.written == before + served + left
    if left:  # the code is used up: the phone shows its next one, of a later second
        assert wait_until(lambda: int(time.time()) > shown_at + 1, 30)
    again = rig.answer_to(unlucky)
    assert (again.get("verdict"), again.get("reasons")) == ("allow", ["ok"])
    assert rig.written == before + served + left + 1
    assert wait_until(rig.settled, 30), "records wait although everything runs"
    ledger = reckon(rig.campus)
    assert ledger.clean, ledger
    assert ledger.written == rig.written
    assert process.starts == 2


@pytest.mark.kill
@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_at_random_moments_lose_nothing_and_everyone_is_answered(
    random_runs: dict[int, RandomRun], seed: int
) -> None:
    status, output = random_runs[seed].result()
    assert status == 0, output
    summary = json.loads(output)
    assert summary["unexpected"] == []
    assert summary["scans"] == SCANS
    assert summary["kills"] == KILLS
    assert (summary["lost"], summary["duplicated"], summary["alarms"]) == (0, 0, 0)
    assert summary["records_written"] == summary["records_at_central"] >= SCANS
    assert running_in(random_runs[seed].directory) == []
