"""The journal as the running terminal keeps it: opened as soon as can be, purged, read for the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from config.settings import Settings
from hw.clock import SystemClock
from terminal.journal import Journal, JournalError
from terminal.journal_space import Housekeeping
from terminal.provision import Trust
from terminal.receipt import Receipt

log = logging.getLogger(__name__)

_RETRY = 2.0  # seconds
_EVERY = 0.5  # seconds between two steps of housekeeping
_QUIET = 3.0  # seconds since the last answer after which nobody is thought to stand there
_MEGABYTE = 1_048_576  # bytes


class JournalKeeping:
    """Opens the journal of `settings`, if need be again and again; purges it; raises the floor of `clock`.

    journal, house: None until it is open. error: why it cannot be opened or read, "" when it can.
    """

    def __init__(self, settings: Settings, trust: Trust, clock: SystemClock) -> None:
        self._settings, self._trust, self._clock = settings, trust, clock
        self.journal: Journal | None = None
        self.house: Housekeeping | None = None
        self.error = ""
        self._open_at = self._step_at = 0.0  # monotonic seconds

    def open(self, now: float) -> bool:
        """Open it, unless it is open or that was tried a moment ago; whether it was tried now.

        now: monotonic seconds.
        """
        if self.journal or now < self._open_at:
            return False
        settings, storage = self._settings, self._settings.storage
        quota = storage.quota_mb * _MEGABYTE
        try:
            journal = Journal(
                settings.journal,
                device=settings.device.name,
                central_key=self._trust.central_key,
                state_key=self._trust.state_key,
                place=settings.device.place,
                receipt=settings.receipt,
                quota=quota,
            )
        except JournalError as error:
            self._say(str(error))
        else:
            self.journal = journal
            self.house = Housekeeping(journal, quota=quota, keep=timedelta(days=storage.keep_days))
            self.look()
        # Not at once again: an attempt to recover a damaged one may have taken long.
        ended = time.monotonic()
        self._open_at = ended + max(_RETRY, 5 * (ended - now))
        return True

    def look(self) -> None:
        """Raise the clock's floor, and see whether the journal can be read. Never raises."""
        if self.journal is None:
            return
        try:
            newest = self.journal.newest_time()
        except JournalError as error:
            self._say(str(error))
            return
        self._say("")
        if newest:
            self._clock.raise_floor(newest)

    def step(self, now: float, answered_at: float) -> None:
        """Do a little housekeeping when nobody stands at the gate. Monotonic seconds. Never raises."""
        if self.house is None or now < self._step_at or now - answered_at <= _QUIET:
            return
        self._step_at = now + _EVERY
        try:
            self.house.step(self._clock.now())
        except OSError as error:
            log.error("%s", error)

    def waiting(self) -> int:
        """How many records central lacks, as far as it is known here."""
        if self.journal is None:
            return 0
        return Receipt.load(self._settings.receipt).lacking(self.journal.head.sequence)

    def status(self) -> Mapping[str, Any]:
        """See `Housekeeping.status`; nothing before the journal is open."""
        return self.house.status() if self.house else {}

    def close(self) -> None:
        """Close the file."""
        if self.journal:
            self.journal.close()

    def _say(self, error: str) -> None:
        if error and error != self.error:
            log.error("%s", error)
        self.error = error
