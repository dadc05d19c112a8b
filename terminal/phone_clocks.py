"""How far phones' clocks are off, from the codes they show: so that staff see a clock fail or drift.

It keeps seconds and nothing of whose they are, and it decides nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from terminal.decision import Decision
from terminal.reasons import Reason

LAST = 100  # codes

# An old screenshot says how old it is, not how its phone's clock goes.
_NO_MEASURE = frozenset({Reason.CODE_STALE, Reason.CODE_REPLAYED})


@dataclass(frozen=True, slots=True)
class PhoneClocks:
    """The last measurements, oldest first: issue time minus the terminal's time, in seconds."""

    skews: tuple[int, ...] = ()

    def after(self, decision: Decision, skew: int | None) -> PhoneClocks:
        """These and one more, if a scan with that decision measured anything."""
        if skew is None or decision.reasons[0] in _NO_MEASURE:
            return self
        return PhoneClocks((*self.skews, skew)[-LAST:])

    def status(self) -> Mapping[str, float | int | None]:
        """How many there are, their median, and the one farthest from zero (with its sign)."""
        return {
            "measured": len(self.skews),
            "median": statistics.median(self.skews) if self.skews else None,
            "largest": max(self.skews, key=abs, default=None),
        }
