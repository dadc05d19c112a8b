"""How often passwords were wrong in a row, and how long the next one is refused for it.

After the first failure 1 s, then 2, 4 ... up to 60, and after every tenth 15 minutes; the right password ends
it. One count for all accounts: guesses come down the one serial port, and spread over names they would be as
many. Logging in by key is not held up: a signature is not guessed, and staff must get in while somebody
plays.

A failure is counted, durably, before the password is even looked at, so that cutting the power instead of
waiting for the answer saves nothing. Time is CLOCK_BOOTTIME, which nothing sets; after a reboot the refusal
begins anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from config.files import locked, sync_directory, write_atomic

log = logging.getLogger(__name__)

FILE = "maintenance-attempts.json"
SLOWEST = 60.0  # seconds
LOCKED = 900.0  # seconds
LOCKED_EVERY = 10  # failures
_DAMAGED = 7  # failures that a file counts for that cannot be read: as many as cost `SLOWEST`


def boot_time() -> float:
    """Seconds since this machine booted, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class _Failures:
    """count: in a row. uptime: when the last one was, in the boot of that name."""

    count: int
    uptime: float
    boot: str

    @property
    def refused_for(self) -> float:
        """Seconds from the last one on."""
        if self.count and self.count % LOCKED_EVERY == 0:
            return LOCKED
        return min(2.0 ** min(self.count - 1, 6), SLOWEST) if self.count else 0.0


class Attempts:
    """The attempts that the file `path` counts, for every console of this machine together.

    boot: names the boot (see hw/clock_sources.py). uptime: gives seconds since then. While the file cannot be
    written, as on a card that went read-only, the count is kept in memory: nobody at the line can bring that
    about, and such a terminal needs its staff.
    """

    def __init__(self, path: Path, *, boot: str, uptime: Callable[[], float] = boot_time) -> None:
        self._path, self._boot, self._uptime = path, boot, uptime
        self._unwritten: _Failures | None = None

    def wait(self) -> float:
        """Seconds for which passwords are refused from now on; 0.0 when they are not. Raises: OSError."""
        with locked(self._path.parent):
            return self._wait(self._load())

    def begin(self) -> float:
        """Count an attempt as failed until it succeeds; 0.0. Or count nothing: `wait`. Raises: OSError."""
        with locked(self._path.parent):
            failures = self._load()
            seconds = self._wait(failures)
            if not seconds:
                self._store(_Failures(failures.count + 1, self._uptime(), self._boot))
            return seconds

    def succeeded(self) -> None:
        """Forget the failures: the password was right. Raises: OSError without a directory."""
        with locked(self._path.parent):
            self._unwritten = _Failures(0, 0.0, self._boot)
            try:
                self._path.unlink(missing_ok=True)
                sync_directory(self._path.parent)
                self._unwritten = None
            except OSError as error:
                log.warning("%s: cannot be removed: %s", self._path, error.strerror)

    def _wait(self, failures: _Failures) -> float:
        now = self._uptime()
        # Of another boot, or after now, which is as good: from this boot's beginning on.
        since = failures.uptime if failures.boot == self._boot and failures.uptime <= now else 0.0
        return max(0.0, since + failures.refused_for - now)

    def _load(self) -> _Failures:
        if self._unwritten is not None:
            return self._unwritten
        try:
            return _parsed(self._path.read_bytes())
        except FileNotFoundError:
            return _Failures(0, 0.0, self._boot)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("%s: is damaged and written anew: %r", self._path, error)
        failures = _Failures(_DAMAGED, self._uptime(), self._boot)
        self._store(failures)
        return failures

    def _store(self, failures: _Failures) -> None:
        document = asdict(failures)
        document["sha256"] = _checksum(document)
        try:
            write_atomic(self._path, json.dumps(document).encode(), mode=0o600)
            self._unwritten = None
        except OSError as error:
            log.warning("%s: cannot be written: %s", self._path, error.strerror)
            self._unwritten = failures


def _parsed(data: bytes) -> _Failures:
    """Raises: ValueError, KeyError, TypeError, AttributeError."""
    document = json.loads(data)
    if document.pop("sha256") != _checksum(document):
        raise ValueError("the checksum differs")
    return _Failures(int(document["count"]), float(document["uptime"]), str(document["boot"]))


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
