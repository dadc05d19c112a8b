"""What both processes say of themselves, on one page: for `campusgate status` and for the console.

It asks over the control sockets alone. A process that does not answer is reported as hung, or as not running,
with since when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from config.errors import ControlError, Hung, NotRunning

PROCESSES = ("terminal", "sync")
WELL = "well"


class Ask(Protocol):
    """Asks a process one op. Raises: ControlError."""

    def __call__(self, process: str, op: str) -> dict[str, Any]: ...


def overview(ask: Ask) -> dict[str, Any]:
    """All there is to see at a glance. `faults` is empty when all is well."""
    found = {process: health(ask, process) for process in PROCESSES}
    faults = [f"{process}: {said}" for process, said in found.items() if said != WELL]
    terminal = _status(ask, "terminal") if found["terminal"] == WELL else {}
    sync = _status(ask, "sync") if found["sync"] == WELL else {}
    faults += _terminal_faults(terminal) + _sync_faults(sync)
    return {
        "device": terminal.get("device") or sync.get("device"),
        "processes": found,
        "gate": _some(terminal, "portal", "answers", "case_open"),
        "camera": _nested(terminal, "camera", "state", "detail"),
        "clock": _nested(terminal, "clock", "utc", "trusted", "source", "problem"),
        "roster": _nested(terminal, "roster", "version", "refused"),
        "queue": queue(terminal, sync),
        "faults": faults,
    }


def queue(terminal: Mapping[str, Any], sync: Mapping[str, Any]) -> dict[str, Any]:
    """How records stand on their way to central."""
    quarantine = sync.get("quarantine") or {}
    return {
        "records": terminal.get("records"),
        "waiting": sync.get("waiting", terminal.get("waiting")),
        "central_has_through": sync.get("through"),
        "refused_by_central": quarantine.get("count"),
        "uplink": (sync.get("faults") or {}).get("uplink") or (WELL if sync else None),
    }


def health(ask: Ask, process: str) -> str:
    """`WELL`, or what is wrong with the process as such."""
    try:
        said = ask(process, "health")
    except NotRunning as error:
        return "not running" + (f", alive at {error.alive}" if error.alive else "")
    except Hung as error:
        return f"hung since {error.alive or 'an unknown time'}: it answers nothing"
    except ControlError as error:
        return str(error)
    if said["state"] == WELL:
        return WELL
    slow = max(said["loops"], key=lambda loop: float(said["loops"][loop]))
    return f"hung since {said['since']} ({said['seconds']:.0f} s): its {slow} loop does not go round"


def _status(ask: Ask, process: str) -> dict[str, Any]:
    try:
        return ask(process, "status")
    except ControlError as error:
        said = {"fault": "no status", "fault_detail": str(error)}
        return said if process == "terminal" else {"faults": {"sync": f"no status: {error}"}}


def _terminal_faults(status: Mapping[str, Any]) -> list[str]:
    found = []
    if status.get("fault"):
        detail = status["fault_detail"].removeprefix(f"{status['fault']}: ")
        found.append(f"gate: {status['fault']}: {detail}".rstrip(": "))
    camera = status.get("camera", {})
    if camera and camera["state"] != "live":
        found.append(f"camera: {camera['state']}: {camera['detail']}".rstrip(": "))
    clock = status.get("clock", {})
    if clock and not clock["trusted"]:
        found.append(f"clock: {clock['problem']}")
    if status.get("roster", {}).get("refused"):
        found.append(f"roster: {status['roster']['refused']}")
    if status.get("case_open"):
        found.append("case: open")
    return found


def _sync_faults(status: Mapping[str, Any]) -> list[str]:
    found = [f"{link}: {fault}" for link, fault in status.get("faults", {}).items() if fault]
    quarantine = status.get("quarantine") or {}
    if quarantine.get("count"):
        found.append(f"central has refused {quarantine['count']} records: campusgate sync quarantine")
    return found


def _some(status: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: status[name] for name in names if name in status}


def _nested(status: Mapping[str, Any], part: str, *names: str) -> dict[str, Any]:
    return _some(status.get(part) or {}, *names)
