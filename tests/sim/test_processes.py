"""Processes kept running: one that dies is started again until it is told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.sim import processes
from tests.sim.campus import Campus
from tests.sim.conftest import running_in
from tests.sim.network import free_port
from tests.sim.processes import Supervised, stop_all, wait_until


class _Central:
    def __init__(self, campus: Campus) -> None:
        self.directory = campus.site.directory
        self.port = free_port()
        arguments = ["central", "run", "--dir", str(self.directory), "--port", str(self.port)]
        self.process = Supervised("central", arguments, self.directory / "log")

    def answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/v1/counts", timeout=1).ok
        except requests.RequestException:
            return False


@pytest.fixture
def central(campus: Campus) -> Iterator[_Central]:
    """A supervised central that answers."""
    made = _Central(campus)
    assert wait_until(made.answers, 60)
    yield made
    made.process.stop()
    assert running_in(made.directory) == []


def test_a_killed_process_is_started_again_every_time(central: _Central) -> None:
    for starts in (2, 3):
        (pid,) = running_in(central.directory)
        central.process.kill()
        assert wait_until(lambda starts=starts: central.process.starts == starts, 60)
        assert wait_until(central.answers, 60)
        assert running_in(central.directory) != [pid]


def test_a_stopped_process_stays_away(central: _Central) -> None:
    central.process.stop()
    assert running_in(central.directory) == []
    time.sleep(0.5)
    assert central.process.starts == 1
    assert not central.answers()


def test_a_process_that_does_not_heed_is_killed(central: _Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_STOP_WITHIN", 0.5)
    (pid,) = running_in(central.directory)
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    assert central.process.stop() == -signal.SIGKILL
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_interrupt_does_not_leave_half_of_them_running(
    central: _Central, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.default_int_handler)

    class Impatient(Supervised):
        def __init__(self) -> None: ...

        def stop(self) -> int:
            os.kill(os.getpid(), number)
            return 0

    try:
        with pytest.raises(KeyboardInterrupt):
            stop_all([Impatient(), central.process])
    finally:
        signal.signal(number, before)
    assert running_in(central.directory) == []


def test_the_first_start_may_be_another_command(tmp_path: Path) -> None:
    note = tmp_path / "note"
    first = ["-c", f"open({str(note)!r}, 'a').write('first')"]
    process = Supervised("version", ["--version"], tmp_path / "log", first=first)
    assert wait_until(lambda: process.starts >= 3, 60)
    process.stop()
    assert note.read_text() == "first"
    assert "campusgate" in (tmp_path / "log").read_text()


def test_output_is_kept_over_restarts(tmp_path: Path) -> None:
    process = Supervised("wrong", ["no-such-command"], tmp_path / "log")
    assert wait_until(lambda: (tmp_path / "log").read_text().count("no-such-command") >= 2, 60)
    process.stop()


def test_waiting_ends_at_once_when_it_is_true_and_in_time_when_it_is_not() -> None:
    begun = time.monotonic()
    assert wait_until(lambda: True, 5)
    assert time.monotonic() - begun < 0.5
    assert not wait_until(lambda: False, 0.2)
    assert 0.15 < time.monotonic() - begun < 1.5
