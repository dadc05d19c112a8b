"""What central knows of people besides who they are: groups, reported absences, the day's declaration.

Each lies in a table of its own, since most people have none; what has passed is not sent to terminals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sync.central.tables import person_absence, person_declaration, person_group
from terminal.declaration import Declaration, Symptom
from terminal.person import Absence, Declared, Person

DETAILS = (person_group, person_absence, person_declaration)


def current(one: Person, *, now: float, today: str) -> Person:
    """`one` as terminals need them: without absences past making up and declarations of earlier days.

    now: Unix seconds. today: the school's date, such as "2026-11-24".
    """
    absences = tuple(absence for absence in one.absences if absence.make_up_until >= now)
    declared = one.declared if one.declared and one.declared.day >= today else None
    if absences == one.absences and declared is one.declared:
        return one
    return replace(one, absences=absences, declared=declared)


def read_details(db: sa.Connection, people: Sequence[Person]) -> Iterator[Person]:
    """`people`, with what these tables have of them. At most as many as one query takes numbers."""
    subjects = [one.subject for one in people]
    groups: dict[str, list[str]] = defaultdict(list)
    for row in _of(db, person_group, subjects, person_group.c.position):
        groups[row.subject].append(row.name)
    absences: dict[str, list[Absence]] = defaultdict(list)
    for row in _of(db, person_absence, subjects, person_absence.c.starts_at):
        absences[row.subject].append(Absence(row.starts_at, row.ends_at, row.make_up_until))
    declared = {
        row.subject: Declared(row.day, Declaration(row.decidegrees, Symptom(row.symptoms), row.contact))
        for row in _of(db, person_declaration, subjects, person_declaration.c.subject)
    }
    for one in people:
        subject = one.subject
        if subject in groups or subject in absences or subject in declared:
            yield replace(
                one,
                groups=tuple(groups.get(subject, ())),
                absences=tuple(absences.get(subject, ())),
                declared=declared.get(subject),
            )
        else:
            yield one


def write_details(db: sa.Connection, people: Sequence[Person]) -> None:
    """Make these tables say of `people` what they say, and nothing else."""
    subjects = [one.subject for one in people]
    for table in DETAILS:
        db.execute(sa.delete(table).where(table.c.subject.in_(subjects)))
    _insert(
        db,
        person_group,
        (
            {"subject": one.subject, "name": name, "position": position}
            for one in people
            for position, name in enumerate(dict.fromkeys(one.groups))
        ),
    )
    _insert(
        db,
        person_absence,
        (
            {
                "subject": one.subject,
                "starts_at": absence.start,
                "ends_at": absence.end,
                "make_up_until": absence.make_up_until,
            }
            for one in people
            for absence in {(each.start, each.end): each for each in one.absences}.values()
        ),
    )
    _insert(
        db, person_declaration, (_declaration(one.subject, one.declared) for one in people if one.declared)
    )


def _declaration(subject: str, declared: Declared) -> dict[str, Any]:
    # Somebody told only that the person is well, or not, knows no more than that.
    said = declared.declaration or Declaration(None, Symptom(0) if declared.well else Symptom.OTHER, False)
    return {
        "subject": subject,
        "day": declared.day,
        "decidegrees": said.decidegrees,
        "symptoms": int(said.symptoms),
        "contact": said.contact,
    }


def _of(
    db: sa.Connection, table: sa.Table, subjects: Sequence[str], order: sa.ColumnElement[Any]
) -> sa.CursorResult[Any]:
    return db.execute(sa.select(table).where(table.c.subject.in_(subjects)).order_by(order))


def _insert(db: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    if found := list(rows):
        db.execute(sa.insert(table), found)
