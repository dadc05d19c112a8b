"""The journal of the running terminal: opened when that can be; damage beyond repair stops nothing else."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hw.clock import SystemClock
from terminal.journal_keeping import JournalKeeping
from terminal.provision import trust
from tests.sim.campus import build
from tests.terminal.test_journal_faults import file_size_limit
from tests.terminal.world import scan_record


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[JournalKeeping]:
    settings = build(tmp_path, seed=2, link_url="http://127.0.0.1:9").settings
    made = JournalKeeping(settings, trust(settings), SystemClock())
    yield made
    made.close()


def test_it_is_tried_again_but_not_at_once_until_it_can_be_opened(keeping: JournalKeeping) -> None:
    path = keeping._settings.journal
    path.mkdir(parents=True)
    now = time.monotonic()
    assert keeping.open(now)
    assert (keeping.journal, keeping.waiting(), keeping.status()) == (None, 0, {})
    assert str(path) in keeping.error
    assert not keeping.open(now)
    path.rmdir()
    assert keeping.open(now + 1000)
    assert (keeping.error, keeping.journal is not None) == ("", True)
    assert not keeping.open(now + 2000)


def test_damage_that_cannot_be_repaired_now_is_said_and_raises_nothing(keeping: JournalKeeping) -> None:
    keeping.open(time.monotonic())
    journal = keeping.journal
    assert journal
    at = datetime(2026, 12, 1, tzinfo=UTC)
    for number in range(200):
        journal.append(scan_record(number, happened_at=at))
    assert keeping.waiting() == 200
    with sqlite3.connect(journal.path) as db:
        db.execute("update entry set event = substr(event, 9)")
    db.close()
    journal._trusted_time, journal._time_looked_for = None, False  # so that the look reads records
    with file_size_limit(4096):
        keeping.look()
        assert "damaged" in keeping.error
        keeping.look()
        keeping.step(time.monotonic(), float("-inf"))
        assert "damaged" in keeping.error
    journal._repair_at = 0.0
    keeping.look()
    assert keeping.error == ""
    assert journal.opened.recovered


def test_the_newest_record_is_a_floor_for_the_clock(keeping: JournalKeeping) -> None:
    keeping.open(time.monotonic())
    assert keeping.journal
    at = datetime(2026, 12, 1, tzinfo=UTC)
    keeping.journal.append(scan_record(happened_at=at))
    keeping.look()
    assert keeping._clock.floor == at
