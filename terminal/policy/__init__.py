"""The school's policy as a terminal holds it: typed, validated, and silent about how it got here.

Written by people as TOML at central (sync/central/policy_file.py checks it there against itself), published
as JSON by the same names. Durations are in the unit that the key names, temperatures degrees Celsius.
RULES.md says what each rule does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from terminal.person import NameDisplay
from terminal.policy.calendar import Calendar, CheckIn
from terminal.policy.places import Accepted, Campus, Group, Language, Permit, Place
from terminal.policy.tables import (
    CodePolicy,
    HealthPolicy,
    ManualPolicy,
    RecordsPolicy,
    RosterPolicy,
    ThermalPolicy,
)
from terminal.policy.timetable import Event, Lesson, Session, Timetable
from terminal.policy.values import Consequence, Dates, Hours, Name, Table

DEEPEST = 16  # groups within groups


class Policy(Table):
    """The whole policy, as published in the target `policy.json`."""

    version: Literal[1] = 1
    names: NameDisplay = Field("masked", description="how much of a name a gate shows")
    languages: tuple[Language, ...] = Field(
        ("zh", "en"), min_length=1, description="on screens, the first first"
    )
    pulse_seconds: float = Field(3.0, gt=0, le=60, description="how long the gate stays released")
    code: CodePolicy = CodePolicy()
    thermal: ThermalPolicy = Field(default_factory=lambda: ThermalPolicy.model_validate({}))
    health: HealthPolicy = Field(default_factory=lambda: HealthPolicy.model_validate({}))
    roster: RosterPolicy = RosterPolicy()
    manual: ManualPolicy = ManualPolicy()
    records: RecordsPolicy = RecordsPolicy()
    calendar: Calendar = Calendar()
    check_in: CheckIn = CheckIn()
    campuses: dict[Name, Campus] = Field({}, description="grounds by name")
    groups: dict[Name, Group] = Field({}, description="groups by the name that people have in the roster")
    places: dict[Name, Place] = Field(description="places by the name that terminals are set to")
    timetable: Timetable = Timetable()
    events: dict[Name, Event] = Field({}, description="events by name")

    def within(self, groups: Iterable[str]) -> frozenset[str]:
        """`groups` and all that they are a part of."""
        found: set[str] = set()
        for group in groups:
            name: str | None = group
            for _ in range(DEEPEST):
                if name is None or name in found:
                    break
                found.add(name)
                known = self.groups.get(name)
                name = known.part_of if known else None
        return frozenset(found)

    def campuses_of(self, groups: Iterable[str]) -> frozenset[str]:
        """Where members of `groups` belong; empty when nothing is said of it."""
        known = (self.groups.get(name) for name in self.within(groups))
        return frozenset(group.campus for group in known if group and group.campus)

    def languages_at(self, place: Place | None) -> tuple[Language, ...]:
        """The languages of the screen at `place`."""
        return (place.languages if place else None) or self.languages


__all__ = [
    "DEEPEST",
    "Accepted",
    "Calendar",
    "Campus",
    "CheckIn",
    "CodePolicy",
    "Consequence",
    "Dates",
    "Event",
    "Group",
    "HealthPolicy",
    "Hours",
    "Lesson",
    "ManualPolicy",
    "Name",
    "Permit",
    "Place",
    "Policy",
    "RecordsPolicy",
    "RosterPolicy",
    "Session",
    "ThermalPolicy",
    "Timetable",
]  # fmt: skip
