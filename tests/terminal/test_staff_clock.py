"""The time that staff set by hand: how it reaches a clock, and every file that must not."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import Source, SystemClock
from terminal.staff_clock import StaffClock, leave, left
from tests.hw.test_clock import BOOT, OTHER, SetSources

SAID = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "staff-time.json"


def test_what_was_set_counts_on_in_that_boot_and_in_no_other(file: Path):
    assert left(file, boot=BOOT) is None
    leave(file, SAID, boot=BOOT)
    anchor = left(file, boot=BOOT)
    assert anchor is not None
    assert anchor.basis.source is Source.STAFF
    now = anchor.at(time.clock_gettime(time.CLOCK_BOOTTIME))
    assert timedelta(0) <= now - SAID + timedelta(milliseconds=1) < timedelta(seconds=30)
    assert left(file, boot=OTHER) is None
    leave(file, SAID, boot="")
    assert left(file, boot="") is None, "a machine that cannot name its boot"


def test_a_running_clock_takes_it_up_and_takes_up_the_next_one(file: Path):
    clock = SystemClock(sources=SetSources())
    staff = StaffClock(file, clock)
    staff.refresh()
    assert clock.now().basis.source is Source.NONE
    for said in (SAID, SAID + timedelta(days=1)):
        leave(file, said, boot=BOOT)
        staff.refresh()
        now = clock.now()
        assert (now.basis.source, now.trusted) == (Source.STAFF, True)
        assert timedelta(seconds=-1) < now.wall - said < timedelta(seconds=30)


def test_a_damaged_file_is_said_once_and_changes_nothing(file: Path, caplog: pytest.LogCaptureFixture):
    clock = SystemClock(sources=SetSources())
    staff = StaffClock(file, clock)
    leave(file, SAID, boot=BOOT)
    staff.refresh()
    file.write_text("{")
    os.utime(file, ns=(1, 1))
    for _ in range(3):
        staff.refresh()
    assert clock.now().basis.source is Source.STAFF
    assert caplog.text.count("is damaged") == 1


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "time": st.text(max_size=30) | st.datetimes().map(datetime.isoformat) | st.none(),
        "boot": st.text(max_size=20) | st.none(),
        "uptime": st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=1),
    },
)


@given(data=st.binary(max_size=60) | DOCUMENTS.map(lambda document: json.dumps(document).encode()))
def test_whatever_the_file_holds_it_gives_a_time_or_the_error_of_a_damaged_one(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
):
    file = tmp_path_factory.getbasetemp() / "staff-time.json"
    file.write_bytes(data)
    with contextlib.suppress(ValueError):
        anchor = left(file, boot=BOOT)
        assert anchor is None or anchor.time.tzinfo is UTC
