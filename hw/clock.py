"""The clock, and whether to believe it.

A Pi without an RTC boots at its last shutdown time or in 1970. So wall time is trusted only while it is not
before a floor that the caller knows to be past: the newest record, or the day this version was made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

MADE = datetime(2026, 11, 1, tzinfo=UTC)
"""No terminal with this version ran before this."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the clock: UTC wall time, monotonic seconds, and whether the wall time is believable."""

    wall: datetime
    monotonic: float
    trusted: bool


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Moment:
        """The time now."""


class SystemClock:
    """The operating system's clock. floor: a time that is certainly past (UTC)."""

    def __init__(self, floor: datetime = MADE) -> None:
        self._floor = max(floor, MADE)

    def now(self) -> Moment:
        """See `Clock.now`."""
        wall = datetime.now(UTC)
        return Moment(wall, time.monotonic(), wall >= self._floor)
