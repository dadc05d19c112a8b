"""The reckoning: what the journal wrote against what central has, record by record."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.central.store import Store
from terminal.journal import JournalReader
from terminal.records import unseal
from tests.sim.campus import Campus


@dataclass(frozen=True, slots=True)
class Ledger:
    """Records written, records at central, and what is wrong between them; all counts.

    lost: in the journal, not (or not unaltered) at central. duplicated: at central more than once by the
    record's own identity, or there without being in the journal. alarms: forks and broken chains at central.
    """

    written: int
    at_central: int
    lost: int
    duplicated: int
    alarms: int

    @property
    def clean(self) -> bool:
        """Whether everything is there exactly once."""
        return self.written == self.at_central and self.lost == self.duplicated == self.alarms == 0


def reckon(campus: Campus) -> Ledger:
    """Compare the terminal's journal with central's database."""
    journal, written, after = JournalReader(campus.settings.journal), {}, 0
    while events := journal.after(after, records=1000, size=10_000_000):
        written.update({event.sequence: event.digest for event in events})
        after = events[-1].sequence
    store, key = Store(campus.site.database_url), campus.site.record_key()
    arrived: list[tuple[int, str, str]] = []
    last = 0
    while stored := store.records(after=last):
        arrived += [(s.event.sequence, s.event.digest, unseal(s.event, key)["record"]) for s in stored]
        last = stored[-1].identity
    alarms = store.counts()["alarm"]
    store.close()
    at_central = {sequence: digest for sequence, digest, _ in arrived}
    identities = Counter(identity for _, _, identity in arrived)
    return Ledger(
        written=len(written),
        at_central=len(arrived),
        lost=sum(at_central.get(sequence) != digest for sequence, digest in written.items()),
        duplicated=sum(count - 1 for count in identities.values())
        + sum(sequence not in written for sequence in at_central),
        alarms=alarms,
    )


@dataclass(slots=True)
class Tally:
    """What the gate said, as people saw it."""

    verdicts: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)  # frame to relay, of those let in
    wrong: list[str] = field(default_factory=list)  # who got another answer than the scenario expects

    def summary(self, ledger: Ledger, kills: int) -> dict[str, Any]:
        """The run in one JSON object; `ok` is the whole verdict on it."""
        return {
            "scans": sum(self.verdicts.values()),
            "verdicts": dict(sorted(self.verdicts.items())),
            "frame_to_relay_ms": percentiles(self.milliseconds),
            "records_written": ledger.written,
            "records_at_central": ledger.at_central,
            "lost": ledger.lost,
            "duplicated": ledger.duplicated,
            "alarms": ledger.alarms,
            "kills": kills,
            "unexpected": self.wrong,
            "ok": ledger.clean and not self.wrong,
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of `values`; {} when there are fewer than two."""
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{p}": round(cuts[p - 1], 2) for p in (50, 95, 99)}
