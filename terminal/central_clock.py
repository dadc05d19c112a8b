"""Takes up the time that central signed whenever the sync daemon has left a new one."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.settings import Settings
from hw.clock import Anchor, SystemClock
from terminal.central_time import MAX_FILE, TimeRefused, anchor
from terminal.roster_refused import RosterRefused
from terminal.roster_shelf import RosterShelf

log = logging.getLogger(__name__)


class CentralClock:
    """Gives `clock` the newest time in clock.json that verifies; `refused` says why the last one does not."""

    def __init__(self, settings: Settings, clock: SystemClock) -> None:
        self._path, self._device, self._clock = settings.clock_offer, settings.device.name, clock
        self._seen: tuple[bytes, object] | None = None
        self.refused = ""

    def refresh(self, shelf: RosterShelf) -> None:
        """Look at the file, and at it again when the roster's keys have changed. Never raises."""
        try:
            data = _read(self._path)
        except FileNotFoundError:
            return  # a clock that nobody offered a time for keeps what it has
        except OSError as error:
            self._say(f"{self._path}: cannot be read: {error.strerror}")
            return
        try:
            keys = shelf.statement_keys()
            seen = (data, tuple(key.public_bytes_raw() for key in keys))
            if seen == self._seen:
                return
            self._clock.use(self._anchor(data, keys))
            self._seen = seen
            self._say("")
        except (TimeRefused, RosterRefused) as refused:
            self._say(f"{self._path}: {refused}")

    def _anchor(self, data: bytes, keys: tuple[Ed25519PublicKey, ...]) -> Anchor:
        boot = self._clock.now().basis.boot
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        return anchor(data, keys, device=self._device, boot=boot, uptime=uptime, floor=self._clock.floor)

    def _say(self, refused: str) -> None:
        if refused != self.refused:
            log.warning("central's time: %s", refused or "taken")
            self.refused = refused


def _read(path: Path) -> bytes:
    """At most `MAX_FILE` bytes. A pipe in the file's place neither hangs nor floods. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, MAX_FILE)
    finally:
        os.close(descriptor)
