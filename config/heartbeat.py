"""Whether a process's loops still go round: told by itself while it can, and by a file when it cannot.

Each loop calls `beat` in every round. The oldest beat stands in NAME.alive beside NAME.sock, so that whoever
gets no answer can tell "hung since" from "not running". The file is on a tmpfs and holds one line: the boot's
id, CLOCK_BOOTTIME in seconds, and the process's id. It is never made durable: it says nothing after a boot.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from config.files import give_to_group

log = logging.getLogger(__name__)

HUNG_AFTER = 5.0  # seconds without a round
_WRITE_EVERY = 1.0  # seconds
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Heartbeat:
    """The beats of the loops named `loops`. Never waits for anything. group: may read the file.

    Raises: OSError when the file cannot be made, SettingsError when the group cannot have it.
    """

    def __init__(self, socket: Path, loops: Sequence[str], *, group: str | None = None) -> None:
        begun = _uptime()
        self._begun = begun
        self._beats = dict.fromkeys(loops, begun)
        self._boot = _boot()
        path = alive_file(socket)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # of a process that ended; it may have run as somebody else
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._failed = False
        give_to_group(path, group)
        self._write(begun)

    def beat(self, loop: str) -> None:
        """`loop` went round. Never raises: a full tmpfs must not stop what beats."""
        now = self._beats[loop] = _uptime()
        if now - self._written >= _WRITE_EVERY:
            self._write(now)

    def health(self) -> dict[str, Any]:
        """The answer to the op "health". Takes no lock that a hung loop could hold."""
        now = _uptime()
        loops = {loop: round(now - beat, 1) for loop, beat in self._beats.items()}
        longest = max(loops.values())
        hung = longest > HUNG_AFTER
        return {
            "state": "hung" if hung else "well",
            "since": _wall(longest) if hung else None,
            "seconds": longest if hung else 0.0,
            "loops": loops,
            "uptime": round(now - self._begun),
            "begun": round(self._begun, 3),
        }

    def close(self) -> None:
        """Leave the file as it is: it says when the process was alive."""
        descriptor, self._file = self._file, -1  # a late beat must not go into another's file
        os.close(descriptor)

    def _write(self, now: float) -> None:
        self._written = now
        # Always as long, in one write: a reader sees a whole line.
        line = f"{self._boot:36} {min(self._beats.values()):020.3f} {os.getpid():010}\n"
        try:
            os.pwrite(self._file, line.encode("ascii"), 0)
        except OSError as error:
            if not self._failed:
                log.error("the heartbeat cannot be written: %s", error.strerror)
            self._failed = True


def alive_file(socket: Path) -> Path:
    """Where the process behind `socket` leaves its beats."""
    return socket.with_suffix(".alive")


def since_alive(socket: Path) -> float | None:
    """Seconds since the process behind `socket` was alive; None when nothing tells, as after a boot."""
    try:
        boot, beat, _ = alive_file(socket).read_text("ascii").split()
        if boot != _boot():
            return None
        seconds = _uptime() - float(beat)
    except (OSError, ValueError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def last_alive(socket: Path) -> str:
    """When the process behind `socket` was alive, such as "12:03:11 UTC (14 s)"; "" when nothing tells."""
    seconds = since_alive(socket)
    return "" if seconds is None else ago(min(seconds, _uptime()))


def ago(seconds: float) -> str:
    """The time so long ago, such as "12:03:11 UTC (14 s)"."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%H:%M:%S} UTC ({seconds:.0f} s)"


def _wall(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    return _BOOT_ID.read_text("ascii").strip()
