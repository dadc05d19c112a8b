"""What is known when somebody stands there: all that a decision depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from hw.thermal import Reading, ThermalState
from terminal.codes import Code
from terminal.findings import MarkKind, mark_key
from terminal.person import Person
from terminal.policy import Place, Policy
from terminal.reasons import Reason

_NO_TEMPERATURE = Reading(ThermalState.NONE)


@dataclass(frozen=True, slots=True)
class Registration:
    """A manual registration (R16). attendant: who makes it, proved by their own code.

    this_hour: how many were made at this terminal in the last hour.
    """

    attendant: Person
    this_hour: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when somebody stands there.

    now: aware, UTC. refused: why there is no verified code (then code is None). subject: the number of
    whoever it is about, verified or not. person: None when the roster has nobody by it. last_issued_at: Unix
    seconds, issue time of the newest personal code accepted from this person at this place. floor: for a
    clock that is not trusted, the last time that was (UTC): it is later than that now. roster_age: since
    roster and policy were published. marks: Unix seconds of what this terminal remembers of the person, by
    `mark_key`. inside: how many people are signed in to an event, by its name. registration: there is no
    code, an attendant vouches.
    """

    place: str
    now: datetime
    clock_trusted: bool = True
    refused: Reason | None = None
    code: Code | None = None
    person: Person | None = None
    reading: Reading = _NO_TEMPERATURE
    last_issued_at: int | None = None
    floor: datetime | None = None
    roster_age: timedelta = timedelta()
    marks: Mapping[str, int] = field(default_factory=dict)
    inside: Mapping[str, int] = field(default_factory=dict)
    registration: Registration | None = None

    @property
    def subject(self) -> str:
        """The number of whoever stands there; "" when it is not known."""
        if self.person is not None:
            return self.person.subject
        return self.code.subject if self.code is not None else ""


@dataclass(frozen=True)
class Scene:
    """A situation under a policy, at a place that the policy knows: what every rule is given."""

    situation: Situation
    policy: Policy
    place: Place

    @cached_property
    def local(self) -> datetime | None:
        """The time on the wall; None while the clock is not trusted, since nobody knows it."""
        situation = self.situation
        return self.policy.calendar.local(situation.now) if situation.clock_trusted else None

    @cached_property
    def groups(self) -> frozenset[str]:
        """The person's groups, and those that these are a part of."""
        person = self.situation.person
        return self.policy.within(person.groups) if person else frozenset()

    def marked(self, kind: MarkKind, name: str) -> int | None:
        """When the person was marked so here (Unix seconds), or None."""
        return self.situation.marks.get(mark_key(kind, name))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a terminal remembers of one person at its place. marks: Unix seconds, by `mark_key`."""

    last_issued_at: int | None = None
    marks: Mapping[str, int] = field(default_factory=dict)
