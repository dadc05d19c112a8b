"""The reckoning: what the journal wrote against what central has, record by record."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.central.store import Store
from terminal.journal import JournalReader
from terminal.receipt import Receipt
from terminal.records import unseal
from tests.sim.campus import Campus, Installed


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
    unacknowledged: int = 0  # records that the terminal does not know to have arrived

    @property
    def clean(self) -> bool:
        """Whether everything is there exactly once."""
        return (
            self.written == self.at_central
            and self.lost == self.duplicated == self.alarms == self.unacknowledged == 0
        )


Named = tuple[str, int | None]  # device and sequence of a record


def reckon(campus: Campus, answered: Iterable[Named] = ()) -> Ledger:
    """Compare the terminals' journals with central's database, and both with what people were answered.

    answered: the record that each answer named; an answer without one is a record lost.
    """
    written = {named: digest for one in campus.terminals for named, digest in _written(one)}
    store, key = Store(campus.site.database_url), campus.site.record_key()
    arrived: list[tuple[Named, str, str]] = []
    last = 0
    while stored := store.records(after=last):
        for event in (one.event for one in stored):
            arrived.append(((event.device, event.sequence), event.digest, unseal(event, key)["record"]))
        last = stored[-1].identity
    alarms = store.counts()["alarm"]
    store.close()
    at_central = {named: digest for named, digest, _ in arrived}
    identities = Counter(identity for _, _, identity in arrived)
    return Ledger(
        written=len(written),
        at_central=len(arrived),
        lost=sum(at_central.get(named) != digest for named, digest in written.items())
        + sum(named not in written for named in answered),
        duplicated=sum(count - 1 for count in identities.values())
        + sum(named not in written for named in at_central),
        alarms=alarms,
        unacknowledged=len(written) - sum(Receipt.load(t.settings.receipt).through for t in campus.terminals),
    )


def _written(terminal: Installed) -> Iterator[tuple[Named, str]]:
    """The name and digest of every record in the journal of `terminal`."""
    journal, after = JournalReader(terminal.settings.journal), 0
    while events := journal.after(after, records=1000, size=10_000_000):
        yield from (((terminal.name, event.sequence), event.digest) for event in events)
        after = events[-1].sequence


@dataclass(slots=True)
class Tally:
    """What the gate said, as people saw it."""

    verdicts: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)  # frame to relay, of those let in
    answered: list[Named] = field(default_factory=list)  # the record that each answer named
    wrong: list[str] = field(default_factory=list)  # who got another answer than the scenario expects

    def summary(self, ledger: Ledger, kills: int, *, stopped: bool = False) -> dict[str, Any]:
        """The run in one JSON object; `ok` is the whole verdict on it.

        stopped: it was cut short, so that records may still have been waiting on the terminal.
        """
        in_order = ledger.clean if not stopped else ledger.duplicated == ledger.alarms == 0
        return {
            "scans": sum(self.verdicts.values()),
            "verdicts": dict(sorted(self.verdicts.items())),
            "frame_to_relay_ms": percentiles(self.milliseconds),
            "records_written": ledger.written,
            "records_at_central": ledger.at_central,
            "lost": 0 if stopped else ledger.lost,
            "duplicated": ledger.duplicated,
            "unacknowledged": ledger.unacknowledged,
            "alarms": ledger.alarms,
            "kills": kills,
            "unexpected": self.wrong,
            "stopped": stopped,
            "ok": in_order and not self.wrong,
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of `values`; {} when there are none."""
    if not values:
        return {}
    if len(values) == 1:
        return dict.fromkeys(("p50", "p95", "p99"), values[0])
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{p}": round(cuts[p - 1], 2) for p in (50, 95, 99)}
