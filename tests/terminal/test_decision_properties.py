"""What must hold of any situation under any policy: over whole schools, and around odd nights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from terminal.codes import Code, CodeKind
from terminal.decision import Decision, decide, decide_attendant
from terminal.findings import MarkKind
from terminal.memory import memos
from terminal.person import Absence, Person, PersonKind, Status
from terminal.policy import Calendar, CheckIn, Event, Hours, Permit, Policy
from terminal.reasons import SENTENCES, Notice, Reason, Verdict
from terminal.situation import Registration, Situation
from tests.terminal.whole import DOOR, ENDS, HOURS, JUMPS, ZONES, time_of, warm, worlds

World = tuple[Situation, Policy]
many = settings(max_examples=150)
SEVERITY = [Verdict.ALLOW, Verdict.REFER, Verdict.DENY]


def changed(policy: Policy, **changes: Any) -> Policy:
    """`policy` with other values of its door."""
    return policy.model_copy(update={"places": {DOOR: policy.places[DOOR].model_copy(update=changes)}})


def never_lets_in_more(before: Decision, after: Decision) -> None:
    event(f"{before.verdict}, then {after.verdict}")
    assert before.verdict is Verdict.ALLOW or after.verdict is not Verdict.ALLOW, (before, after)


@many
@given(worlds())
def test_any_situation_under_any_policy_gives_one_decision_and_always_the_same(world: World) -> None:
    situation, policy = world
    for decides in (decide, decide_attendant):
        decision = decides(situation, policy)
        assert (decision.verdict is Verdict.ALLOW) == (decision.reasons == (Reason.OK,))
        assert all(reason in SENTENCES for reason in decision.reasons)
        copy = Policy.model_validate_json(policy.model_dump_json(by_alias=True))
        assert decides(replace(situation), copy) == decision


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("now", [*ENDS, *JUMPS], ids=str)
def test_at_the_ends_of_time_and_on_odd_nights_everybody_is_answered(now: datetime, zone: str) -> None:
    hours = {"from": "22:00", "to": "06:00"}
    door = {
        "name_zh": "门",
        "name_en": "Door",
        "anti_passback": "hard",
        "entry": [{"hours": hours}, {"days": ["sun"]}],
    }
    policy = Policy.model_validate({
        "calendar": {"time_zone": zone}, "places": {DOOR: door},
        "check_in": {"morning": hours, "late_minutes": 720},
    })  # fmt: skip
    at = int(now.timestamp())
    for since in (at, 0, -(2**62)):
        person = Person("P1", "", PersonKind.STUDENT, absences=(Absence(-(2**62), at - 1, at + 9),))
        code = Code(CodeKind.PERSONAL, "P1", "d", issued_at=at)
        situation = Situation(DOOR, now, code=code, person=person, reading=warm(365), marks={"entry:": since})
        assert decide(situation, policy).verdict in Verdict


@many
@given(worlds(), st.sampled_from(PersonKind))
def test_a_kind_no_longer_admitted_lets_in_nobody_more(world: World, kind: PersonKind) -> None:
    situation, policy = world
    fewer = tuple(one for one in policy.places[DOOR].admits if one is not kind)
    never_lets_in_more(decide(situation, policy), decide(situation, changed(policy, admits=fewer)))


@many
@given(worlds(), st.sampled_from(["personal", "card", "visitor"]))
def test_a_kind_of_code_no_longer_accepted_lets_in_nobody_more(world: World, kind: str) -> None:
    situation, policy = world
    fewer = tuple(one for one in policy.places[DOOR].accepts if one != kind)
    never_lets_in_more(decide(situation, policy), decide(situation, changed(policy, accepts=fewer)))


@many
@given(worlds(least_permits=2), st.integers(0, 2))
def test_one_permit_less_of_several_lets_in_nobody_more(world: World, index: int) -> None:
    """Of several: without any permit left the place is open to all that it admits, as RULES.md says."""
    situation, policy = world
    entry = policy.places[DOOR].entry
    index = min(index, len(entry) - 1)
    fewer = entry[:index] + entry[index + 1 :]
    never_lets_in_more(decide(situation, policy), decide(situation, changed(policy, entry=fewer)))


@many
@given(worlds(least_events=1), st.integers(0, 2))
def test_whoever_leaves_a_group_is_not_let_in_for_it(world: World, index: int) -> None:
    situation, policy = world
    person = situation.person
    assume(person is not None and person.groups)
    assert person is not None
    index %= len(person.groups)
    left = replace(person, groups=person.groups[:index] + person.groups[index + 1 :])
    never_lets_in_more(decide(situation, policy), decide(replace(situation, person=left), policy))


@many
@given(worlds(least_events=1), st.sampled_from(["gala", "fair"]))
def test_whoever_is_no_longer_invited_is_not_let_in_for_it(world: World, name: str) -> None:
    situation, policy = world
    assume(name in policy.events)
    uninvited = policy.events[name].model_copy(update={"people": frozenset(), "groups": ()})
    without = policy.model_copy(update={"events": {**policy.events, name: uninvited}})
    never_lets_in_more(decide(situation, policy), decide(situation, without))


@many
@given(worlds(), st.integers(300, 449), st.integers(1, 150))
def test_a_higher_temperature_never_helps(world: World, decidegrees: int, more: int) -> None:
    situation, policy = world
    lower = decide(replace(situation, reading=warm(decidegrees)), policy)
    higher = decide(replace(situation, reading=warm(decidegrees + more)), policy)
    assert SEVERITY.index(higher.verdict) >= SEVERITY.index(lower.verdict)
    lower = decide(replace(situation, reading=warm(decidegrees, 0.0)), policy)
    higher = decide(replace(situation, reading=warm(decidegrees + more, 0.0)), policy)
    assert SEVERITY.index(higher.verdict) >= SEVERITY.index(lower.verdict)


@many
@given(worlds(), st.sampled_from([Status.SUSPENDED, Status.ISOLATED, Status.REVOKED]), st.booleans())
def test_suspended_isolated_and_revoked_people_are_never_let_in(
    world: World, status: Status, by_hand: bool
) -> None:
    situation, policy = world
    assume(situation.person is not None)
    assert situation.person is not None
    barred = replace(situation, person=replace(situation.person, status=status))
    if by_hand:
        attendant = Person("T1", "Anna", PersonKind.STAFF)
        barred = replace(barred, code=None, registration=Registration(attendant))
    assert decide(barred, policy).verdict is Verdict.DENY
    assert decide_attendant(barred, policy).verdict is Verdict.DENY


@many
@given(worlds())
def test_only_who_is_let_in_gets_marks_and_no_mark_twice(world: World) -> None:
    decision = decide(*world)
    event(f"{decision.verdict} {bool(decision.marks)}")
    assert decision.verdict is Verdict.ALLOW or not decision.marks
    assert len({mark.key for mark in decision.marks}) == len(decision.marks)


# --- Hours on the wall


def minutes_of(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Every minute that there really is on a local day and the one after it, as moments in UTC."""
    moment = datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
    while (moment.astimezone(zone).date() - day).days < 2:
        yield moment
        moment += timedelta(minutes=1)


