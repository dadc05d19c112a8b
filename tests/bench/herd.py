"""make bench-herd: 10,000 terminals come back after an outage, in virtual time.

The waits between tries and the sizes of batches are the uplink's own (Pace, BatchSize), from the first failed
request on through the outage; all lost central in the same half second. What central turns away, and with
what Retry-After and wishes, is its own Shedder's doing. Its work is modelled: `receivers` that take one batch
at a time and need for it what `make bench-ingest` measured over HTTP on PostgreSQL (a cost a request and a
cost a record, from its two batch sizes; without its JSON, stated defaults); a 503 costs time too. A terminal
that gets no answer in time takes it for a fault, as the uplink does, though central did the work.

Compared: waits that double in step, without jitter; full jitter; and full jitter with Retry-After and the
pauses that central wishes for. A terminal that has drained its backlog is left out after that.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import statistics
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import click

from sync.central.shedding import Shedder
from sync.central.wire import Refusal
from sync.pace import BatchSize, Pace
from sync.protocol import Wish
from tests.bench.report import save, show

TIMEOUT = 10.0  # seconds that a terminal waits for an answer
REFUSAL = 0.001  # seconds of a receiver for a 503
LONGEST = 300.0  # seconds: sync.backoff_seconds
OVER_HTTP = "PostgreSQL, over HTTP"
_DEFAULT_COST = (0.01, 0.0001)  # seconds a request, seconds a record
_BATCH_BYTES = 262_144  # sync.batch_bytes
_FIRST_TRY = 0.5  # seconds: sync.poll_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What a terminal is told, and when. stored: records; 0 when refused, then with a Retry-After."""

    at: float
    stored: int
    retry_after: float | None = None
    wish: Wish = field(default_factory=Wish)


class Central:
    """Receivers in virtual time, with the real Shedder. cost: seconds a request and a record."""

    def __init__(self, receivers: int, cost: tuple[float, float], rng: random.Random) -> None:
        self._cost, self._now = cost, 0.0
        self._free = [-math.inf] * receivers  # when each is free again
        self._shedder = Shedder(rng=rng, clock=lambda: self._now)
        self._admitted: list[tuple[float, int, ExitStack]] = []  # by when they end
        self._numbers = count()
        self.arrived: Counter[int] = Counter()  # requests by second
        self.shed = 0

    def request(self, now: float, records: int) -> Answer:
        """Take a batch of `records`, or turn it away."""
        while self._admitted and self._admitted[0][0] <= now:
            self._now, _, stay = heapq.heappop(self._admitted)
            stay.close()
        self._now = now
        self.arrived[math.floor(now)] += 1
        begins = max(now, self._free[0])
        stay = ExitStack()
        try:
            stay.enter_context(self._shedder.admitted())
        except Refusal as refusal:
            self.shed += 1
            heapq.heapreplace(self._free, begins + REFUSAL)
            return Answer(now, 0, refusal.retry_after)
        end = begins + self._cost[0] + records * self._cost[1]
        heapq.heapreplace(self._free, end)
        heapq.heappush(self._admitted, (end, next(self._numbers), stay))
        return Answer(end, records, wish=self._shedder.wish())


class Waits(Protocol):
    """How a terminal waits: what Pace offers."""

    def after_success(self) -> None:
        """Forget the faults."""

    def after_fault(self, retry_after: float | None) -> float:
        """Seconds to wait."""


class InStep:
    """Waits that double, without jitter, whatever the server asks for."""

    def __init__(self) -> None:
        self._faults = 0

    def after_success(self) -> None:
        """Forget the faults."""
        self._faults = 0

    def after_fault(self, retry_after: float | None) -> float:
        """Seconds to wait."""
        del retry_after
        self._faults += 1
        return float(min(LONGEST, 2 ** min(self._faults - 1, 30)))


@dataclass(frozen=True, slots=True)
class Way:
    """One way to return. heeds: Retry-After and the pause that central wishes for."""

    name: str
    jitter: bool
    heeds: bool

    def waits(self, rng: random.Random) -> Waits:
        """The waits of one terminal."""
        return Pace(LONGEST, rng) if self.jitter else InStep()


WAYS = (
    Way("in step, no jitter", jitter=False, heeds=False),
    Way("full jitter", jitter=True, heeds=False),
    Way("full jitter, Retry-After, pause", jitter=True, heeds=True),
)


@dataclass(frozen=True, slots=True)
class Campus:
    """What returns. outage, longest: seconds; the simulation ends after `longest`. a_minute: new records."""

    terminals: int
    outage: float
    a_minute: float
    batch: int
    longest: float


