"""The regulation as a table: who comes where and when with what, and what must be said to them.

regulation-cases.csv has a case a line, written from the regulation; regulation-policy.toml is the school that
they happen in. In a case, `more` and the words after a code or a measurement are name=value; in its result +
is a mark (with the minutes of being late), ~ a notice and ! a violation, and nothing else may come of it.
"""

from __future__ import annotations

import csv
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.decision import decide
from terminal.declaration import Declaration, Symptom
from terminal.person import Absence, Declared, Person, PersonKind, Status
from terminal.policy import Policy
from terminal.reasons import Reason
from terminal.situation import Registration, Situation

HERE = Path(__file__).parent
POLICY = Policy.model_validate(tomllib.loads((HERE / "regulation-policy.toml").read_text("utf-8")))
CASES = list(csv.DictReader((HERE / "regulation-cases.csv").read_text("utf-8").splitlines()))
ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3600


def at(text: str) -> datetime:
    """The local time "11-24 10:00": of the school year that began in 2026."""
    year = 2027 if text.startswith("0") else 2026
    return datetime.strptime(f"{year}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)


NOON = int(at("11-24 12:00").timestamp())


def person(subject: str, kind: PersonKind, *groups: str, **more: Any) -> Person:
    return Person(subject, "张伟", kind, groups=groups, **more)


STUDENT, STAFF = PersonKind.STUDENT, PersonKind.STAFF
PEOPLE = {
    one.subject: one
    for one in (
        person("cs1", STUDENT, "cs1"),
        person("cs2", STUDENT, "cs2"),
        person("art", STUDENT, "art"),
        person("singer", STUDENT, "choir"),
        person("teacher", STAFF, "dept"),
        person("attendant", STAFF, "attendants"),
        person("worker", PersonKind.WORKER),
        person("guest", PersonKind.VISITOR),
        person("suspended", STUDENT, "cs1", status=Status.SUSPENDED),
        person("isolated", STUDENT, "cs1", status=Status.ISOLATED),
        person("revoked", STAFF, status=Status.REVOKED),
        person("ended", PersonKind.WORKER, valid_until=NOON - 12 * HOUR),
        person("future", PersonKind.WORKER, valid_from=NOON + 12 * HOUR),
        person("well", STUDENT, "cs1", declared=Declared("2026-11-24", told_well=True)),
        person("unwell", STUDENT, "cs1", declared=Declared("2026-11-24", told_well=False)),
        person(
            "absent",
            STUDENT,
            "cs1",
            # Monday until seven on Tuesday morning; Tuesday and Wednesday to make it up.
            absences=(Absence(NOON - 28 * HOUR, NOON - 5 * HOUR, NOON + 36 * HOUR),),
        ),
    )
}


def values(words: str) -> dict[str, str]:
    """The name=value words in `words`."""
    return dict(word.split("=", 1) for word in words.split() if "=" in word)


def declaration(text: str) -> Declaration | None:
    """The declaration "36.5+cough+contact", or None for ""."""
    if not text:
        return None
    heat, *said = text.split("+")
    symptoms = sum((Symptom[word.upper()] for word in said if word != "contact"), Symptom(0))
    return Declaration(round(float(heat) * 10), Symptom(symptoms), "contact" in said)


def code(text: str, subject: str, now: int, said: Declaration | None) -> Code | None:
    """The code that `text` describes; times in it are seconds from now, an age is before now."""
    kind, given = text.split(maxsplit=1)[0], values(text)
    if kind in ("none", "manual"):
        return None
    if kind == "personal":
        issued_at, audience = now - int(given.get("age", 0)), given.get("made_for", "")
        return Code(CodeKind.PERSONAL, subject, "d", issued_at, declaration=said, audience=audience)
    return Code(
        CodeKind.PASS,
        subject,
        "d",
        not_before=now + int(given.get("from", -HOUR)),
        expires_at=now + int(given.get("until", HOUR)),
        issuer="i",
        pass_kind=PassKind(kind),
        places=tuple(given["places"].split("+")) if "places" in given else (),
    )


def reading(text: str) -> Reading:
    """What the sensor says: "36.5", "36.5 for=0.5" (seconds), or one of its states."""
    first = text.split(maxsplit=1)[0]
    if first in set(ThermalState):
        return Reading(ThermalState(first))
    return Reading(ThermalState.OK, round(float(first) * 10), seconds=float(values(text).get("for", 2.0)))


def situation(case: dict[str, str]) -> Situation:
    """What the case says is known."""
    now, more, who = at(case["at"]), values(case["more"]), PEOPLE.get(case["who"])
    unix = int(now.timestamp())
    marks = {}
    if "mark" in more:
        key, _, minutes = more["mark"].rpartition("@")
        marks[key] = unix - int(minutes) * 60
    by = values(case["code"]).get("by")
    return Situation(
        case["place"],
        now,
        clock_trusted=more.get("clock") != "untrusted",
        refused=Reason(more["refused"]) if "refused" in more else None,
        code=code(case["code"], case["who"], unix, declaration(more.get("declared", ""))),
        person=who,
        reading=reading(case["measured"]),
        last_issued_at=unix - int(more["last"]) if "last" in more else None,
        floor=now if "floor" in more else None,
        roster_age=timedelta(hours=int(more.get("roster", 0))),
        marks=marks,
        inside={"concert": int(more.get("inside", 0))},
        registration=Registration(PEOPLE[by], int(more.get("hour", 0))) if by else None,
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']} {case['says']}" for case in CASES])
def test_the_regulation_is_carried_out(case: dict[str, str]) -> None:
    decision = decide(situation(case), POLICY)
    assert (str(decision.verdict), " ".join(decision.reasons)) == (case["verdict"], case["reasons"])
    came = [f"+{mark.kind}{f':{mark.late}' if mark.late else ''}" for mark in decision.marks]
    came += [f"~{notice}" for notice in decision.notices]
    came += [f"!{violation.kind}" for violation in decision.violations]
    assert sorted(came) == sorted(case["result"].split())


def test_every_rule_that_a_terminal_can_carry_out_has_its_cases() -> None:
    assert len(CASES) >= 120
    assert len({case["says"] for case in CASES}) == len(CASES)
    rules = "R1 R3 R4 R5 R6 R9 R11 R12 R13 R14 R15b R16 R17 R18 R19 R21 R22 R33b R33c"
    assert {case["rule"] for case in CASES} == set(rules.split())


NOT_DECIDED = {
    # of the terminal's own state, or shown where nobody is decided on
    Reason.ROSTER_MISSING, Reason.ROSTER_ALTERED, Reason.ROSTER_ROLLED_BACK, Reason.ROSTER_SWAPPED,
    Reason.ROSTER_OVERSIZE, Reason.ROSTER_WRONG_KEYS, Reason.JOURNAL_UNWRITABLE, Reason.CAMERA_UNAVAILABLE,
    Reason.LOCKDOWN, Reason.TERMINAL_FAULT, Reason.READY, Reason.ONE_AT_A_TIME, Reason.MANUAL_READY,
    Reason.MANUAL_NUMBER,
}  # fmt: skip


def test_every_reason_that_a_decision_can_give_has_a_case() -> None:
    given = {Reason(reason) for case in CASES for reason in case["reasons"].split()}
    assert given == set(Reason) - NOT_DECIDED
