"""Whether a policy fits together: names that exist, times that do not collide, places that can be entered.

The model (terminal/policy) judges each value by itself; here stand the questions that take several.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations

from sync.central.toml_lines import Key
from terminal.policy import DEEPEST, CheckIn, Hours, Lesson, Permit, Place, Policy
from terminal.policy.calendar import HalfDay, Notice

_DAY = 1440  # minutes


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or odd. path: the keys that lead to it."""

    path: tuple[Key, ...]
    said: str
    warning: bool = False


def check(policy: Policy, today: dt.datetime) -> Iterator[Problem]:
    """All that is wrong with `policy`, or odd. today: local time."""
    yield from _names(policy)
    yield from _circles(policy)
    yield from _calendar(policy)
    yield from _windows(policy)
    yield from _weeks(policy)
    yield from _clashes(policy)
    yield from _events(policy, today)
    yield from _closed(policy, today)
    ages = policy.roster
    if not ages.warn_seconds <= ages.restrict_seconds <= ages.close_seconds:
        said = "should rise: warn_seconds, restrict_seconds, close_seconds"
        yield Problem(("roster",), said, warning=True)


def _names(policy: Policy) -> Iterator[Problem]:
    """Campuses, groups and places that are named and do not exist."""
    campuses, groups, places = policy.campuses, policy.groups, policy.places
    for name, group in groups.items():
        yield from _unknown(("groups", name, "campus"), group.campus, campuses, "campus")
        yield from _unknown(("groups", name, "part_of"), group.part_of, groups, "group")
    for name, place in places.items():
        yield from _unknown(("places", name, "campus"), place.campus, campuses, "campus")
        for number, permit in enumerate(place.entry):
            path: tuple[Key, ...] = ("places", name, "entry", number, "groups")
            yield from _all_unknown(path, permit.groups, groups)
    for number, lesson in enumerate(policy.timetable.lessons):
        path = ("timetable", "lessons", number)
        yield from _unknown((*path, "place"), lesson.place, places, "place")
        yield from _all_unknown((*path, "groups"), lesson.groups, groups)
    for name, event in policy.events.items():
        yield from _unknown(("events", name, "place"), event.place, places, "place")
        yield from _all_unknown(("events", name, "groups"), event.groups, groups)
    yield from _all_unknown(("manual", "groups"), policy.manual.groups, groups)


def _all_unknown(path: tuple[Key, ...], names: Iterable[str], groups: Iterable[str]) -> Iterator[Problem]:
    for number, name in enumerate(names):
        yield from _unknown((*path, number), name, groups, "group")


def _unknown(path: tuple[Key, ...], name: str | None, known: Iterable[str], what: str) -> Iterator[Problem]:
    if name is None or name in known:
        return
    table = {"campus": "campuses"}.get(what, f"{what}s")
    alike = get_close_matches(name, known, n=1)
    hint = f"; did you mean {alike[0]!r}?" if alike else ""
    yield Problem(path, f"{name!r} is not allowed: there is no {what} of that name in [{table}]{hint}")


def _circles(policy: Policy) -> Iterator[Problem]:
    """Groups that are a part of themselves, or part of too many."""
    told: set[str] = set()
    for name in policy.groups:
        chain = [name]
        while (known := policy.groups.get(chain[-1])) and known.part_of:
            if known.part_of in chain:
                circle = chain[chain.index(known.part_of) :]
                if told.isdisjoint(circle):
                    said = f"{' in '.join([*circle, circle[0]])}: a group cannot be a part of itself"
                    yield Problem(("groups", circle[0], "part_of"), said)
                told.update(circle)
                break
            chain.append(known.part_of)
        else:
            if len(chain) > DEEPEST:
                yield Problem(
                    ("groups", name, "part_of"), f"lies {len(chain)} groups deep; {DEEPEST} are allowed"
                )


def _calendar(policy: Policy) -> Iterator[Problem]:
    """Two workdays on one date."""
    first: dict[dt.date, int] = {}
    for number, workday in enumerate(policy.calendar.workdays):
        if first.setdefault(workday.date, number) != number:
            yield Problem(("calendar", "workdays", number, "date"), f"{workday.date} is given twice")


def _windows(policy: Policy) -> Iterator[Problem]:
    """Morning and afternoon that overlap, as usual or by a notice."""
    usual = policy.check_in
    if usual.morning and usual.afternoon and _overlap(usual.morning, usual.afternoon):
        said = f"{_span(usual.afternoon)} overlaps the morning's {_span(usual.morning)}"
        yield Problem(("check_in", "afternoon"), said)
    for number, notice in enumerate(usual.notices):
        path: tuple[Key, ...] = ("check_in", "notices", number)
        for day in _changes(notice, usual.notices):
            by_morning, morning = _in_force(usual, "morning", day)
            by_afternoon, afternoon = _in_force(usual, "afternoon", day)
            if number != max(by_morning, by_afternoon):
                continue  # the last of those that make it so is told
            if morning and afternoon and _overlap(morning, afternoon):
                key = "afternoon" if by_afternoon == number else "morning"
                said = f"{_span(afternoon)} overlaps the morning's {_span(morning)} on these days"
                yield Problem((*path, key), f"{said}, from {day}" if day != notice.start else said)
                break
        for half in notice.none:
            if getattr(notice, half):
                yield Problem((*path, half), f"has hours, and `none` says that there is no {half}")


