"""make bench-journal: what one durable append costs, sealing included, beside what does less.

Beside the journal in the same run, in small rounds and in turns: a bare write + fdatasync of as many bytes in
the same directory, a plain SQLite insert, persist-queue and litequeue (see journal_peers.py). The journal's
append seals the record, chains it, moves the head and, in the second row, remembers what the rules need of
the person; the peers are given a finished text of the same length. A rate is appends over the seconds that
they took; a ratio is the median over the rounds, so that what else the disk does meanwhile weighs little.
Disks differ: the slower its fdatasync, the less all the rest counts, and a memory file system says nothing.
"""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from terminal.events import FIRST_DIGEST
from terminal.journal import Journal
from terminal.memory import memos
from terminal.records import Record, seal
from tests.bench.backlog import ADMITTED, record_key, scan
from tests.bench.journal_peers import PEERS
from tests.bench.report import quantile, save, show

AIM = 0.7  # of the bare write + fdatasync
DEVICE = "bench-1"
BARE = "write + fdatasync"
_KEY = record_key()
_IN_MEMORY = ("tmpfs", "ramfs")


def file_system(directory: Path) -> str:
    """The type of the file system that `directory` is on, such as ext4."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    inside = [mount for mount in mounts if directory.resolve().is_relative_to(mount[1])]
    return max(inside, key=lambda mount: len(mount[1]))[2]


def candidates(directory: Path) -> dict[str, Callable[[Record, str], object]]:
    """Everything that is measured, by name; each appends one record, or the text of one."""

    def open_journal(name: str) -> Journal:
        return Journal(directory / name, device=DEVICE, central_key=_KEY, state_key=bytes(32))

    plain, remembering = open_journal("journal.db"), open_journal("remembering.db")

    def remembered(record: Record, _text: str) -> object:
        assert record.code is not None
        return remembering.append(record, memos=list(memos(ADMITTED, record.code, record.happened_at)))

    made: dict[str, Callable[[Record, str], object]] = {
        "journal": lambda record, _text: plain.append(record),
        "journal, person remembered": remembered,
    }
    for name, make in PEERS.items():
        append = make(directory)
        made[name] = lambda _record, text, append=append: append(text)  # type: ignore[misc]
    return made


def measure(rounds: int, appends: int, directory: Path) -> dict[str, Any]:
    """Seconds of each append of every candidate, in turns of `appends`; how they compare."""
    rng = random.Random(rounds)
    turns = candidates(directory)
    spent: dict[str, list[list[float]]] = {name: [] for name in turns}
    sealing: list[float] = []
    clock = time.perf_counter
    for turn in range(rounds + 1):
        records = [scan(turn * appends + number, rng) for number in range(appends)]
        texts = []
        for number, record in enumerate(records, 1):
            start = clock()
            event = seal(record, device=DEVICE, sequence=number, previous=FIRST_DIGEST, key=_KEY)
            sealing.append(clock() - start)
            texts.append(event.text)
        for name in rng.sample(list(turns), len(turns)):
            append, times = turns[name], []
            for record, text in zip(records, texts, strict=True):
                start = clock()
                append(record, text)
                times.append(clock() - start)
            if turn:  # the first turn makes files and fills caches
                spent[name].append(times)
    results = {name: _summary(times, spent[BARE]) for name, times in spent.items()}
    return {
        "file_system": file_system(directory),
        "appends": rounds * appends,
        "event_bytes": len(texts[-1].encode()),
        "seal_alone": statistics.median(sealing),
        "results": results,
    }


def _summary(rounds: list[list[float]], bare: list[list[float]]) -> dict[str, float]:
    flat = [seconds for times in rounds for seconds in times]
    ratios = [sum(other) / sum(times) for times, other in zip(rounds, bare, strict=True)]
    return {
        "rate": len(flat) / sum(flat),
        "ratio": statistics.median(ratios),
        "p50": quantile(flat, 50),
        "p99": quantile(flat, 99),
        "max": max(flat),
    }


@click.command()
@click.option("--rounds", default=60, show_default=True, type=click.IntRange(min=1))
@click.option("--appends", default=50, show_default=True, type=click.IntRange(min=2), help="In one round.")
@click.option(
    "--directory",
    default=".",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="On the disk that is to be measured.",
)
@click.option("--out", default="bench-out", type=click.Path(path_type=Path), show_default=True)
def main(rounds: int, appends: int, directory: Path, out: Path) -> None:
    """Measure, print the table, write bench-out/journal.json.

    \b
    Example:
      make bench-journal ARGS='--directory /media/card'
    """
    work = Path(tempfile.mkdtemp(prefix="bench-journal-", dir=directory))
    try:
        result = measure(rounds, appends, work)
    finally:
        shutil.rmtree(work)
    if result["file_system"] in _IN_MEMORY:
        click.echo(f"{directory} is in memory ({result['file_system']}): nothing is durable there", err=True)
    rows = [
        [name, f"{one['rate']:,.0f}", f"{one['ratio']:.2f}"]
        + [f"{one[part] * 1e3:.3f}" for part in ("p50", "p99", "max")]
        for name, one in result["results"].items()
    ]
    title = f"{rounds * appends:,} durable appends of {result['event_bytes']} bytes, {result['file_system']}"
    show(title, ["", "a second", f"of {BARE}", "p50, ms", "p99, ms", "max, ms"], rows)
    click.echo(f"sealing alone: {result['seal_alone'] * 1e3:.3f} ms")
    ratio = result["results"]["journal"]["ratio"]
    kept = "kept" if ratio >= AIM else "missed"
    click.echo(f"the journal reaches {ratio:.2f} of {BARE}, the aim is {AIM}: {kept}")
    click.echo(save("journal", result, out))


if __name__ == "__main__":
    main()
