"""Whole policies and situations for properties: one door, and everything a school can say about it."""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.declaration import Declaration, Symptom
from terminal.findings import MarkKind, mark_key
from terminal.person import Absence, Declared, Person, PersonKind, Status
from terminal.policy import Policy
from terminal.situation import Registration, Situation

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]
CODES = ["personal", "card", "visitor"]
GROUPS = ["a", "b", "dept"]
DOOR = "door"
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Around these a clock is set forward or back, a day is rare, or time ends.
JUMPS = [
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin
    datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York
    datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe
    datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2000, 2, 29, tzinfo=UTC),
]  # fmt: skip
ENDS = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
NEAR_JUMPS = st.builds(operator.add, st.sampled_from(JUMPS), st.timedeltas(timedelta(-2), timedelta(2)))
MOMENTS = st.one_of(NEAR_JUMPS, st.sampled_from(ENDS), st.datetimes(timezones=st.just(UTC)))
CONSEQUENCES = st.sampled_from(["allow", "refer", "deny"])
STRICT = st.sampled_from(["refer", "deny"])


def sublist(values: Any, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least)


def seldom(odd: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    """Mostly `usual`, so that people are let in often, and it shows when they no longer are."""
    return st.sampled_from([False] * 11 + [True]).flatmap(lambda is_odd: odd if is_odd else st.just(usual))


def time_of(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


MINUTES = st.one_of(st.integers(0, 1440), st.sampled_from([0, 1, 119, 120, 150, 180, 1439, 1440]))
HOURS = st.builds(lambda a, b: {"from": time_of(a), "to": time_of(b)}, MINUTES, MINUTES)


@st.composite
def permits(draw: st.DrawFn) -> dict[str, Any]:
    permit: dict[str, Any] = {"kinds": draw(sublist([*PersonKind])), "groups": draw(sublist(GROUPS))}
    if draw(st.booleans()):
        permit["hours"] = draw(HOURS)
    if draw(st.booleans()):
        permit["days"] = draw(sublist(WEEK, 1))
    return permit


@st.composite
def worlds(draw: st.DrawFn, least_permits: int = 0, least_events: int = 0) -> tuple[Situation, Policy]:
    """A situation under a policy that has something to say about that very moment."""
    now = draw(NEAR_JUMPS if least_events else MOMENTS)
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    wall = now.replace(year=min(max(now.year, 2), 9998)).astimezone(zone).replace(tzinfo=None, microsecond=0)
    minute = wall.hour * 60 + wall.minute
    document: dict[str, Any] = {
        "calendar": {"time_zone": zone.key},
        "code": {"untrusted_clock": draw(st.sampled_from(["refuse", "last-trusted"]))},
        "thermal": {
            "at_fever": draw(STRICT), "unavailable": draw(CONSEQUENCES),
            "min_seconds": draw(st.sampled_from([0, 1])), "too_brief": draw(CONSEQUENCES),
        },
        "health": {"undeclared": draw(STRICT), "at_contact": draw(STRICT)},
        "manual": {"per_hour": draw(st.integers(1, 9)), "thermal": draw(st.booleans())},
        "groups": {
            "dept": {"name_zh": "系", "name_en": "D", "campus": draw(st.sampled_from([None, "west"]))},
            "a": {"name_zh": "甲", "name_en": "A", "part_of": draw(st.sampled_from([None, "dept"]))},
            "b": {"name_zh": "乙", "name_en": "B"},
        },
        "campuses": {one: {"name_zh": "区", "name_en": "C"} for one in ("east", "west")},
        "check_in": {"morning": draw(HOURS), "late_minutes": draw(st.integers(0, 60))},
        "places": {
            DOOR: {
                "name_zh": "门", "name_en": "Door", "campus": "east",
                "admits": draw(seldom(sublist([*PersonKind]), [*PersonKind])),
                "accepts": draw(seldom(sublist(CODES), CODES)),
                "entry": draw(st.lists(permits(), min_size=least_permits, max_size=least_permits and 3)),
                "thermal": draw(st.booleans()), "declaration": draw(seldom(st.just(True), False)),
                "anti_passback": draw(st.sampled_from(["off", "timed", "soft", "hard"])),
            }
        },
    }  # fmt: skip
    if draw(st.booleans()):
        lesson = {"place": DOOR, "groups": draw(sublist(GROUPS, 1)), "course": "CS101"}
        start = max(0, min(minute, 1438) - draw(st.integers(0, 90)))
        lesson |= {"day": WEEK[wall.weekday()], "hours": {"from": time_of(start), "to": time_of(1440)}}
        document["timetable"] = {"lessons": [lesson], "outside": draw(CONSEQUENCES), "exempt": ["worker"]}
    for name in draw(sublist(["gala", "fair"], least_events)) if 2000 < wall.year < 2200 else []:
        document.setdefault("events", {})[name] = {
            "name_zh": "会", "name_en": "Gala", "place": DOOR,
            "from": wall - timedelta(minutes=draw(st.integers(-90, 90))), "to": wall + timedelta(hours=2),
            "groups": draw(sublist(GROUPS)), "people": draw(sublist(["P1", "V-9"])),
            "capacity": draw(st.sampled_from([None, 1, 2])), "sign_out": draw(st.booleans()),
        }  # fmt: skip
    return draw(_situations(now, str(wall.date()))), Policy.model_validate(document)


@st.composite
def _situations(draw: st.DrawFn, now: datetime, day: str) -> Situation:
    at = int(now.timestamp())
    near = st.one_of(st.integers(at - 4000, at + 60), st.integers(-(2**62), 2**62))
    likely = seldom(st.sampled_from(Status), Status.ACTIVE)
    absences = st.builds(
        Absence, st.integers(at - 9000, at), st.integers(at - 3600, at + 10), st.integers(at, at + 99)
    )
    declared = st.builds(Declared, st.just(day), told_well=seldom(st.just(False), True))
    person = st.builds(
        Person, st.just("P1"), st.just("张伟"), st.sampled_from(PersonKind), likely,
        valid_until=seldom(near, None), groups=sublist(GROUPS).map(tuple),
        absences=st.lists(absences, max_size=2).map(tuple), declared=st.one_of(st.none(), declared),
    )  # fmt: skip
    known = draw(st.one_of(person, person, person, person, st.none()))
    declaration = st.builds(
        Declaration, seldom(st.integers(300, 450), None),
        seldom(st.sampled_from([Symptom.COUGH, Symptom.BREATHING]), Symptom(0)), seldom(st.just(True), False),
    )  # fmt: skip
    code = st.builds(
        Code, st.just(CodeKind.PERSONAL), st.just("P1"), st.just("d"), st.integers(at - 60, at + 60),
        declaration=st.one_of(st.none(), declaration),
    )  # fmt: skip
    kinds = st.sampled_from(PassKind) if known else seldom(st.just(PassKind.CARD), PassKind.VISITOR)
    passes = st.builds(
        Code, st.just(CodeKind.PASS), st.just("P1" if known else "V-9"), st.just("d"), pass_kind=kinds
    )
    attendant = Person(
        "T1", "Anna", draw(seldom(st.sampled_from(PersonKind), PersonKind.STAFF)), draw(likely)
    )
    by_hand = known is not None and draw(st.sampled_from([True, False, False]))
    keys = [
        mark_key(MarkKind.ENTRY, ""),
        mark_key(MarkKind.SIGN_IN, "gala"),
        mark_key(MarkKind.SIGN_IN, "fair"),
    ]
    return Situation(
        DOOR, now, draw(seldom(st.just(False), True)), person=known,
        code=None if by_hand else draw(st.one_of(code, passes) if known else passes), reading=draw(READINGS),
        floor=draw(st.sampled_from([None, now])), last_issued_at=draw(seldom(near, None)),
        roster_age=draw(seldom(st.sampled_from([timedelta(days=8), timedelta(days=31)]), timedelta())),
        marks=draw(st.dictionaries(st.sampled_from(keys), near)),
        inside=draw(st.dictionaries(st.sampled_from(["gala", "fair"]), st.integers(0, 3))),
        registration=Registration(attendant, draw(seldom(st.integers(0, 9), 0))) if by_hand else None,
    )  # fmt: skip


def warm(decidegrees: int, seconds: float = 2.0) -> Reading:
    return Reading(ThermalState.OK, decidegrees, seconds=seconds)


READINGS = st.one_of(
    st.builds(warm, st.integers(355, 372)),
    st.builds(warm, st.integers(355, 372)),
    st.builds(warm, st.integers(300, 450), st.sampled_from([0.0, 2.0])),
    st.sampled_from([Reading(state) for state in ThermalState if state is not ThermalState.OK]),
)
