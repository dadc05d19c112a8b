"""Tests of one part, together with the person at the line: some things only a person can see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from config.errors import ControlError
from terminal.console.session import Session

PARTS = ("relay", "buzzer", "lights", "screen", "camera", "thermal", "network")

_ROUNDS, _ROUND = 40, 0.5  # looks, and seconds between two, while somebody comes before camera or sensor
_TEST_WITHIN = 20.0  # seconds
_NETWORK_WITHIN = 60.0  # seconds; central may be far, and slow
_SAID = {"yes": True, "no": False, "skip": None}

Result = dict[str, Any]


def check(session: Session, part: str) -> Result:
    """The result of testing `part`: {"part", "passed", "found"}, passed null where nobody could tell.

    Raises: ControlError when the process that has the part does not answer.
    """
    if part == "network":
        return _network(session)
    user = session.user
    by = {"user": user.name, "role": str(user.role), "via": user.via, "session": session.identity}
    said = session.ask("terminal", "test", timeout=_TEST_WITHIN, part=part, by=by)
    result = {"part": part, "passed": said["passed"], "found": said["found"]}
    if asks := said.get("asks"):
        session.line.say(result["found"])
        result["passed"] = _SAID[session.line.ask(asks, tuple(_SAID))]
        result["asked"] = asks
    further = {"camera": _code, "thermal": _person}.get(part)
    return further(session, result) if further else result


def checked(session: Session, part: str) -> Result:
    """As `check`, but a process that does not answer is a part that failed."""
    try:
        return check(session, part)
    except ControlError as error:
        return {"part": part, "passed": False, "found": str(error)}


def _network(session: Session) -> Result:
    session.line.say("trying to reach central")
    said = session.ask("sync", "network", timeout=_NETWORK_WITHIN)
    reached = said["reached"] is True
    found = f"central answered in {said['ms']} ms" if reached else str(said["fault"])
    return {"part": "network", "passed": reached, "found": found}


def _code(session: Session, result: Result) -> Result:
    """The camera has passed when it reads a code, whatever is thought of its picture."""
    before = session.ask("terminal", "camera")
    if before["picture"] is None:
        return result
    question = "Hold a campus code in front of the camera. Ready?"
    read = _come(session, question, "camera", lambda seen: seen["reads"] > before["reads"])
    if read is None:
        return result
    found = f"{result['found']}; {'a code was read' if read else 'no code was read'}"
    return result | {"passed": read, "found": found, "asked": question}


def _person(session: Session, result: Result) -> Result:
    """The sensor has passed when it measures a person; what it measures is not told."""
    if not result["passed"]:
        return result
    question = "Stand before the thermal sensor. Ready?"
    seen = _come(session, question, "sensors", lambda said: said["thermal"]["state"] == "ok")
    if seen is None:
        return result
    found = f"{result['found']}; {'a person was measured' if seen else 'nobody was measured'}"
    return result | {"passed": seen, "found": found, "asked": question}


def _come(
    session: Session, question: str, op: str, there: Callable[[Mapping[str, Any]], bool]
) -> bool | None:
    """Whether what the terminal's `op` answers came to be `there` within 20 s; None when it is skipped."""
    if session.line.ask(question, ("yes", "skip")) == "skip":
        return None
    for _ in range(_ROUNDS):
        if there(session.ask("terminal", op)):
            return True
        session.line.wait(_ROUND)
    return False
