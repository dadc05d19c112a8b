"""The commands that show and send the signed reports of self-tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from terminal.console.command import Answer, Arguments, Command, Parameter
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.selftest import ReportRefused, Reports, summary


def _reports(session: Session) -> Reports:
    return Reports(session.settings().reports)


def _names(session: Session) -> Iterable[str]:
    return _reports(session).names()


def _show(session: Session, given: Arguments) -> Answer:
    reports = _reports(session)
    if "name" in given:
        return reports.read(given["name"])
    return {"reports": [_row(reports, name) for name in reports.names()]}


def _row(reports: Reports, name: str) -> dict[str, Any]:
    """A damaged report is listed as such: the others are to be seen all the same."""
    try:
        report = reports.read(name)
        return {"name": name, "at": str(report.get("at", "")), "summary": summary(report["results"])}
    except (ReportRefused, OSError) as error:
        return {"name": name, "at": "", "summary": f"cannot be read: {error}"}


def _send(session: Session, given: Arguments) -> Answer:
    path = _reports(session).path(given.get("name", ""))
    session.line.send(path)
    return {"sent": path.name}


COMMANDS = (
    Command(
        "show report",
        Role.OBSERVE,
        "list the reports of self-tests, or show one",
        "show report selftest-0001.json",
        _show,
        (Parameter("name", "the report to show; all are listed without", _names, optional=True),),
    ),
    Command(
        "send report",
        Role.MAINTAIN,
        "send a report of a self-test over the line; `campusgate central report` verifies it",
        "send report selftest-0001.json",
        _send,
        (Parameter("name", "the report to send; the newest without", _names, optional=True),),
    ),
)