def simulate(campus: Campus, way: Way, central: Central, seed: int) -> dict[str, Any]:
    """What central sees from the end of the outage until every backlog is drained; times from that end."""
    rng = random.Random(seed)
    waits = [way.waits(rng) for _ in range(campus.terminals)]
    tries = []
    for number, one in enumerate(waits):
        at = rng.uniform(0, _FIRST_TRY) - campus.outage
        while at < 0:
            at += one.after_fault(None)
        tries.append((at, number))
    heapq.heapify(tries)
    sent = [0] * campus.terminals
    sizes = [BatchSize(campus.batch, _BATCH_BYTES) for _ in range(campus.terminals)]
    drained: list[float] = []
    while tries and tries[0][0] < campus.longest:
        now, number = heapq.heappop(tries)
        waiting = int((campus.outage + now) / 60 * campus.a_minute) - sent[number]
        answer = central.request(now, min(waiting, sizes[number].records))
        if answer.at - now > TIMEOUT:
            sizes[number].halve()
            at = now + TIMEOUT + waits[number].after_fault(None)
        elif not answer.stored:
            at = answer.at + waits[number].after_fault(answer.retry_after if way.heeds else None)
        else:
            waits[number].after_success()
            sizes[number].took(answer.at - now)
            sent[number] += answer.stored
            if answer.stored == waiting:
                drained.append(answer.at)
                continue
            at = answer.at
            if way.heeds:
                sizes[number].heed(answer.wish)
                at += min(answer.wish.pause, LONGEST)
        heapq.heappush(tries, (at, number))
    requests = sum(central.arrived.values())
    whole = len(drained) == campus.terminals
    return {
        "peak": max(central.arrived.values()),
        "requests": requests,
        "shed": central.shed / requests,
        "drained": len(drained),
        "half_drained": statistics.median(drained) if drained else None,
        "all_drained": max(drained) if whole else None,
        "records": sum(sent),
    }


def measured_cost(directory: Path) -> tuple[tuple[float, float], str]:
    """Seconds a request and a record, and where they are from."""
    try:
        results = json.loads((directory / "ingest.json").read_text("utf-8"))["results"]
        (small, slow), (large, fast) = sorted((int(n), r["rates"][OVER_HTTP]) for n, r in results.items())
    except (OSError, ValueError, KeyError):
        return _DEFAULT_COST, "assumed: no bench-ingest of two batch sizes here"
    record = max((large / fast - small / slow) / (large - small), 1e-6)
    return (max(small / slow - small * record, 0.0), record), "measured by bench-ingest"


@click.command()
@click.option("--terminals", default=10_000, show_default=True, type=click.IntRange(min=1))
@click.option("--outage", default=60.0, show_default=True, help="Minutes.")
@click.option("--a-minute", default=6.0, show_default=True, help="Records of a terminal a minute.")
@click.option("--batch", default=200, show_default=True, help="Records in a batch at most.")
@click.option("--receivers", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--hours", default=12.0, show_default=True, help="Longest return that is simulated.")
@click.option("--seed", default=7, show_default=True)
@click.option("--out", default="bench-out", type=click.Path(path_type=Path), show_default=True)
def main(
    *,
    terminals: int,
    outage: float,
    a_minute: float,
    batch: int,
    receivers: int,
    hours: float,
    seed: int,
    out: Path,
) -> None:
    """Simulate, print the table, write bench-out/herd.json.

    \b
    Example:
      make bench-herd ARGS='--terminals 2000 --outage 240'
    """
    cost, said = measured_cost(out)
    campus = Campus(terminals, outage * 60, a_minute, batch, hours * 3600)
    results = {}
    with click.progressbar(WAYS, label=f"{terminals:,} terminals return") as bar:
        for way in bar:
            central = Central(receivers, cost, random.Random(seed + 1))
            results[way.name] = simulate(campus, way, central, seed)
    backlog = terminals * outage * a_minute
    one = cost[0] / batch + cost[1]
    net = receivers / one - terminals * a_minute / 60
    least = backlog / net if net > 0 else None
    rows = [
        [
            name,
            f"{result['peak']:,}",
            f"{result['requests']:,}",
            f"{result['shed']:.3f}",
            *(
                "-" if result[when] is None else f"{result[when] / 60:,.1f}"
                for when in ("half_drained", "all_drained")
            ),
            f"{result['drained']:,}",
        ]
        for name, result in results.items()
    ]
    headings = ["", "peak requests/s", "requests", "share shed", "half, min", "all, min", "drained"]
    show(f"{terminals:,} terminals after {outage:g} minutes without central", headings, rows)
    each = f"{cost[0] * 1e3:.1f} ms a request, {cost[1] * 1e6:.0f} µs a record"
    click.echo(f"{receivers} receivers; {each}: {said}")
    if least:
        click.echo(
            f"a backlog of {backlog:,.0f} records: {least / 60:.1f} minutes at best, with full batches"
        )
    settings = {"terminals": terminals, "outage": campus.outage, "cost": cost, "from": said, "seed": seed}
    click.echo(save("herd", settings | {"results": results, "least": least}, out))


if __name__ == "__main__":
    main()
