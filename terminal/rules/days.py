"""Local days as Unix seconds: until when a mark of a day counts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from terminal.situation import Scene

DAY = 86_400  # seconds
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999


def end_of_day(scene: Scene, at: int) -> int:
    """When the local day of `at` ends. Both are Unix seconds; a day may have 23 or 25 hours."""
    calendar = scene.policy.calendar
    local = calendar.local(datetime.fromtimestamp(min(max(at, _FIRST), _LAST), UTC))
    return int(datetime.combine(local.date() + timedelta(days=1), time(), calendar.zone).timestamp())
