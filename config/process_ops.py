"""The control ops that every process has: health, version, log, restart."""

from __future__ import annotations

import logging
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from config import VERSION
from config.control import Handler
from config.heartbeat import HUNG_AFTER, Heartbeat
from config.process_log import KEPT, ProcessLog

log = logging.getLogger(__name__)

_STANDARD_ERROR = 2


class ProcessOps:
    """Answers them. stop: makes the process's main loop end soon, unless it hangs."""

    def __init__(self, heartbeat: Heartbeat, log: ProcessLog, stop: Callable[[], None]) -> None:
        self._heartbeat, self._log, self._stop = heartbeat, log, stop
        self.restart = False
        """Whether the process is to begin anew once its main loop has ended; see `begin_anew_if`."""

    def handlers(self) -> dict[str, Handler]:
        """The ops by name."""
        return {
            "health": lambda _: self._heartbeat.health(),
            "version": lambda _: versions(),
            "log": self._on_log,
            "restart": self._on_restart,
        }

    def _on_log(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        most = request.get("most", KEPT)
        if type(most) is not int or not 1 <= most <= KEPT:
            raise ValueError(f"most: a whole number from 1 to {KEPT}")
        return {"lines": self._log.lines(most)}

    def _on_restart(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        del request
        if not self.restart:
            self.restart = True
            forced = threading.Timer(HUNG_AFTER, self._begin_anew_all_the_same)
            forced.daemon = True  # it keeps no process alive that is told to end meanwhile
            forced.start()
            self._stop()
        return {"restarting": True}

    def call_off(self) -> None:
        """Somebody else wants the process to end, and not to begin anew. For a signal handler."""
        self.restart = False

    def _begin_anew_all_the_same(self) -> None:
        """The kernel closes what hangs, as after a kill."""
        if self.restart:
            log.critical("a loop hangs and does not end: the process begins anew without it")
            _begin_anew()


def versions() -> dict[str, str]:
    """What runs here."""
    return {
        "campusgate": VERSION,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def begin_anew_if(asked: Callable[[], bool]) -> None:
    """Become the same command again, if that was asked for; for the end of a command.

    A signal that ends the process is from here on left to the kernel: before, its handler calls that off.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if asked():
        _begin_anew()


def _begin_anew() -> None:
    """With whatever is on disk now, whether a supervisor watches or not.

    Nothing but the standard streams is handed on: libraries in C open devices without O_CLOEXEC, and a camera
    that hangs would stay busy with its own successor.
    """
    for descriptor in Path("/proc/self/fd").iterdir():
        if int(descriptor.name) > _STANDARD_ERROR:
            with suppress(OSError):  # that of this listing
                os.set_inheritable(int(descriptor.name), False)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell, our own arguments
