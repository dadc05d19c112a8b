"""Campuses, groups and places: who belongs where, and who may enter which place when."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from terminal.person import PersonKind
from terminal.policy.values import WEEKDAYS, Dates, Flag, Hours, Minutes, Name, Table, Weekday

Accepted = Literal["personal", "card", "visitor"]
Purpose = Literal["gate", "library", "dormitory", "classroom", "office", "event"]
Passback = Literal["off", "timed", "soft", "hard"]
Language = Literal["zh", "en"]


class Campus(Table):
    """One of the school's grounds."""

    name_zh: str
    name_en: str


class Group(Table):
    """A department, a class, a society. People carry their groups in the roster."""

    name_zh: str
    name_en: str
    part_of: Name | None = Field(None, description="the group that this one is a part of")
    campus: Name | None = Field(None, description="where its members belong (R13)")


class Permit(Table):
    """Somebody, at some time. All that is given must fit; what is left out fits always."""

    kinds: tuple[PersonKind, ...] = Field((), description="these kinds of people, or members of `groups`")
    groups: tuple[Name, ...] = Field((), description="members of these groups, or people of `kinds`")
    days: tuple[Weekday, ...] = Field(WEEKDAYS, min_length=1, description="on these days of the week")
    hours: Hours | None = Field(None, description="between these times of day")
    dates: Dates | None = Field(None, description="between these days")

    @property
    def timed(self) -> bool:
        """Whether the time matters at all."""
        return bool(self.hours or self.dates or len(set(self.days)) < 7)

    def at(self, local: dt.datetime) -> bool:
        """Whether the permit holds at that local time; hours over midnight belong to the day they begin."""
        day = self.hours.holds(local) if self.hours else local.date()
        if day is None or WEEKDAYS[day.weekday()] not in self.days:
            return False
        return self.dates is None or day in self.dates


class Place(Table):
    """One door, one reader."""

    name_zh: str
    name_en: str
    campus: Name | None = Field(None, description="the campus it stands on")
    purpose: Purpose = Field("gate", description="what it is the door of")
    admits: tuple[PersonKind, ...] = Field(tuple(PersonKind), description="kinds of people")
    accepts: tuple[Accepted, ...] = Field(("personal", "card", "visitor"), description="kinds of codes")
    entry: tuple[Permit, ...] = Field((), description="who may enter when; none: everybody it admits, always")
    thermal: Flag = Field(True, description="whether a temperature is needed here")
    declaration: Flag = Field(False, description="whether the day's health declaration is needed here (R4)")
    check_in: Flag = Field(True, description="whether a scan here is the daily check-in (R11, R13)")
    requires_bound: Flag = Field(False, description="whether personal codes must be made for this very place")
    anti_passback: Passback = Field(
        "off", description="a person who comes again: soft lets in and notes it; timed and hard do not"
    )
    passback_minutes: Minutes = Field(10, description="for how long one is taken to be inside")
    unrecorded: Literal["locked", "released"] = Field(
        "locked", description="the gate while no record can be written: released is for escape routes"
    )
    pulse_seconds: float | None = Field(
        None, gt=0, le=60, description="how long it is released, if not as usual"
    )
    languages: tuple[Language, ...] | None = Field(
        None, min_length=1, description="on its screen, if not as usual"
    )
