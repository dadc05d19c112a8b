"""The check of the fault suite: every durable record is at central exactly once, in order, chain intact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sync.central.store import Store
from terminal.events import FIRST_DIGEST, LOST, Event
from terminal.journal import JournalReader
from terminal.receipt import Receipt
from terminal.records import unseal
from tests.sim.campus import Campus
from tests.sim.writer import Sworn


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of one run; all counts.

    durable: records that the journal acknowledged to the terminal. lost: of those and of all in the
    journal, what is not unaltered at central. duplicated: at central more than once by the record's own
    identity, or there without being in the journal; before its oldest they were purged. broken: places
    where central's chain does not hold. alarms: central's own. named: faults that the sync daemon
    recognised. trouble: what did not recover.
    """

    seed: int
    durable: int
    at_central: int
    lost: int
    duplicated: int
    broken: int
    alarms: int
    injected: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    trouble: str = ""

    @property
    def clean(self) -> bool:
        """Whether everything durable is there exactly once, in order."""
        return self.durable > 0 and not (
            self.lost or self.duplicated or self.broken or self.alarms or self.trouble
        )


def examine(
    campus: Campus,
    oath: Sequence[Sworn],
    *,
    seed: int = 0,
    injected: Counter[str] | None = None,
    named: Counter[str] | None = None,
    trouble: str = "",
) -> Outcome:
    """Compare the oath and the journal of the campus's one terminal with its central. Nothing may run."""
    settings, key = campus.settings, campus.site.record_key()
    store = Store(campus.site.database_url)
    try:
        arrived = [one.event for one in store.records(limit=1_000_000)]
        alarms = store.counts()["alarm"]
    finally:
        store.close()
    journal = {event.sequence: event.digest for event in _journal(settings.journal)}
    identities = {event.sequence: unseal(event, key)["record"] for event in arrived if event.type != LOST}
    at_central = {event.sequence: event.digest for event in arrived}
    lost = {number for number, digest in journal.items() if at_central.get(number) != digest}
    lost |= {
        one.sequence
        for one in oath
        if at_central.get(one.sequence) != one.digest or identities.get(one.sequence) != one.identity
    }
    twice = [count - 1 for count in Counter(e.sequence for e in arrived).values() if count > 1]
    twice += [count - 1 for count in Counter(identities.values()).values() if count > 1]
    oldest = min(journal, default=0)  # by a clock that went far ahead, those before it were kept long enough
    through = Receipt.load(settings.receipt).through
    if not trouble and through != max(journal, default=0):
        trouble = f"acknowledged up to {through} only"
    return Outcome(
        seed=seed,
        durable=len(oath),
        at_central=len(arrived),
        lost=len(lost),
        duplicated=sum(twice) + sum(number not in journal for number in at_central if number > oldest),
        broken=chain_breaks(sorted(arrived, key=lambda event: event.sequence)),
        alarms=alarms,
        injected=injected or Counter(),
        named=named or Counter(),
        trouble=trouble,
    )


def chain_breaks(events: Iterable[Event]) -> int:
    """How often, from the first record on, one does not follow on the one before, by number and digest."""
    breaks, number, digest = 0, 0, FIRST_DIGEST
    for event in events:
        breaks += event.first != number + 1 or event.previous != digest
        number, digest = event.sequence, event.chained
    return breaks


def faults_named(log: Path) -> Counter[str]:
    """The names of faults in the log of a sync daemon, and how often it said each."""
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    return Counter(re.findall(r"WARNING sync\.daemon: \w+: ([a-z-]+):", text))


def _journal(path: Path) -> list[Event]:
    return JournalReader(path).after(0, records=1_000_000, size=10**9)
