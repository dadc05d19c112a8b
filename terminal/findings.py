"""What rules say: findings, and the marks and violations that come of them. Values only, no rule.

A finding is one sentence of one rule about one situation: it lets pass, refuses, or notes something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from terminal.reasons import Notice, Reason, Verdict


class MarkKind(StrEnum):
    """What a scan counts as, besides letting somebody in."""

    CHECK_IN = "check-in"  # the daily check-in of a window (R11)
    MAKE_UP = "make-up"  # for a reported absence (R12)
    ARRIVAL = "arrival"  # on another campus than one's own (R14)
    ATTENDANCE = "attendance"  # of a class (R5)
    SIGN_IN = "sign-in"  # to an event (R6)
    SIGN_OUT = "sign-out"
    ENTRY = "entry"  # remembered against passing a code back
    MANUAL = "manual"  # registered by an attendant (R16)


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a scan counts as.

    name: of what, such as "2026-11-24/morning". late: minutes. keep_until: Unix seconds until which the
    terminal remembers it of the person at its place. replaces: the kind of the mark of that name that ends.
    """

    kind: MarkKind
    name: str
    late: int = 0
    keep_until: int = 0
    replaces: MarkKind | None = None

    @property
    def key(self) -> str:
        """What the terminal remembers it under."""
        return mark_key(self.kind, self.name)


def mark_key(kind: MarkKind, name: str) -> str:
    """What a terminal remembers a mark under."""
    return f"{kind}:{name}"


class ViolationKind(StrEnum):
    """Violations of the regulation that a terminal can see (R33)."""

    REPLAYED_CODE = "replayed-code"  # (c) a code shown again: somebody else's, or passed back
    PASSBACK = "passback"  # (c) somebody who is inside comes in again
    FALSE_REPORT = "false-report"  # (b) declared health differs from what was measured
    TAMPERING = "tampering"  # (d) the terminal was opened


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation and what shows it. evidence: texts and numbers, by the names RULES.md lists."""

    kind: ViolationKind
    evidence: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says. rule: its name in RULES.md. verdict: None when it refuses nothing.

    said: for people who ask why (`campusgate policy explain`), in English.
    """

    rule: str
    said: str
    verdict: Verdict | None = None
    reason: Reason | None = None
    notice: Notice | None = None
    mark: Mark | None = None
    violation: Violation | None = None


def refused(rule: str, reason: Reason, said: str, violation: Violation | None = None) -> Finding:
    """A finding that turns the person away."""
    return Finding(rule, said, Verdict.DENY, reason, violation=violation)


def judged(rule: str, consequence: str, reason: Reason, said: str) -> Finding:
    """A finding whose consequence ("allow", "refer" or "deny") the policy chooses."""
    if consequence == "allow":
        return Finding(rule, f"{said}; the policy lets it pass")
    return Finding(rule, said, Verdict(consequence), reason)
