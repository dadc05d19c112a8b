"""The journal's room on the disk: what was sent is purged in small steps; what is left is watched.

A step does one small thing and is called when nobody stands at the gate. Sent records are kept for a set
time by their own clock; when room runs out those that central has go sooner. Nothing unsent ever goes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hw.clock import Moment
from terminal.journal import Journal
from terminal.journal_recovery import set_aside

log = logging.getLogger(__name__)

_STEP = 200  # records looked at or purged in one step
_SCRUB = 50  # unsent records read back in one step
_LOOK_AGAIN = 60.0  # seconds between two looks for old records when there were none
_WARN, _SCARCE = 0.80, 0.95


class Room(StrEnum):
    """How much room there is: enough, 80 % used, 95 % used."""

    ENOUGH = "enough"
    LOW = "low"
    SCARCE = "scarce"


class Housekeeping:
    """Keeps `journal` within `quota` bytes. keep: how long sent records stay."""

    def __init__(self, journal: Journal, *, quota: int, keep: timedelta) -> None:
        self._journal, self._quota, self._keep = journal, quota, keep
        self.used = 0.0  # part of the room there is for the journal
        self.room = Room.ENOUGH
        self.unrecorded = 0  # scans left out because room was scarce
        self._looked = self._purgeable = self._scrubbed = 0  # sequences
        self._look_at = 0.0  # monotonic seconds

    def step(self, now: Moment) -> None:
        """Do the next small thing. Raises: JournalError; OSError when the disk does not say its room."""
        self._measure()
        sent = self._sent()
        # The newest that was sent stays: it is what receipts are checked against.
        through = sent - 1
        if self.room is not Room.ENOUGH:
            self._journal.purge(through, records=_STEP)
        elif now.trusted and now.monotonic >= self._look_at:
            self._purge_old(now, through)
        self._scrub(sent)

    def status(self) -> Mapping[str, Any]:
        """The journal as `campusgate terminal status` shows it."""
        opened = self._journal.opened
        return {
            "opened": asdict(opened),
            "set_aside": set_aside(self._journal.path),
            "room": str(self.room),
            "used": round(self.used, 3),
            "quota": self._quota,
            "shrinks": self._journal.shrinks,
            "unrecorded": self.unrecorded,
        }

    def notices(self) -> tuple[str, ...]:
        """What staff should read on the screen."""
        lines = []
        if recovered := self._journal.opened.recovered:
            gone = sum(last - first + 1 for first, last in recovered.lost)
            lines.append(f"journal was damaged, {gone} numbers lost / 记录文件曾损坏")
        if self.room is not Room.ENOUGH:
            lines.append(f"journal {self.used:.0%} full / 存储空间不足")
        return tuple(lines)

    def _sent(self) -> int:
        """Up to where central has everything; 0 when the receipt does not fit. Raises: JournalError."""
        receipt = self._journal.receipt()
        events = self._journal.events(receipt.through, records=1)
        return receipt.through if events and events[0].fits(receipt.through, receipt.digest) else 0

    def _measure(self) -> None:
        path = self._journal.path
        files = (path, path.with_name(f"{path.name}-wal"))
        taken = sum(file.stat().st_size for file in files if file.exists()) - self._journal.free_bytes()
        disk = os.statvfs(path.parent)
        share = min(self._quota, disk.f_blocks * disk.f_frsize)
        self.used = max(taken / self._quota, 1 - disk.f_bavail * disk.f_frsize / share)
        room = Room.SCARCE if self.used >= _SCARCE else Room.LOW if self.used >= _WARN else Room.ENOUGH
        if room is not self.room:
            log.warning("the journal's room is %.0f %% used: %s", self.used * 100, room)
        self.room = room

    def _purge_old(self, now: Moment, through: int) -> None:
        """Purge up to the newest record that is known to be old enough; those before it are older."""
        cutoff: datetime = now.wall - self._keep
        before = self._looked
        for event in self._journal.events(self._looked + 1, records=_STEP):
            if event.sequence > through or (event.clock_trusted and event.time > cutoff):
                break
            self._looked = event.sequence
            if event.clock_trusted:
                self._purgeable = event.sequence
        purged = self._journal.purge(min(self._purgeable, through), records=_STEP)
        if not purged and self._looked == before:
            self._look_at = now.monotonic + _LOOK_AGAIN

    def _scrub(self, through: int) -> None:
        """Read back some of what central lacks, round and round: what is damaged is noticed here."""
        events = self._journal.events(max(self._scrubbed, through) + 1, records=_SCRUB)
        self._scrubbed = events[-1].sequence if len(events) == _SCRUB else 0
