"""The report of the fault suite: schedules, faults injected, records durable, at central, lost, twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from tests.sim.exactly_once import Outcome
from tests.sim.schedule import KINDS

REPORT = "fault schedules"  # the property of a test that holds a report as JSON


@dataclass(slots=True)
class Report:
    """Sums over many runs. failed: the seeds that were not clean, and what was wrong with each."""

    schedules: int = 0
    durable: int = 0
    at_central: int = 0
    lost: int = 0
    duplicated: int = 0
    broken: int = 0
    alarms: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        self.schedules += 1
        for name in ("durable", "at_central", "lost", "duplicated", "broken", "alarms"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.injected += outcome.injected
        self.named += outcome.named
        if not outcome.clean:
            self.failed[str(outcome.seed)] = wrong(outcome)

    def document(self) -> dict[str, Any]:
        """The report as a JSON object; every kind of fault is in it, also one that was never met."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return values | {"injected": {kind: self.injected[kind] for kind in KINDS}}

    @classmethod
    def of(cls, documents: Iterable[dict[str, Any]]) -> Report:
        """The sum of reports that `document` gave."""
        total = cls()
        for one in documents:
            for name, value in one.items():
                mine = getattr(total, name)
                if isinstance(mine, Counter):
                    setattr(total, name, mine + Counter(value))
                else:
                    setattr(total, name, mine | value if isinstance(mine, dict) else mine + value)
        return total

    def lines(self) -> list[str]:
        """The report for people."""
        kinds = [f"{kind} {self.injected[kind]}" for kind in KINDS]
        named = [f"{name} {count}" for name, count in sorted(self.named.items())]
        return [
            f"schedules {self.schedules}, failed {len(self.failed)}",
            f"records: durable {self.durable}, at central {self.at_central}, lost {self.lost}, "
            f"duplicated {self.duplicated}, chain broken {self.broken}, alarms {self.alarms}",
            f"faults injected {self.injected.total()}:",
            *(f"  {', '.join(kinds[start : start + 6])}" for start in range(0, len(kinds), 6)),
            f"faults that the daemon named: {', '.join(named) or 'none'}",
            *(f"seed {seed}: {what}" for seed, what in self.failed.items()),
        ]


def wrong(outcome: Outcome) -> str:
    """What is wrong with a run that is not clean."""
    counts = {name: getattr(outcome, name) for name in ("lost", "duplicated", "broken", "alarms")}
    parts = [f"{name} {count}" for name, count in counts.items() if count]
    parts += [outcome.trouble] if outcome.trouble else []
    return ", ".join(parts or ["no record was durable: nothing was tested"])
