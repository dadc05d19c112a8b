"""The school's calendar: time zone, term, holidays, exchanged workdays, and the windows for checking in.

Pure: it is given the time. Local time is what clocks on the school's walls show.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from terminal.policy.values import WEEKDAYS, Dates, Hours, Minutes, Table, Weekday

HalfDay = Literal["morning", "afternoon"]
HALF_DAYS: tuple[HalfDay, ...] = ("morning", "afternoon")


class Holiday(Dates):
    """Days without classes and without check-in."""

    name: str = ""


class Workday(Table):
    """A day that counts as another day of the week: the Saturday that makes up for a holiday."""

    date: dt.date
    counts_as: Weekday = Field(alias="as", description="the weekday whose timetable holds")


class Calendar(Table):
    """What day it is."""

    time_zone: str = Field("Asia/Shanghai", description="a name of the IANA time zone database")
    term: Dates | None = Field(None, description="the term; its first day lies in teaching week 1")
    holidays: tuple[Holiday, ...] = ()
    workdays: tuple[Workday, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("a name such as Asia/Shanghai") from error
        return name

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def _exchanged(self) -> dict[dt.date, Weekday]:
        return {workday.date: workday.counts_as for workday in self.workdays}

    def local(self, moment: dt.datetime) -> dt.datetime:
        """An aware moment as clocks on the wall show it.

        The first and the last year that there are count as the next and the one before: a broken clock must
        not break the reckoning with days before and after.
        """
        return moment.replace(year=min(max(moment.year, 2), 9998)).astimezone(self.zone)

    def date_of(self, at: int) -> str:
        """The local date of `at` (Unix seconds), such as "2026-11-24"."""
        bounded = min(max(at, 0), 2**37)  # the year 6325
        return self.local(dt.datetime.fromtimestamp(bounded, dt.UTC)).date().isoformat()

    def weekday(self, day: dt.date) -> Weekday | None:
        """The weekday whose timetable holds on `day`; None on a holiday."""
        if (exchanged := self._exchanged.get(day)) is not None:
            return exchanged
        if any(day in holiday for holiday in self.holidays):
            return None
        return WEEKDAYS[day.weekday()]

    def teaching_week(self, day: dt.date) -> int | None:
        """The number of the teaching week, from 1; None outside of the term."""
        if self.term is None or day not in self.term:
            return None
        monday = self.term.start.toordinal() - self.term.start.weekday()
        return (day.toordinal() - monday) // 7 + 1


class Notice(Dates):
    """Other windows on some days: the school's notice (R11). A window left out is as usual."""

    reason: str = ""
    morning: Hours | None = None
    afternoon: Hours | None = None
    none: tuple[HalfDay, ...] = Field((), description="no check-in in these half-days")

    def speaks_of(self, half: HalfDay) -> bool:
        """Whether that half-day is other than usual."""
        return half in self.none or getattr(self, half) is not None

    def hours(self, half: HalfDay) -> Hours | None:
        """The window of that half-day, of which it speaks; None when there is none."""
        hours: Hours | None = getattr(self, half)
        return None if half in self.none else hours


class Window(NamedTuple):
    """One check-in window as a moment meets it. late: minutes after its end, 0 within it."""

    half: HalfDay
    day: dt.date
    late: int


class CheckIn(Table):
    """The daily check-in (R11)."""

    morning: Hours | None = Field(None, description="the morning's window, if there is one")
    afternoon: Hours | None = Field(None, description="the afternoon's window, if there is one")
    days: tuple[Weekday, ...] = Field(WEEKDAYS, description="on these days of the week")
    late_minutes: Minutes = Field(0, le=720, description="a scan so long after a window counts, as late")
    notices: tuple[Notice, ...] = ()

    def window(self, local: dt.datetime, calendar: Calendar) -> Window | None:
        """The window that a scan at that local time is for, in time or late; None when there is none.

        A window that is open comes before one that was missed.
        """
        late: Window | None = None
        minute = local.replace(second=0, microsecond=0, tzinfo=None)
        for day in (local.date(), local.date() - dt.timedelta(days=1)):  # one over midnight began yesterday
            for half in HALF_DAYS:
                hours = self.hours(half, day, calendar)
                if hours is None:
                    continue
                if hours.holds(local) == day:
                    return Window(half, day, 0)
                minutes = (minute - hours.end_on(day)) // dt.timedelta(minutes=1)
                if 0 < minutes <= self.late_minutes and (late is None or minutes < late.late):
                    late = Window(half, day, minutes)
        return late

    def hours(self, half: HalfDay, day: dt.date, calendar: Calendar) -> Hours | None:
        """The window of that half-day on `day`; None when there is none."""
        number = self.notice(half, day)
        if number is not None:
            return self.notices[number].hours(half)
        hours: Hours | None = getattr(self, half)
        return hours if calendar.weekday(day) in self.days else None

    def notice(self, half: HalfDay, day: dt.date) -> int | None:
        """The number of the notice that says what that half-day is on `day`: the last that speaks of it."""
        said = (n for n, notice in enumerate(self.notices) if day in notice and notice.speaks_of(half))
        return max(said, default=None)
