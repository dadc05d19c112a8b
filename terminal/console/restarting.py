"""Starting processes anew, and seeing whether they come back: with new settings that is not certain."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from config.control import ask
from config.errors import ControlError, NotRunning
from config.process_log import last_words
from config.settings import Settings
from terminal.console.session import Session
from terminal.overview import WELL, Ask, health

BACK_WITHIN = 30.0  # seconds; a Pi takes about ten
_LOOK_EVERY = 0.2  # seconds
_LAST_WORDS = 3  # lines


def restarted(
    session: Session, processes: Iterable[str], running_by: Settings | None = None
) -> dict[str, str]:
    """Start them anew, and wait until they answer again: `WELL`, or what is wrong, by process.

    running_by: the settings that they run by, where those on disk have other sockets already.
    """

    def now(process: str, op: str) -> dict[str, Any]:
        return ask(running_by.socket(process), op) if running_by else session.ask(process, op)

    before = {process: _begun(now, process) for process in processes}
    found: dict[str, str] = {}
    for process in before:
        try:
            now(process, "restart")
        except NotRunning:
            found[process] = "not running: it takes it up when it is next started"
        except ControlError as error:
            found[process] = str(error)
    deadline = time.monotonic() + BACK_WITHIN
    for process, begun in before.items():
        if process not in found:
            found[process] = _back(session, process, begun, deadline)
    return found


def _back(session: Session, process: str, before: object, deadline: float) -> str:
    while time.monotonic() < deadline:
        session.line.wait(_LOOK_EVERY)
        if (begun := _begun(session.ask, process)) is not None and begun != before:
            return health(session.ask, process)
    said = last_words(session.settings().socket(process), _LAST_WORDS)
    return "; ".join([f"does not come back within {BACK_WITHIN:g} s", *said])


def _begun(asked: Ask, process: str) -> Any:
    """When the process that answers now began; None while none does."""
    try:
        return asked(process, "health")["begun"]
    except ControlError:
        return None


def told(outcome: dict[str, str]) -> list[str]:
    """A line for each process."""
    return [
        f"{process} has taken it up" if said == WELL else f"{process}: {said}"
        for process, said in outcome.items()
    ]
