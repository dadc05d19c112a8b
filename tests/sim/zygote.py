"""Real processes, started in milliseconds: a process that has imported everything and forks them (zygote).

A fork of it becomes terminal, sync daemon or central by running the same `campusgate` command that a shell
would run, with its own process id, memory and death. Only the second that the imports take is saved.

python -m tests.sim.zygote DESCRIPTOR is what `Zygote` starts; the two speak JSON over a socket pair.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.sim.die_at import Step, arm

Call = Sequence[Any]  # "module:function" and its arguments, which are what JSON can say

_IMPORTED = (
    "config.cli",
    "sync.cli",
    "sync.daemon",
    "sync.central.app",
    "sync.central.cli",
    "sync.central.publisher",
    "terminal.app",
    "terminal.cli",
    "tests.sim.clockwork",
    "tests.sim.die_at",
    "tests.sim.sabotage",
    "tests.sim.writer",
    "uvicorn.lifespan.off",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_MESSAGE = 65_536  # bytes


class Zygote:
    """A running zygote; use it from any thread, and `close` it: all that it started then ends."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Without coverage: what it measures is lost with a process that is killed, and it costs time.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.sim.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
                env={**environment, "OPENBLAS_NUM_THREADS": "1", "SDL_VIDEODRIVER": "dummy"},
                start_new_session=True,  # Ctrl-C is for whoever uses it
            )
        self._lock = threading.Lock()
        if self._answer() is None:
            raise RuntimeError("the zygote did not start")

    def fork(self, calls: Sequence[Call], log: Path) -> Fork:
        """A new process that makes `calls` one after the other and ends. log: gets its output."""
        return Fork(self, int(self._ask("fork", [list(call) for call in calls], str(log))))

    def statuses(self, forks: Iterable[Fork]) -> list[int | None]:
        """For each None while it runs, then its exit status, negative for the signal that ended it."""
        statuses: list[int | None] = self._ask("statuses", [one.pid for one in forks])
        return statuses

    def close(self) -> None:
        """Kill whatever still runs."""
        self._socket.close()
        self._process.wait()

    def _ask(self, *request: Any) -> Any:
        with self._lock:
            self._socket.sendall(json.dumps(request).encode())
            return self._answer()

    def _answer(self) -> Any:
        message = self._socket.recv(_MESSAGE)
        return json.loads(message) if message else None


class Fork:
    """One process that a zygote started. Its parent alone may wait for it, and does all of this."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote, self.pid = zygote, pid

    def status(self) -> int | None:
        """None while it runs; then the exit status, negative for the signal that ended it."""
        return self._zygote.statuses([self])[0]

    def signal(self, number: signal.Signals) -> None:
        """Send `number`; SIGKILL waits until it is dead."""
        self._zygote._ask("signal", self.pid, int(number))

    def stop(self, within: float = 5.0) -> int:
        """SIGTERM, and SIGKILL when it has not ended `within` seconds; the exit status."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + within
        while (status := self.status()) is None:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.01)
        return status


def campusgate(*arguments: str) -> None:
    """Be the command `campusgate` with these arguments."""
    from config.cli import main

    sys.argv = ["campusgate", *arguments]
    main()


def die_at(target: str, after: bool, nth: int, argument: str) -> None:
    """Let this process die at the `Step` of these fields."""
    arm(Step(target, after, nth, argument))


def serve(channel: socket.socket) -> None:
    """Fork, signal and wait, as asked on `channel`, until the other end closes."""
    ended: dict[int, int | None] = {}
    while message := channel.recv(_MESSAGE):
        what, *arguments = json.loads(message)
        answer: Any = None
        if what == "fork":
            calls, log = arguments
            answer = os.fork()
            if answer == 0:
                channel.close()
                _be(calls, log)
            ended[answer] = None
        elif what == "signal":
            pid, number = arguments
            if _status(ended, pid) is None:
                os.kill(pid, number)
                if number == signal.SIGKILL:
                    ended[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            answer = [_status(ended, pid) for pid in arguments[0]]
        channel.sendall(json.dumps(answer).encode())
    for pid in ended:
        if _status(ended, pid) is None:
            os.kill(pid, signal.SIGKILL)


def _status(ended: dict[int, int | None], pid: int) -> int | None:
    if ended[pid] is None:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


def _be(calls: list[Call], log: str) -> None:
    status = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        random.seed()
        for name, *arguments in calls:
            module, _, function = name.partition(":")
            getattr(importlib.import_module(module), function)(*arguments)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it was, a fork never returns into the zygote
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for imported in _IMPORTED:
        importlib.import_module(imported)
    gc.collect()
    gc.freeze()  # what is shared stays shared: no collection touches it
    with socket.socket(fileno=int(sys.argv[1])) as line:
        line.sendall(b"true")
        serve(line)
