"""The school's policy as a terminal holds it: typed, validated, and silent about how it got here.

Durations are seconds, temperatures tenths of a degree Celsius.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from terminal.person import NameDisplay, PersonKind

Consequence = Literal["allow", "refer", "deny"]
Accepted = Literal["personal", "card", "visitor"]
Seconds = Annotated[int, Field(ge=0, le=31_536_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodePolicy(_Table):
    """Freshness of personal codes.

    untrusted_clock: "refuse", or "last-trusted": any code that is not older than the newest record with a
    trusted time passes then, also one that is dated ahead.
    """

    fresh_seconds: Seconds = Field(60, description="how long a personal code is good for")
    skew_seconds: Seconds = Field(90, description="how far a phone's clock may be off, either way")
    untrusted_clock: Literal["refuse", "last-trusted"] = Field(
        "refuse", description="what becomes of personal codes while the terminal's clock is not trusted"
    )


class ThermalPolicy(_Table):
    """What a body temperature leads to."""

    fever_decidegrees: int = Field(373, ge=350, le=420, description="fever from here on, tenths of a degree")
    at_fever: Literal["refer", "deny"] = Field("deny", description="what a fever leads to")
    unavailable: Consequence = Field("refer", description="what a missing temperature leads to")


class RosterPolicy(_Table):
    """How old roster and policy may be."""

    warn_seconds: Seconds = Field(86_400, description="older than this: staff are told")
    restrict_seconds: Seconds = Field(604_800, description="older than this: no visitors")
    close_seconds: Seconds = Field(2_592_000, description="older than this: nobody")


class Place(_Table):
    """One door."""

    name_zh: str
    name_en: str
    admits: tuple[PersonKind, ...] = tuple(PersonKind)
    accepts: tuple[Accepted, ...] = ("personal", "card", "visitor")
    thermal: bool = Field(True, description="whether a temperature is needed here")
    requires_bound: bool = Field(False, description="whether personal codes must be made for this very place")


class Policy(_Table):
    """The whole policy, as published in the target `policy.json`."""

    version: Literal[1] = 1
    names: NameDisplay = Field("masked", description="how much of a name a gate shows")
    pulse_seconds: float = Field(3.0, gt=0, le=60, description="how long the gate stays released")
    code: CodePolicy = CodePolicy()
    thermal: ThermalPolicy = ThermalPolicy()
    roster: RosterPolicy = RosterPolicy()
    places: dict[str, Place] = Field(description="places by the name that terminals are set to")
