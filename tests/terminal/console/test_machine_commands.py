"""The clock set by hand, and the machine started anew: a simulated one, with and without a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import MADE, Source
from hw.errors import MachineError
from terminal.console.command import Refused, installed
from terminal.console.machine_commands import LATEST, given_time
from terminal.console.roles import Role
from terminal.events import rfc3339
from tests.sim.processes import wait_until
from tests.terminal.console.scripted import ScriptedSession
from tests.terminal.desk import Desk

SIMULATED = """
[machine]
driver = "simulated"
path = "machine"
"""
UNVOUCHED = """
from hw.clock_sources import MachineSources
MachineSources.kernel = lambda _: False
MachineSources.timesyncd = lambda _: None
MachineSources.rtc = lambda _: None
from config.cli import main
main()
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A terminal that is not running, on a simulated machine for whose clock nothing vouches."""
    made = Desk(tmp_path)
    file = made.campus.settings_file
    file.write_text(
        file.read_text("utf-8").replace('trust = "system"', 'trust = "auto"') + SIMULATED, "utf-8"
    )
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def session(desk: Desk) -> ScriptedSession:
    return ScriptedSession(desk.campus.settings_file)


def told(desk: Desk) -> list[str]:
    """What the machine was told."""
    file = desk.settings.path("machine")
    return file.read_text().splitlines() if file.exists() else []


def test_a_running_terminal_takes_the_time_up_and_says_that_staff_vouches(
    desk: Desk, session: ScriptedSession
) -> None:
    desk.start(UNVOUCHED)
    session.line.waiting = lambda: wait_until(lambda: bool(desk.status()["clock"]["trusted"]), 5)
    assert desk.status()["clock"]["source"] == "none"
    said = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    answer = session.give(f"time set {said.isoformat()}")
    assert answer["clock"]["source"] == "staff"
    assert answer["clock"]["problem"] == ""
    now = desk.status()["clock"]
    assert (now["source"], now["trusted"]) == ("staff", True)
    assert timedelta(0) <= datetime.fromisoformat(now["utc"]) - said < timedelta(minutes=5)
    assert "power cut" in answer["rtc"]
    assert told(desk) == [f"clock {said.isoformat()}"]
    [(action, details)] = session.recorded
    assert (action, details["to"]) == ("time set", rfc3339(said))


def test_without_a_terminal_the_time_is_set_and_kept_for_it(desk: Desk, session: ScriptedSession) -> None:
    said = MADE + timedelta(days=500)
    answer = session.give(f"time set {said.isoformat()}")
    # Network time may vouch for the clock of the machine that the tests run on.
    assert answer["clock"]["source"] in [str(source) for source in Source if source is not Source.NONE]
    assert desk.settings.staff_time.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-24T07:30:00", "says no offset from UTC"),
        ("noon", "is no time, such as 2026-11-24T07:30:00"),
        ("2026-10-31T23:59:59Z", "a time is from 2026-11-01"),
        ("1970-01-01T00:00:00Z", "a time is from 2026-11-01"),
        ("2036-11-02T00:00:00Z", "to 2036-11-01"),
        ("9999-12-31T23:59:59-23:59", "is no time"),
        ("0001-01-01T00:00:00+23:59", "is no time"),
    ],
)
def test_a_time_that_no_clock_has_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        given_time(text)


def test_a_time_that_is_refused_changes_nothing(desk: Desk, session: ScriptedSession) -> None:
    with pytest.raises(Refused):
        session.give("time set 1970-01-01T00:00:00Z")
    assert (told(desk), session.recorded, desk.settings.staff_time.exists()) == ([], [], False)


@given(st.text(max_size=40) | st.datetimes(timezones=st.none() | st.just(UTC)).map(datetime.isoformat))
def test_any_text_is_a_time_in_the_range_or_refused(text: str) -> None:
    try:
        time = given_time(text)
    except Refused:
        return
    assert MADE <= time <= LATEST
    assert time.tzinfo is UTC


def test_a_clock_that_cannot_be_set_is_recorded_as_that(desk: Desk, session: ScriptedSession) -> None:
    desk.settings.path("machine").mkdir()
    with pytest.raises(MachineError, match="cannot be written"):
        session.give("time set 2027-03-01T12:00:00Z")
    assert ["failed" in details for _, details in session.recorded] == [False, True]
    assert not desk.settings.staff_time.exists()


def test_a_machine_is_started_anew_only_when_that_is_meant_and_recorded_before(
    desk: Desk, session: ScriptedSession
) -> None:
    assert session.give("reboot") == {"reboot": "not done"}
    assert (told(desk), session.recorded) == ([], [])
    session.line.answers = {"Really": "yes"}
    assert "starts anew" in session.give("reboot")["reboot"]
    assert (told(desk), session.recorded) == (["reboot"], [("reboot", {})])


def test_who_may_do_what() -> None:
    roles = {command.name: command.role for command in installed()}
    assert roles["time set"] is Role.ADMIN
    assert roles["reboot"] is roles["test all"] is roles["test relay"] is Role.MAINTAIN
    assert roles["show sensors"] is roles["show camera"] is roles["show report"] is Role.OBSERVE
