"""The commands for the computer itself: its clock is set by hand, and it is started anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from config.errors import ControlError
from config.settings import Settings
from hw.clock import MADE, SystemClock
from hw.errors import MachineError
from hw.machine import open_machine
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.events import rfc3339
from terminal.staff_clock import leave, machine_clock

LATEST = MADE + timedelta(days=3653)
"""Nobody sets the clock ten years ahead on purpose; what expires by then would be gone for good."""
_LOOKS, _LOOK = 10, 0.3  # and seconds between two: the terminal looks for a new time twice a second
_NEAR = timedelta(seconds=30)  # more than all those looks take


def given_time(text: str) -> datetime:
    """The time `text` (RFC 3339) in UTC, if a clock may be set to it. Raises: Refused."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise Refused(f"{text!r:.40}: says no offset from UTC; add Z or +08:00")
        time = time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"{text!r:.40}: is no time, such as 2026-11-24T07:30:00+08:00 (RFC 3339)") from error
    if not MADE <= time <= LATEST:
        raise Refused(f"{rfc3339(time)}: a time is from {rfc3339(MADE)} to {rfc3339(LATEST)}")
    return time


def _time_set(session: Session, given: Arguments) -> Answer:
    time, settings = given_time(given["time"]), session.settings()
    clock = SystemClock(trust=settings.clock.trust)
    before = clock.now()
    details = {"from": rfc3339(before.wall), "to": rfc3339(time)}
    session.record("time set", details)  # first: a clock that was set and nobody's doing is worse
    try:
        kept = open_machine(settings).set_clock(time)
    except MachineError as error:
        session.record("time set", details | {"failed": str(error)})
        raise
    leave(settings.staff_time, time, boot=before.basis.boot)
    rtc = "set too" if kept else "none that could be set: a power cut forgets this time"
    return {"set": rfc3339(time), "rtc": rtc, "clock": _vouched(session, settings, time)}


def _vouched(session: Session, settings: Settings, time: datetime) -> dict[str, Any]:
    """What vouches for the terminal's time now; without a terminal, for the machine's."""
    said: dict[str, Any] = {}
    try:
        for _ in range(_LOOKS):
            session.line.wait(_LOOK)
            said = session.ask("terminal", "status")["clock"]
            near = abs(datetime.fromisoformat(said["utc"]) - time) < _NEAR
            if near and said["trusted"]:
                break
    except ControlError:
        machine = machine_clock(settings)
        now, problem = machine.now(), machine.state().problem
        return {"utc": rfc3339(now.wall), "source": str(now.basis.source), "problem": problem}
    clock = {name: said[name] for name in ("utc", "source", "problem")}
    return clock if near else clock | {"remark": "the terminal goes by what vouches better than staff"}


def _reboot(session: Session, given: Arguments) -> Answer:
    del given
    settings = session.settings()
    machine = open_machine(settings)
    question = "Really start this machine anew? The gate stays in its safe state until it runs again."
    if session.line.ask(question) == "no":
        return {"reboot": "not done"}
    session.record("reboot", {})
    machine.reboot()
    return {"reboot": "the machine starts anew; log in again in a minute"}


COMMANDS = (
    Command(
        "time set",
        Role.ADMIN,
        "set the clock; in this boot your word vouches for it where nothing better does",
        "time set 2026-11-24T07:30:00+08:00",
        _time_set,
        (Parameter("time", "date, time and offset from UTC (RFC 3339)"),),
    ),
    Command(
        "reboot",
        Role.MAINTAIN,
        "start the whole machine anew",
        "reboot",
        _reboot,
    ),
)