def _changes(notice: Notice, others: Iterable[Notice]) -> list[dt.date]:
    """The days of `notice` on which windows may differ from those of the day before."""
    starts = [other.start for other in others]
    ends = [other.end + dt.timedelta(days=1) for other in others if other.end < dt.date.max]
    return sorted({day for day in (*starts, *ends) if day in notice})


def _in_force(usual: CheckIn, half: HalfDay, day: dt.date) -> tuple[int, Hours | None]:
    """The number of the notice that gives that window on `day`, -1 for none, and its hours."""
    number = usual.notice(half, day)
    usually: Hours | None = getattr(usual, half)
    return (-1, usually) if number is None else (number, usual.notices[number].hours(half))


def _weeks(policy: Policy) -> Iterator[Problem]:
    """Teaching weeks that the term does not have."""
    term = policy.calendar.term
    last = policy.calendar.teaching_week(term.end) if term else None
    for number, lesson in enumerate(policy.timetable.lessons):
        for place, week in enumerate(lesson.weeks):
            path: tuple[Key, ...] = ("timetable", "lessons", number, "weeks", place)
            if last is None:
                yield Problem(path, f"{week} is not allowed: [calendar] has no term, so weeks have no number")
            elif not 1 <= week <= last:
                yield Problem(path, f"{week} is not allowed: the term has weeks 1 to {last}")


def _clashes(policy: Policy) -> Iterator[Problem]:
    """Two lessons at one time in one room, or for one group: a class has them if its department has."""
    lessons = policy.timetable.lessons
    rooms: dict[tuple[str, str], list[int]] = defaultdict(list)
    takers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, lesson in enumerate(lessons):
        rooms[lesson.place, lesson.day].append(number)
        for group in lesson.groups:
            takers[group, lesson.day].append(number)
    found: dict[tuple[int, int], str] = {}
    for (room, _), held in rooms.items():
        for one, other in combinations(held, 2):
            if _collide(lessons[one], lessons[other]):
                found[one, other] = f"the place {room}"
    for number, lesson in enumerate(lessons):
        for group in lesson.groups:
            for above in policy.within([group]):
                for other in takers[above, lesson.day]:
                    pair = (min(number, other), max(number, other))
                    if number != other and pair not in found and _collide(lesson, lessons[other]):
                        found[pair] = f"the group {group}"
    for (one, other), what in sorted(found.items()):
        first, second = lessons[one], lessons[other]
        said = (
            f"{what} has two lessons at one time: {first.course} {first.day} {_span(first.hours)} (number "
            f"{one + 1}) and {second.course} {_span(second.hours)} (number {other + 1})"
        )
        yield Problem(("timetable", "lessons", other), said, warning=True)


def _events(policy: Policy, today: dt.datetime) -> Iterator[Problem]:
    """Events that are over, or to which nobody is invited."""
    for name, event in policy.events.items():
        if event.end < today.replace(tzinfo=None):
            yield Problem(("events", name, "to"), f"{event.end} has passed: it can go", warning=True)
        if not event.groups and not event.people:
            said = "nobody is invited: it has neither groups nor people"
            yield Problem(("events", name), said, warning=True)


def _closed(policy: Policy, today: dt.datetime) -> Iterator[Problem]:
    """Places that nobody can enter."""
    for name, place in policy.places.items():
        if why := _why_closed(place, today.date()):
            yield Problem(("places", name), f"nobody can enter: {why}", warning=True)


def _why_closed(place: Place, today: dt.date) -> str:
    if not place.admits:
        return "`admits` has no kind of people"
    if not place.accepts:
        return "`accepts` has no kind of code"
    if place.accepts == ("visitor",) and "visitor" not in place.admits:
        return "it accepts only visitors' passes and admits no visitors"
    if place.entry and not any(_useful(permit, place, today) for permit in place.entry):
        return "no permit of `entry` names people whom it admits, on a day still to come"
    return ""


def _useful(permit: Permit, place: Place, today: dt.date) -> bool:
    anybody = not permit.kinds or permit.groups or not set(permit.kinds).isdisjoint(place.admits)
    return bool(anybody) and (permit.dates is None or permit.dates.end >= today)


def _collide(one: Lesson, other: Lesson) -> bool:
    """Whether two lessons of one weekday are at the same time in some week."""
    if one.weeks and other.weeks and set(one.weeks).isdisjoint(other.weeks):
        return False
    return one.hours.start < other.hours.end and other.hours.start < one.hours.end


def _overlap(one: Hours, other: Hours) -> bool:
    """Whether two windows of the day share a minute; they may run over midnight."""
    return not _minutes(one).isdisjoint(_minutes(other))


def _minutes(hours: Hours) -> set[int]:
    end = min(hours.end, _DAY - 1) if hours.start <= hours.end else hours.end + _DAY
    return {minute % _DAY for minute in range(hours.start, end + 1)}


def _span(hours: Hours) -> str:
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (hours.start, hours.end))
