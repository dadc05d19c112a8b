"""What goes wrong in one run, and when: a seed gives the same list of faults for ever. Pure.

Seed n begins with kind n of KINDS, so that as many seeds in a row as there are kinds hold every one of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.sim.die_at import Step
from tests.sim.faulty_network import EXCHANGES, OUTAGES

WHOLE_EVERY = 20  # schedules
LASTS = 0.6  # seconds in which faults begin
VICTIMS = ("terminal", "sync", "central")
KILLS = tuple(f"kill-{victim}" for victim in VICTIMS)
FULL_DISKS = {"disk-full-terminal": "terminal", "disk-full-central": "central"}
CLOCKS = {"clock-forward": 400 * 86_400.0, "clock-back": -3 * 86_400.0, "clock-1970": -1.75e9}  # seconds

STEPS: dict[str, tuple[str, Step]] = {
    "at-decided": ("terminal", Step("terminal.gate:decide", after=True)),
    "at-sealed": ("terminal", Step("terminal.journal:seal", after=True)),
    "at-commit": ("terminal", Step("sqlite_utils.db:Database.execute", after=False, argument="commit")),
    "at-committed": ("terminal", Step("sqlite_utils.db:Database.execute", after=True, argument="commit")),
    "at-appended": ("terminal", Step("terminal.journal:Journal.append", after=True)),
    "at-relay-moved": ("terminal", Step("terminal.portal:Portal.open_for", after=True)),
    "at-signed": ("sync", Step("sync.uplink:sign_batch", after=True)),
    "at-answered": ("sync", Step("sync.uplink:Uplink._believe", after=False)),
    "at-receipt": ("sync", Step("terminal.receipt:Receipt.save", after=False)),
    "at-receipt-saved": ("sync", Step("terminal.receipt:Receipt.save", after=True)),
    "at-batch-arrived": ("central", Step("sync.central.store:Store.take", after=False)),
    "at-batch-stored": ("central", Step("sync.central.store:Store.take", after=True)),
    "at-central-commit": ("central", Step("sqlalchemy.engine.default:DefaultDialect.do_commit", after=False)),
    "at-central-committed": (
        "central",
        Step("sqlalchemy.engine.default:DefaultDialect.do_commit", after=True),
    ),
}

KINDS = (*EXCHANGES, *OUTAGES, *KILLS, *STEPS, *FULL_DISKS, *CLOCKS)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. at: seconds after the start; lasts: seconds, for what does not end at once.

    step: the instant at which the victim of an exact kill dies.
    """

    at: float
    kind: str
    lasts: float = 0.0
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """All faults of one run, in order. pause: seconds between two scans.

    whole: the terminal runs with camera, scanner and screen; else what tests/sim/writer.py runs of it.
    """

    seed: int
    pause: float
    faults: tuple[Fault, ...]
    whole: bool = False


def schedule(seed: int) -> Schedule:
    """The faults of run `seed`."""
    rng = random.Random(seed)
    kinds = [KINDS[seed % len(KINDS)], *rng.choices(KINDS, k=rng.randint(3, 8))]
    faults = [
        Fault(round(rng.uniform(0.1, LASTS), 3), kind, round(rng.uniform(0.05, 0.4), 3), _step(kind, rng))
        for kind in kinds
    ]
    return Schedule(
        seed,
        rng.choice((0.03, 0.06, 0.1)),
        tuple(sorted(faults, key=lambda f: f.at)),
        seed % WHOLE_EVERY == 0,
    )


def _step(kind: str, rng: random.Random) -> Step | None:
    if kind not in STEPS:
        return None
    step = STEPS[kind][1]
    return Step(step.target, step.after, rng.randint(1, 4), step.argument)
