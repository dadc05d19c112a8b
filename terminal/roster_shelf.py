"""Which roster is in use: the newest on disk that verifies; another leaves the last good one in place."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hw.clock import Moment
from terminal.reasons import Reason
from terminal.roster import Roster, RosterRefused

log = logging.getLogger(__name__)

RETRY_AFTER = 10.0  # seconds; a refusal may be of the moment: a full disk, a clock not yet set


class RosterShelf:
    """Opens rosters as they come; `refused` says why the newest on disk is not the one in use.

    device: as in `Roster`.
    """

    def __init__(self, mirror: Path, trust: Path, root: bytes, device: str = "") -> None:
        self._mirror, self._trust, self._root, self._device = mirror, trust, root, device
        self._roster: Roster | None = None
        self._stamp: tuple[int, int] | None = None
        self._retry_at = 0.0
        self.refused: RosterRefused | None = None

    def refresh(self) -> None:
        """Take up what the sync daemon has put on disk since the last look. Never raises."""
        try:
            stat = (self._mirror / "metadata" / "timestamp.json").stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            stamp = (0, 0)
        now = time.monotonic()
        if stamp == self._stamp and (self.refused is None or now < self._retry_at):
            return
        self._stamp, self._retry_at = stamp, now + RETRY_AFTER
        try:
            self._roster = Roster(self._mirror, self._trust, self._root, self._device)
            self.refused = None
            log.info("roster version %d: %d people", self._roster.version, self._roster.people)
        except RosterRefused as refused:
            if str(refused) != str(self.refused):
                log.warning("roster on disk refused: %s", refused)
            self.refused = refused

    def statement_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys of central's statements, whatever the clock says; none without a roster.

        Raises: RosterRefused when the manifest was altered.
        """
        return self._roster.statement_keys() if self._roster else ()

    def current(self, now: Moment) -> Roster:
        """The roster in use. Raises: RosterRefused when there is none, or it has expired."""
        if self._roster is None:
            raise self.refused or RosterRefused(Reason.ROSTER_MISSING, "no roster yet")
        if now.trusted:
            self._roster.check_expiry(now.wall)
        return self._roster