ODD_DAYS = [
    ("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Shanghai", date(2028, 2, 29)),
]  # fmt: skip


@settings(max_examples=15)
@given(HOURS, st.sampled_from(ODD_DAYS), st.sampled_from([0, 59]))
def test_every_minute_from_the_first_to_the_last_on_the_wall_is_in_the_hours_and_no_other(
    text: dict[str, str], odd: tuple[str, date], second: int
) -> None:
    calendar, hours = Calendar(time_zone=odd[0]), Hours.model_validate(text)
    permit, check_in = Permit(hours=hours), CheckIn(morning=hours)
    over_midnight = text["to"] < text["from"]
    for moment in minutes_of(odd[1], calendar.zone):
        local = calendar.local(moment + timedelta(seconds=second))
        shown = f"{local:%H:%M}"
        evening = text["from"] <= shown and (over_midnight or shown <= text["to"])
        small_hours = over_midnight and not evening and shown <= text["to"]
        assert permit.at(local) == (evening or small_hours)
        window = check_in.window(local, calendar)
        begun = local.date() - timedelta(days=small_hours)
        assert (window and (window.day, window.late)) == ((begun, 0) if evening or small_hours else None)


@pytest.mark.parametrize(("to", "late"), [("23:59", 1), ("24:00", 1), ("23:58", 2)])
def test_a_window_to_the_end_of_the_day_leaves_no_minute_between_in_time_and_late(to: str, late: int) -> None:
    check_in = CheckIn(morning=Hours.model_validate({"from": "20:00", "to": to}), late_minutes=5)
    window = check_in.window(datetime(2026, 11, 25, 0, 0, 30), Calendar())
    assert window == ("morning", date(2026, 11, 24), late)


