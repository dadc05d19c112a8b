"""The op "restart" of a real process: it begins anew as the same process, whatever it was doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from config.control import ask
from config.errors import ControlError
from tests.sim.processes import wait_until

PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path
from config import process_ops
from config.control import ControlServer, Events
from config.heartbeat import Heartbeat
from config.process_log import ProcessLog

directory, how = Path(sys.argv[1]), sys.argv[2]
process_ops.HUNG_AFTER = 60 if how == "lingers" else 0.3
socket, events, over = directory / "it.sock", Events(), threading.Event()
log, heartbeat = ProcessLog(socket, events), Heartbeat(socket, ("main",))
ops = process_ops.ProcessOps(heartbeat, log, over.set)

def stop(*_):
    ops.call_off()
    over.set()

signal.signal(signal.SIGTERM, stop)
with (directory / "starts").open("a") as starts:
    starts.write("x")
os.set_inheritable(os.open(directory / "device", os.O_RDWR | os.O_CREAT), True)  # as libraries in C do
server = ControlServer(socket, ops.handlers(), events)
while how == "hangs" or not over.wait(0.02):
    time.sleep(0.02)
while how == "lingers" and not (directory / "go").exists():
    (directory / "lingers").touch()
    time.sleep(0.02)
server.close()
process_ops.begin_anew_if(lambda: ops.restart)
"""


class Process:
    def __init__(self, directory: Path, how: str) -> None:
        self.socket, self._starts = directory / "it.sock", directory / "starts"
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(directory), how])
        assert wait_until(self.answers, 30)

    def answers(self) -> bool:
        with suppress(ControlError):
            return bool(ask(self.socket, "health"))
        return False

    def holds(self, file: Path) -> int:
        """How many times it has `file` open."""
        descriptors = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return [one.readlink() for one in descriptors if one.is_symlink()].count(file)

    @property
    def starts(self) -> int:
        return len(self._starts.read_text())


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    made: list[Process] = []
    yield made
    for one in made:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("how", ["ends", "hangs"])
def test_it_answers_and_begins_anew_as_the_same_process_even_if_its_loop_hangs(
    how: str, tmp_path: Path, started: list[Process]
) -> None:
    process = Process(tmp_path, how)
    started.append(process)
    for starts in (2, 3):
        assert ask(process.socket, "restart", timeout=30) == {"ok": True, "restarting": True}
        assert wait_until(lambda starts=starts: process.starts == starts and process.answers(), 30)
    assert process.holds(tmp_path / "device") == 1, "what held the device is gone, and it is free again"
    assert process.process.poll() is None


def test_many_who_ask_at_once_do_not_hurt_it(tmp_path: Path, started: list[Process]) -> None:
    process = Process(tmp_path, "ends")
    started.append(process)

    def again() -> None:
        with suppress(ControlError):  # it is on its way already
            ask(process.socket, "restart", timeout=30)

    threads = [threading.Thread(target=again) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wait_until(lambda: process.starts >= 2 and process.answers(), 30)
    assert process.process.poll() is None


def test_a_signal_that_comes_meanwhile_ends_it_for_good(tmp_path: Path, started: list[Process]) -> None:
    process = Process(tmp_path, "lingers")
    started.append(process)
    ask(process.socket, "restart", timeout=30)
    assert wait_until((tmp_path / "lingers").exists, 30)
    process.process.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert process.process.wait(30) in (0, -signal.SIGTERM)
    assert process.starts == 1


def test_a_wrong_number_of_lines_is_refused(tmp_path: Path, started: list[Process]) -> None:
    process = Process(tmp_path, "ends")
    started.append(process)
    for most in (0, -1, 501, "5", 1.0, True, None):
        with pytest.raises(ControlError, match="most: a whole number from 1 to 500"):
            ask(process.socket, "log", most=most)
    assert ask(process.socket, "log", most=1)["lines"]
