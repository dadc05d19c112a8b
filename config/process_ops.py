"""The control ops that every process has: health, version, log, restart."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from config import VERSION
from config.control import Handler
from config.heartbeat import Heartbeat
from config.process_log import KEPT, ProcessLog

_ANSWERED = 0.2  # seconds for the answer to leave before the process goes


class ProcessOps:
    """Answers them. stop: makes the process's main loop end soon."""

    def __init__(self, heartbeat: Heartbeat, log: ProcessLog, stop: Callable[[], None]) -> None:
        self._heartbeat, self._log, self._stop = heartbeat, log, stop
        self.restart = False
        """Whether the process is to begin anew once its main loop has ended; see `begin_anew`."""

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
        if not isinstance(most, int) or not 1 <= most <= KEPT:
            raise ValueError(f"most: a whole number from 1 to {KEPT}")
        return {"lines": self._log.lines(most)}

    def _on_restart(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        del request
        self.restart = True
        threading.Timer(_ANSWERED, self._stop).start()
        return {"restarting": True}


def versions() -> dict[str, str]:
    """What runs here."""
    return {
        "campusgate": VERSION,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def begin_anew() -> None:
    """Become the same command again, with whatever is on disk now, whether a supervisor watches or not."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell, our own arguments
