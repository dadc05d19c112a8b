"""What holds at every place: freshness of codes, temperature, health, staleness, manual registration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hw.thermal import ThermalState
from terminal.person import PersonKind
from terminal.policy.values import Consequence, Difference, Fever, Flag, Name, Seconds, Table
from terminal.reasons import Reason


class CodePolicy(Table):
    """Freshness of personal codes.

    untrusted_clock: "refuse", or "last-trusted": any code that is not older than the newest record with a
    trusted time passes then, also one that is dated ahead.
    """

    fresh_seconds: Seconds = Field(60, description="how long a personal code is good for")
    skew_seconds: Seconds = Field(90, description="how far a phone's clock may be off, either way")
    untrusted_clock: Literal["refuse", "last-trusted"] = Field(
        "refuse", description="what becomes of personal codes while the terminal's clock is not trusted"
    )


class ThermalPolicy(Table):
    """What the terminal's own thermal reading leads to (R17, R18)."""

    fever: Fever = Field(373, description="fever from here on, degrees Celsius")
    at_fever: Literal["refer", "deny"] = Field("deny", description="what a fever leads to")
    min_seconds: float = Field(0.0, ge=0, le=60, description="how long must at least be measured (R17)")
    unavailable: Consequence = Field("refer", description="what a missing temperature leads to")
    none: Consequence | None = Field(None, description="a terminal without a sensor; else as unavailable")
    absent: Consequence | None = Field(None, description="a sensor that is gone; else as unavailable")
    stale: Consequence | None = Field(None, description="a sensor that fell silent; else as unavailable")
    implausible: Consequence | None = Field(None, description="no living skin; else as unavailable")
    too_far: Consequence | None = Field(None, description="a person too far away; else as unavailable")
    drifting: Consequence | None = Field(None, description="a sensor that drifts; else as unavailable")
    too_brief: Consequence | None = Field(None, description="less than min_seconds; else as unavailable")

    def without(self, state: ThermalState) -> Consequence:
        """What the absence of a temperature for that reason leads to; OK stands for one too brief."""
        key = "too_brief" if state is ThermalState.OK else str(state).replace("-", "_")
        given: Consequence | None = getattr(self, key)
        return given or self.unavailable


class HealthPolicy(Table):
    """What declared health leads to (R4, R19 to R21)."""

    at_symptoms: Literal["refer", "deny"] = Field("refer", description="declared symptoms")
    at_breathing: Literal["refer", "deny"] = Field("deny", description="declared difficulty in breathing")
    at_contact: Literal["refer", "deny"] = Field("refer", description="declared contact with a case")
    undeclared: Literal["refer", "deny"] = Field(
        "refer", description="no declaration of the day where the place needs one"
    )
    mismatch: Difference = Field(10, description="declared and measured differ by more: is verified (R33b)")


class RosterPolicy(Table):
    """How old roster and policy may be."""

    warn_seconds: Seconds = Field(86_400, description="older than this: staff are told")
    restrict_seconds: Seconds = Field(604_800, description="older than this: no visitors")
    close_seconds: Seconds = Field(2_592_000, description="older than this: nobody")


class ManualPolicy(Table):
    """Manual registration by an attendant, for people without a phone (R16)."""

    kinds: tuple[PersonKind, ...] = Field((PersonKind.STAFF,), description="who may be an attendant")
    groups: tuple[Name, ...] = Field((), description="if any: only members of these may be attendants")
    per_hour: int = Field(
        30, ge=0, le=1000, description="most registrations an hour at one terminal; 0: none"
    )
    thermal: Flag = Field(True, description="whether a temperature is needed, where the place needs one")


class RecordsPolicy(Table):
    """What is recorded when the terminal's disk is nearly full."""

    spared: tuple[Reason, ...] = Field(
        (
            Reason.CODE_FOREIGN,
            Reason.CODE_OVERSIZE,
            Reason.CODE_DAMAGED,
            Reason.CODE_UNSUPPORTED,
            Reason.CODE_ISSUER_UNKNOWN,
            Reason.CODE_FORGED,
            Reason.PERSON_UNKNOWN,
        ),
        description="reasons whose refusals of nobody known are not recorded at 95 % of the disk's share",
    )