def test_an_event_has_its_last_minute_to_the_end_of_it() -> None:
    times = {"from": "2026-12-01T19:00:00", "to": "2026-12-01T21:30:00", "early_minutes": 0}
    gala = Event.model_validate({"name_zh": "会", "name_en": "Gala", "place": DOOR, **times})
    on = [datetime(2026, 12, 1, 19), datetime(2026, 12, 1, 21, 30, 59)]
    off = [datetime(2026, 12, 1, 18, 59, 59), datetime(2026, 12, 1, 21, 31)]
    assert [gala.at(moment) for moment in on + off] == [True, True, False, False]


# --- Twice

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)  # a Tuesday in Shanghai
STUDENT = Person("P1", "张伟", PersonKind.STUDENT)


def school(**check_in: Any) -> Policy:
    return Policy.model_validate(
        {"places": {DOOR: {"name_zh": "门", "name_en": "Door"}}, "check_in": check_in}
    )


def twice(policy: Policy, now: datetime, person: Person = STUDENT) -> tuple[Decision, Decision]:
    """The decisions on somebody who comes, and comes again a minute later."""
    answers, marks = [], {}
    for at in (now, now + timedelta(minutes=1)):
        code = Code(CodeKind.PERSONAL, "P1", "d", issued_at=int(at.timestamp()))
        decision = decide(
            Situation(DOOR, at, code=code, person=person, reading=warm(365), marks=marks), policy
        )
        marks = marks | {memo.what: memo.value for memo in memos(decision, None, at)}
        answers.append(decision)
    return answers[0], answers[1]


@given(st.integers(0, 1438), st.integers(0, 30))
def test_checked_in_twice_is_one_mark_and_then_already(minute: int, before: int) -> None:
    now = NOON.replace(hour=0) + timedelta(minutes=minute)
    local = Calendar().local(now)
    start = max(0, local.hour * 60 + local.minute - before)
    first, second = twice(school(morning={"from": time_of(start), "to": time_of((start + 60) % 1440)}), now)
    assert [mark.kind for mark in first.marks] == [MarkKind.CHECK_IN]
    assert (Notice.ALREADY in first.notices, Notice.ALREADY in second.notices) == (False, True)
    assert second.marks == ()


def away(begun: timedelta, ended: timedelta) -> Person:
    start, end = int((NOON - begun).timestamp()), int((NOON - ended).timestamp())
    return replace(STUDENT, absences=(Absence(start, end, end + 7 * 86_400),))


LATE = {"morning": {"from": "10:00", "to": "11:50"}, "late_minutes": 30}


def test_made_up_twice_is_one_mark_and_then_already() -> None:
    first, second = twice(school(**LATE), NOON, away(timedelta(hours=9), timedelta(minutes=30)))
    assert [mark.kind for mark in first.marks] == [MarkKind.MAKE_UP]
    assert (second.marks, second.notices) == ((), (Notice.ALREADY,))


def test_an_absence_of_the_day_before_does_not_excuse_being_late_today() -> None:
    first, _ = twice(school(**LATE), NOON, away(timedelta(hours=40), timedelta(hours=20)))
    assert [(mark.kind, mark.late) for mark in first.marks] == [
        (MarkKind.MAKE_UP, 0),
        (MarkKind.CHECK_IN, 10),
    ]


def test_a_full_event_bars_nobody_from_another_that_has_room() -> None:
    gala = {
        "name_zh": "会", "name_en": "Gala", "place": DOOR, "people": ["P1"], "capacity": 1,
        "from": "2026-11-24T11:00:00", "to": "2026-11-24T13:00:00",
    }  # fmt: skip
    document = school().model_dump(mode="json", by_alias=True)
    policy = Policy.model_validate(document | {"events": {"gala": gala, "fair": gala}})
    code = Code(CodeKind.PERSONAL, "P1", "d", issued_at=int(NOON.timestamp()))
    full = Situation(DOOR, NOON, code=code, person=STUDENT, reading=warm(365), inside={"gala": 1})
    assert [(mark.kind, mark.name) for mark in decide(full, policy).marks] == [(MarkKind.SIGN_IN, "fair")]
    fuller = decide(replace(full, inside={"gala": 1, "fair": 1}), policy)
    assert fuller.reasons == (Reason.EVENT_FULL,)
