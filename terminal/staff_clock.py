"""The time that maintenance staff set by hand, as the console leaves it in staff-time.json.

It vouches for the time of this boot where nothing better does: neither network, nor RTC, nor central's
signature. Whoever may write the file may set this machine's clock too, so it is not signed.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.files import write_atomic
from config.settings import Settings
from hw.clock import Anchor, Basis, Source, SystemClock

log = logging.getLogger(__name__)

_MAX_FILE = 1024  # bytes


def leave(path: Path, at: datetime, *, boot: str) -> None:
    """Tell the terminal, through the file `path`, that staff says it is `at` (aware) now. Raises: OSError."""
    uptime = round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
    document = {"time": at.isoformat(), "boot": boot, "uptime": uptime}
    write_atomic(path, json.dumps(document).encode())


def left(path: Path, *, boot: str) -> Anchor | None:
    """The time that staff set in this boot, if they did. Raises: ValueError for a damaged file; OSError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE)
    except FileNotFoundError:
        return None
    try:
        document = json.loads(data)
        at = datetime.fromisoformat(document["time"]).astimezone(UTC)
        of_boot, uptime = str(document["boot"]), float(document["uptime"])
        timedelta(seconds=uptime)  # a number that is none, or counts nothing
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: is damaged: {error!r:.80}; set the time again") from error
    return Anchor(at, Basis(Source.STAFF, boot, uptime)) if boot and of_boot == boot else None


def machine_clock(settings: Settings) -> SystemClock:
    """This machine's clock as another process than the terminal sees it: with what staff says of it."""
    clock = SystemClock(trust=settings.clock.trust)
    StaffClock(settings.staff_time, clock).refresh()
    return clock


class StaffClock:
    """Gives `clock` the time that staff set last; call `refresh` now and then."""

    def __init__(self, path: Path, clock: SystemClock) -> None:
        self._path, self._clock = path, clock
        self._seen: object = None

    def refresh(self) -> None:
        """Look at the file, and read it if it is a new one. Never raises."""
        try:
            stat = self._path.stat()
        except OSError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._clock.use_staff(left(self._path, boot=self._clock.now().basis.boot))
        except (OSError, ValueError) as error:
            log.warning("the time that staff set: %s", error)
