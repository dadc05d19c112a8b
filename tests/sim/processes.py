"""Processes kept running, as systemd would: one that dies is started again, its output kept in a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_CAMPUSGATE = ["-c", "from config.cli import main; main()"]
_RESTART_AFTER = 0.2  # seconds
_STOP_WITHIN = 10.0  # seconds before SIGTERM becomes SIGKILL


class Supervised:
    """Runs `campusgate` with `arguments` until stopped. log: the file that gets its output.

    first: arguments of the interpreter for the first start, when that one is to be another.
    """

    def __init__(self, name: str, arguments: list[str], log: Path, *, first: list[str] | None = None) -> None:
        self.name = name
        self._command = [*_CAMPUSGATE, *arguments]
        self._log = log
        self._stopping = threading.Event()
        self.starts = 0
        self._process = self._start(first or self._command)
        self._watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)
        self._watcher.start()

    def kill(self) -> None:
        """SIGKILL, now or, if it is just being started again, as soon as it runs; it is started again."""
        while self._process.poll() is not None and not self._stopping.wait(0.01):
            pass
        self._process.kill()

    def stop(self) -> int:
        """Ask it to stop and wait; its exit status (negative: the signal that had to end it)."""
        self._stopping.set()
        self._watcher.join()
        self._process.terminate()
        try:
            return self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches the demo, which stops them in order.
                process_group=0,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def _watch(self) -> None:
        while not self._stopping.wait(0.05):
            if self._process.poll() is not None and not self._stopping.wait(_RESTART_AFTER):
                self._process = self._start(self._command)


def wait_until(condition: object, seconds: float) -> bool:
    """Call `condition` until it is true or `seconds` have passed; whether it became true."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """In here Ctrl-C, SIGTERM and SIGHUP wait; at the end, one that came is raised as KeyboardInterrupt."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def stop_all(processes: list[Supervised]) -> None:
    """Stop them one after the other, however the one before went; a second Ctrl-C waits until they are."""
    with uninterrupted():
        for process in processes:
            process.stop()
