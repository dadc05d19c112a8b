"""Values as a clerk writes them in policy.toml: degrees, times of day, weekdays, spans of dates.

Each is read strictly, says in one sentence what is allowed, and is written back (JSON) as it was read.
Nothing here looks at a clock.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[int, Field(ge=0, le=31_536_000, strict=True)]
Minutes = Annotated[int, Field(ge=0, le=10_080, strict=True)]
Consequence = Literal["allow", "refer", "deny"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)")


def _tenths(value: Any) -> int:
    """Degrees Celsius with at most one decimal (R18) as tenths: 37.3 gives 373."""
    try:
        tenths = Decimal(str(value)) * 10  # by its digits: 37.3 is no binary fraction
        whole = tenths.is_finite() and tenths == int(tenths)
    except InvalidOperation:
        whole = False
    if not whole:
        raise ValueError("degrees Celsius with one decimal, such as 37.3")
    return int(tenths)


def _minute(value: Any) -> int:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time of day in quotes, such as "07:30"; "24:00" is the end of the day')
    hours, minutes = (part for part in match.groups() if part is not None)
    return int(hours) * 60 + int(minutes)


def _between(low: int, high: int) -> AfterValidator:
    def check(tenths: int) -> int:
        if not low <= tenths <= high:
            raise ValueError(f"{low / 10} to {high / 10} degrees Celsius")
        return tenths

    return AfterValidator(check)


_Tenths = Annotated[
    int,
    BeforeValidator(_tenths, json_schema_input_type=float),
    PlainSerializer(lambda tenths: tenths / 10, float),
]

Fever = Annotated[_Tenths, _between(350, 420)]
"""A body temperature: tenths of a degree in the program, 37.3 in TOML and JSON."""

Difference = Annotated[_Tenths, _between(1, 100)]
"""Of two temperatures: tenths of a degree in the program, 1.0 in TOML and JSON."""

TimeOfDay = Annotated[
    int,
    BeforeValidator(_minute, json_schema_input_type=str),
    PlainSerializer(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}", str),
]
"""A time of day: minutes since midnight in the program, "07:30" in TOML and JSON."""


class Table(BaseModel):
    """A table of the policy: nothing unknown in it, and it never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Hours(Table):
    """A part of the day on the wall clock, both minutes included; `to` before `from` runs over midnight."""

    start: TimeOfDay = Field(alias="from", description="the first minute")
    end: TimeOfDay = Field(alias="to", description="the last minute")

    def holds(self, moment: dt.datetime) -> dt.date | None:
        """The date on whose account local `moment` lies in these hours; None when it does not.

        Judged by what clocks on the wall show: on a night that is set back an hour counts twice, on one that
        is set forward a window may be shorter.
        """
        minute, today = moment.hour * 60 + moment.minute, moment.date()
        if self.start <= self.end:
            return today if self.start <= minute <= self.end else None
        if minute >= self.start:
            return today
        return today - dt.timedelta(days=1) if minute <= self.end else None

    def start_on(self, day: dt.date) -> dt.datetime:
        """The first minute of these hours that begin on `day`, on the wall clock (no zone)."""
        return dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=self.start)

    def end_on(self, day: dt.date) -> dt.datetime:
        """The last minute of these hours that begin on `day`, on the wall clock (no zone).

        The last minute of hours to "24:00" is 23:59.
        """
        days = 1 if self.end < self.start else 0
        return dt.datetime.combine(day, dt.time()) + dt.timedelta(days=days, minutes=min(self.end, 1439))


class Dates(Table):
    """Days of the calendar, both included."""

    start: dt.date = Field(alias="from", description="the first day, such as 2026-09-01")
    end: dt.date = Field(alias="to", description="the last day")

    @model_validator(mode="after")
    def _in_order(self) -> Dates:
        if self.end < self.start:
            raise ValueError(f"ends on {self.end}, before it begins on {self.start}")
        return self

    def __contains__(self, day: dt.date) -> bool:
        return self.start <= day <= self.end
