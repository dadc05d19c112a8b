"""The clock: the time, and whether to believe it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from hw import clock
from hw.clock import MADE, SystemClock


def test_tells_the_time_in_utc_and_monotonic_seconds():
    moment = SystemClock().now()
    assert abs(moment.wall.timestamp() - time.time()) < 1
    assert moment.wall.tzinfo is UTC
    assert 0 <= time.monotonic() - moment.monotonic < 1


def test_a_time_before_this_version_was_made_is_not_trusted(monkeypatch: pytest.MonkeyPatch):
    class Pi(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1970, 1, 1, 0, 1, tzinfo=tz)

    monkeypatch.setattr(clock, "datetime", Pi)
    moment = SystemClock().now()
    assert moment.wall.year == 1970
    assert not moment.trusted


def test_a_time_before_the_newest_record_is_not_trusted():
    now = datetime.now(UTC)
    assert not SystemClock(floor=now + timedelta(minutes=5)).now().trusted
    assert SystemClock(floor=now - timedelta(minutes=5)).now().trusted


def test_a_floor_older_than_this_version_does_not_lower_it(monkeypatch: pytest.MonkeyPatch):
    class Early(datetime):
        @classmethod
        def now(cls, tz=None):
            return (MADE - timedelta(seconds=1)).astimezone(tz)

    monkeypatch.setattr(clock, "datetime", Early)
    assert not SystemClock(floor=datetime(2000, 1, 1, tzinfo=UTC)).now().trusted


def test_monotonic_time_never_runs_backwards():
    system = SystemClock()
    moments = [system.now().monotonic for _ in range(1000)]
    assert moments == sorted(moments)
