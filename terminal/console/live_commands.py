"""Console commands that look at the running processes and steer them, over their control sockets alone."""

from __future__ import annotations

import heapq
import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from config.control import follow
from config.errors import ControlError, SettingsError
from config.process_log import last_words
from config.process_ops import versions
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.render import lines
from terminal.console.restarting import restarted
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.overview import PROCESSES, WELL, health, overview
from terminal.overview import queue as records_on_their_way

_LOG_LINES = 40
_ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
"""How a log entry begins; what follows without that, as a traceback does, is of the same entry."""
_FOLLOW_AGAIN = 2.0  # seconds
_ANSWER_WITHIN = 20.0  # seconds for the gate's thread to write a record


def _status(session: Session, given: Arguments) -> Answer:
    del given
    return overview(session.ask)


def _faults(session: Session, given: Arguments) -> Answer:
    del given
    return {"faults": overview(session.ask)["faults"] or ["none"]}


def _version(session: Session, given: Arguments) -> Answer:
    """Of the console itself when nothing runs: that is worth knowing then too."""
    del given
    found: dict[str, Any] = {"console": versions()}
    for process in PROCESSES:
        try:
            found[process] = _answer(session, process, "version")["campusgate"]
        except ControlError:
            found[process] = health(session.ask, process)
        except SettingsError:
            found[process] = "not set up: there are no settings that could say where it is"
    return found


def _roster(session: Session, given: Arguments) -> Answer:
    del given
    terminal = _answer(session, "terminal", "status")
    daemon, sync = _health_and_status(session, "sync")
    faults = sync.get("faults") or {}
    return {
        "version": terminal["roster"]["version"],
        "refused": terminal["roster"]["refused"],
        "version_on_disk": sync.get("roster_version"),
        "downlink": faults.get("downlink") or daemon,
    }


def _queue(session: Session, given: Arguments) -> Answer:
    del given
    told = {process: _health_and_status(session, process) for process in PROCESSES}
    (_, terminal), (_, sync) = told["terminal"], told["sync"]
    ill = {process: said for process, (said, _) in told.items() if said != WELL}
    return records_on_their_way(terminal, sync) | {"journal": terminal.get("journal")} | ill


def _network(session: Session, given: Arguments) -> Answer:
    del given
    status = _answer(session, "sync", "status")
    return {
        "central": session.settings().central.url,
        "links": {link: fault or "well" for link, fault in status["faults"].items()},
        "at": status["at"],
        "test": "`test network` tries central now",
    }


def _clock(session: Session, given: Arguments) -> Answer:
    del given
    return dict(_answer(session, "terminal", "status")["clock"])


def _uptime(session: Session, given: Arguments) -> Answer:
    del given
    found: dict[str, Any] = {"machine_seconds": round(time.clock_gettime(time.CLOCK_BOOTTIME))}
    for process in PROCESSES:
        try:
            found[f"{process}_seconds"] = _answer(session, process, "health")["uptime"]
        except ControlError:
            found[f"{process}_seconds"] = health(session.ask, process)
    return found


def _log(session: Session, given: Arguments) -> Answer:
    """The newest lines of each, in order of time; of one that does not answer, what it left in its file.

    So many of each: one that talks much must not hide why the other ended.
    """
    try:
        most = int(given.get("lines", _LOG_LINES))
    except ValueError as error:
        raise Refused("lines: a whole number, such as 100") from error
    if not 1 <= most <= 500:
        raise Refused("lines: from 1 to 500")
    per_process, silent = [], []
    for process in PROCESSES:
        try:
            lines = session.ask(process, "log", most=most)["lines"]
        except ControlError as error:
            lines = last_words(session.settings().socket(process), most)
            silent.append(f"{process:<8} {health(session.ask, process)} ({error})")
        per_process.append(_timed(process, lines))
    merged = heapq.merge(*per_process, key=lambda timed: timed[0])
    return {"lines": [line for _, line in merged] + silent}


