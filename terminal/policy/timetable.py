"""Classes and events: what is going on at a place, and who belongs to it (R5, R6).

Pure: it is given the time, and knows nothing of who has come.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from pydantic import Field, field_serializer, field_validator

from terminal.person import SUBJECT, PersonKind
from terminal.policy.calendar import Calendar
from terminal.policy.values import Consequence, Flag, Hours, Minutes, Name, Table, Weekday

_DAY_ALONE = re.compile(r"\d{4}-\d\d-\d\d")


class Lesson(Table):
    """One class of a course, every week of the term unless weeks are named."""

    course: str = Field(min_length=1, max_length=32, description="the course's number, such as CS101")
    name_zh: str = ""
    name_en: str = ""
    place: Name = Field(description="where: a name of [places]")
    groups: tuple[Name, ...] = Field(min_length=1, description="who takes it: names of [groups]")
    day: Weekday
    hours: Hours
    weeks: tuple[int, ...] = Field((), description="teaching weeks, from 1; none: every week of the term")

    @field_validator("hours")
    @classmethod
    def _within_a_day(cls, hours: Hours) -> Hours:
        if hours.end <= hours.start:
            raise ValueError("a class ends after it begins, on the same day")
        return hours


class Session(NamedTuple):
    """One class on one day. late: minutes since it began, 0 before."""

    lesson: Lesson
    day: dt.date
    late: int

    @property
    def name(self) -> str:
        """What names this very session: course, day, first minute."""
        start = self.lesson.hours.start
        return f"{self.lesson.course}/{self.day}T{start // 60:02d}:{start % 60:02d}"


class Timetable(Table):
    """The classes of a term and what attendance leads to."""

    early_minutes: Minutes = Field(15, le=240, description="one may come so long before a class")
    grace_minutes: Minutes = Field(0, le=240, description="one is not late until so long after the beginning")
    outside: Consequence = Field("allow", description="a scan at a classroom while there is no class")
    not_yours: Consequence = Field("deny", description="a scan during a class that one does not take")
    exempt: tuple[PersonKind, ...] = Field(
        (PersonKind.STAFF, PersonKind.WORKER), description="kinds of people who need take no class here"
    )
    lessons: tuple[Lesson, ...] = ()

    @cached_property
    def _by_place(self) -> dict[str, dict[Weekday, list[Lesson]]]:
        places: dict[str, dict[Weekday, list[Lesson]]] = defaultdict(lambda: defaultdict(list))
        for lesson in self.lessons:
            places[lesson.place][lesson.day].append(lesson)
        return {
            place: {day: sorted(held, key=lambda lesson: lesson.hours.start) for day, held in days.items()}
            for place, days in places.items()
        }

    def has(self, place: str) -> bool:
        """Whether any class is ever held at `place`."""
        return place in self._by_place

    def sessions(self, place: str, local: dt.datetime, calendar: Calendar) -> list[Session]:
        """The classes at `place` that somebody who comes at that local time may come for, in their order."""
        weekday, week = calendar.weekday(local.date()), calendar.teaching_week(local.date())
        if weekday is None or (calendar.term is not None and week is None):
            return []
        minute = local.hour * 60 + local.minute
        return [
            Session(lesson, local.date(), max(0, minute - lesson.hours.start))
            for lesson in self._by_place.get(place, {}).get(weekday, ())
            if lesson.hours.start - self.early_minutes <= minute <= lesson.hours.end
            and (not lesson.weeks or week in lesson.weeks)
        ]


class Event(Table):
    """One event at one place, with its guests."""

    name_zh: str
    name_en: str
    place: Name = Field(description="where: a name of [places]")
    start: dt.datetime = Field(alias="from", description="local time, such as 2026-12-01T19:00:00")
    end: dt.datetime = Field(alias="to", description="local time")
    early_minutes: Minutes = Field(60, description="one may come so long before it")
    groups: tuple[Name, ...] = Field((), description="whose members are invited")
    people: frozenset[str] = Field(
        frozenset(), description="numbers of people, and of passes, who are invited"
    )
    capacity: int | None = Field(None, ge=1, le=1_000_000, description="most people inside at one time")
    sign_out: Flag = Field(False, description="whether a second scan signs out")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _with_hour(cls, moment: object) -> object:
        """A day alone would be its first minute, while days are included wherever else two are given."""
        if (type(moment) is dt.date) or (isinstance(moment, str) and _DAY_ALONE.fullmatch(moment)):
            raise ValueError("a local time with its hour, such as 2026-12-01T19:00:00")
        return moment

    @field_validator("start", "end")
    @classmethod
    def _local(cls, moment: dt.datetime) -> dt.datetime:
        if moment.tzinfo is not None:
            raise ValueError("a local time without a zone, such as 2026-12-01T19:00:00")
        if not 2000 <= moment.year <= 2200:
            raise ValueError("a year from 2000 to 2200")
        return moment

    @field_validator("end")
    @classmethod
    def _after(cls, end: dt.datetime, info: object) -> dt.datetime:
        start = getattr(info, "data", {}).get("start")
        if start is not None and end <= start:
            raise ValueError(f"ends at {end}, not after it begins at {start}")
        return end

    @field_validator("people")
    @classmethod
    def _numbers(cls, people: frozenset[str]) -> frozenset[str]:
        if bad := [one for one in people if not SUBJECT.fullmatch(one)]:
            raise ValueError(f"{bad[0]!r} is no person's number")
        return people

    @field_serializer("people", when_used="json")
    def _in_order(self, people: frozenset[str]) -> list[str]:
        """The same policy is the same bytes every time it is signed."""
        return sorted(people)

    def at(self, local: dt.datetime) -> bool:
        """Whether one may come or go at that local time; both minutes are included, as in all hours."""
        opens = self.start.replace(second=0, microsecond=0) - dt.timedelta(minutes=self.early_minutes)
        return opens <= local.replace(second=0, microsecond=0, tzinfo=None) <= self.end
