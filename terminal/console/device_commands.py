"""The commands that look at the devices and test them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from config import VERSION
from config.errors import ControlError
from config.settings import Settings
from terminal.console.command import Answer, Arguments, Command
from terminal.console.device_checks import PARTS, Result, check, checked
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.events import rfc3339
from terminal.provision import device_key
from terminal.selftest import KIND, Reports, signed, summary
from terminal.staff_clock import machine_clock

_WORDS = {True: "passed", False: "FAILED", None: "not told"}
_SUMMARIES = {
    "relay": "release the gate for a second and lock it again",
    "buzzer": "sound the buzzer",
    "lights": "switch the green light on, then the red one",
    "screen": "show a test card on the screen",
    "camera": "judge the camera's picture, and read a code",
    "thermal": "ask the thermal sensor, and measure a person",
    "network": "try to reach central now",
}


def _shown(op: str) -> Callable[[Session, Arguments], Answer]:
    def run(session: Session, given: Arguments) -> Answer:
        del given
        answer = session.ask("terminal", op)
        return {name: value for name, value in answer.items() if name != "ok"}

    return run


def _tested(part: str) -> Callable[[Session, Arguments], Answer]:
    def run(session: Session, given: Arguments) -> Answer:
        del given
        result = check(session, part)
        if part != "relay":  # the terminal has recorded that before the gate moved
            session.record(f"test {part}", _outcome(result))
        return result

    return run


def _test_all(session: Session, given: Arguments) -> Answer:
    del given
    settings = session.settings()
    key = device_key(settings)  # without it there is no report: to be known before, not after
    results: list[Result] = []
    for number, part in enumerate(PARTS, start=1):
        session.line.say(f"{number} of {len(PARTS)}: {part}: {_SUMMARIES[part]}")
        result = checked(session, part)
        session.line.say(_told(result))
        results.append(result)
    report, at = _report(session, settings, results)
    reports = Reports(settings.reports)
    name = reports.keep(signed(report, issued_at=at, key=key))
    said = summary(results)
    session.record(KIND, {"report": name, "summary": said})
    return {"report": name, "summary": said, "results": results}


def _report(session: Session, settings: Settings, results: list[Result]) -> tuple[Mapping[str, Any], int]:
    """The report of `results`, and its time in Unix seconds."""
    now, user = machine_clock(settings).now(), session.user
    clock = {"trusted": now.trusted, "source": str(now.basis.source)}
    try:  # the terminal may have central's word for the time
        clock["terminal"] = session.ask("terminal", "status")["clock"]["source"]
    except (ControlError, KeyError):
        clock["terminal"] = None
    report = {
        "device": settings.device.name,
        "place": settings.device.place,
        "at": rfc3339(now.wall),
        "clock": clock,
        "versions": {
            "campusgate": VERSION,
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
        "user": {"name": user.name, "role": str(user.role), "via": user.via},
        "results": results,
    }
    return report, int(now.wall.timestamp())


def _outcome(result: Result) -> Mapping[str, str]:
    return {"outcome": _WORDS[result["passed"]], "found": str(result["found"])}


def _told(result: Mapping[str, Any]) -> str:
    return f"{result['part']}: {_WORDS[result['passed']]}: {result['found']}"


def _render_one(answer: Answer) -> Iterator[str]:
    yield _told(answer)


def _render_all(answer: Answer) -> Iterator[str]:
    for result in answer["results"]:
        yield _told(result)
    yield answer["summary"]
    yield f"report {answer['report']}: `show report {answer['report']}`, `send report {answer['report']}`"


COMMANDS = (
    Command(
        "show sensors",
        Role.OBSERVE,
        "what the thermal sensor and the contacts say, and the level of each pin",
        "show sensors",
        _shown("sensors"),
    ),
    Command(
        "show camera",
        Role.OBSERVE,
        "what the camera sees, in words: light, contrast, focus, codes, the last answers",
        "show camera",
        _shown("camera"),
    ),
    *(
        Command(
            f"test {part}",
            Role.MAINTAIN,
            _SUMMARIES[part],
            f"test {part}",
            _tested(part),
            render=_render_one,
        )
        for part in PARTS
    ),
    Command(
        "test all",
        Role.MAINTAIN,
        "test one part after the other, with your help, and sign a report",
        "test all",
        _test_all,
        render=_render_all,
    ),
)