def _timed(process: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each with the time of its entry, which does not go back, whatever the clock did."""
    at = ""
    for line in lines:
        if begins := _ENTRY.match(line):
            at = max(at, begins[0])
        yield at, f"{process:<8} {line}"


def _log_follow(session: Session, given: Arguments) -> Answer:
    """Until Ctrl-C; a process that ends is waited for."""
    del given
    lines: queue.Queue[str] = queue.Queue(1000)
    ended = threading.Event()
    for process in PROCESSES:
        threading.Thread(
            target=_followed, args=(session, process, lines, ended), name=f"follow {process}", daemon=True
        ).start()
    try:
        while True:
            while not lines.empty():
                session.line.say(lines.get())
            session.line.wait(0.2)
    finally:
        ended.set()


def _followed(session: Session, process: str, lines: queue.Queue[str], ended: threading.Event) -> None:
    said = ""
    while not ended.is_set():
        try:
            for event in follow(session.settings().socket(process)):
                said = ""
                if ended.is_set():
                    return
                if event.get("event") == "log":
                    _offer(lines, f"{process:<8} {event['line']}")
            problem = "ended"
        except ControlError as error:
            problem = str(error)
        if problem != said:
            _offer(lines, f"{process:<8} {problem}")
        said = problem
        ended.wait(_FOLLOW_AGAIN)


def _offer(lines: queue.Queue[str], line: str) -> None:
    """Give it to whoever looks on, who may be too slow for it, or gone."""
    with suppress(queue.Full):
        lines.put_nowait(line)


def _lockdown(session: Session, given: Arguments) -> Answer:
    by = _by(session)
    return session.ask("terminal", "lockdown", timeout=_ANSWER_WITHIN, by=by, reason=given["reason"])


def _release(session: Session, given: Arguments) -> Answer:
    del given
    answer = session.ask("terminal", "release", timeout=_ANSWER_WITHIN, by=_by(session))
    if answer["closed_by"]:
        return {**answer, "still_closed": f"{' and '.join(answer['closed_by'])} must release it too"}
    return answer


def _restart(session: Session, given: Arguments) -> Answer:
    which = given.get("process", "all")
    if which not in (*PROCESSES, "all"):
        raise Refused(f"restart {which!r:.30}: one of {', '.join(PROCESSES)}, all")
    processes = PROCESSES if which == "all" else (which,)
    session.record("restart", {"processes": list(processes)})
    return restarted(session, processes)


def _by(session: Session) -> dict[str, str]:
    user = session.user
    return {"user": user.name, "role": str(user.role), "via": user.via, "session": session.identity}


def _answer(session: Session, process: str, op: str) -> dict[str, Any]:
    return session.ask(process, op)


def _health_and_status(session: Session, process: str) -> tuple[str, dict[str, Any]]:
    """How the process is, and its status if it is well: one that answers nothing is not asked again."""
    said = health(session.ask, process)
    with suppress(ControlError):
        return said, _answer(session, process, "status") if said == WELL else {}
    return said, {}


def _in_hours(answer: Answer) -> Iterable[str]:
    """Seconds as hours or days."""
    return lines(
        {
            name.removesuffix("_seconds"): str(timedelta(seconds=round(value)))
            if isinstance(value, (int, float))
            else value
            for name, value in answer.items()
        }
    )


def _as_lines(answer: Answer) -> Iterable[str]:
    return list(answer["lines"])


def _processes(session: Session) -> Iterator[str]:
    del session
    yield from (*PROCESSES, "all")


_LINES = Parameter("lines", "how many of each process, from 1 to 500 (40)", optional=True)
_REASON = Parameter("reason", "why, for the record", rest=True)
_PROCESS = Parameter("process", "terminal, sync or all (all)", _processes, optional=True)

COMMANDS = (
    Command("show status", Role.OBSERVE, "how the terminal is, on one page", "show status", _status),
    Command("show version", Role.OBSERVE, "versions of everything that runs", "show version", _version),
    Command("show roster", Role.OBSERVE, "which roster is in use", "show roster", _roster),
    Command("show queue", Role.OBSERVE, "records on their way to central", "show queue", _queue),
    Command("show network", Role.OBSERVE, "the links to central", "show network", _network),
    Command("show clock", Role.OBSERVE, "the time and what vouches for it", "show clock", _clock),
    Command(
        "show uptime", Role.OBSERVE, "how long everything has run", "show uptime", _uptime, (), _in_hours
    ),
    Command("show faults", Role.OBSERVE, "what is wrong now", "show faults", _faults),
    Command("show log", Role.OBSERVE, "the newest lines logged", "show log 100", _log, (_LINES,), _as_lines),
    Command("show log follow", Role.OBSERVE, "lines as they come", "show log follow", _log_follow),
    Command(
        "lockdown", Role.MAINTAIN, "deny everybody until `release`", "lockdown glass in the gateway",
        _lockdown, (_REASON,),
    ),
    Command("release", Role.MAINTAIN, "end a lockdown of maintenance staff", "release", _release),
    Command("restart", Role.MAINTAIN, "start processes anew", "restart sync", _restart, (_PROCESS,)),
)  # fmt: skip
