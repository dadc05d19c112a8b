"""make bench-sync: how fast a backlog of 1,000,000 records comes to central, and in what memory.

A real journal, the real uplink in a process of its own, real HTTP over loopback and a real central (SQLite)
in another process. In turns with it, in the same run: a loop that posts one record a request (see
sync_peers.py), the journal's reading alone, and batches of the same bytes posted to a server that only reads
them: the bound that reading and HTTP set. A turn of the uplink is a tenth of the backlog, a turn of the
others a sample of the same records; a ratio is the median over the turns. Memory is what the uplink's process
holds after each turn.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import requests

from sync.protocol import batch_body
from terminal.journal import JournalReader
from tests.bench.backlog import journal_of, put
from tests.bench.report import save, show
from tests.bench.sync_peers import CheckInLoop
from tests.sim.campus import build
from tests.sim.network import free_port
from tests.sim.processes import wait_until
from tests.sync.world import DEVICE, counts

AIM = 20  # times the loop
_TICK = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def process(arguments: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Another Python with `arguments`, ended at the end."""
    with subprocess.Popen([sys.executable, *arguments], text=True, **options) as running:
        try:
            yield running
        finally:
            running.terminate()


def cpu_seconds(pid: int) -> float:
    """The CPU time that the process `pid` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def answers(url: str) -> bool:
    """Whether a server is there, whatever it says."""
    with contextlib.suppress(requests.RequestException):
        return bool(requests.get(url, timeout=2).status_code)
    return False


def read(reader: JournalReader, after: int, count: int, sizes: tuple[int, int]) -> list[bytes]:
    """The bodies of the batches with `count` records after the number `after`. sizes: of [sync]."""
    bodies, done = [], 0
    while done < count:
        events = reader.after(after + done, records=min(sizes[0], count - done), size=sizes[1])
        bodies.append(batch_body(events))
        done += len(events)
    return bodies


def measure(records: int, turns: int, sample: int, directory: Path, cache: Path) -> dict[str, Any]:
    """All measures of one drain of `records` in `turns`; `sample`: records a turn of the loop."""
    campus = build(directory, seed=7, link_url="http://127.0.0.1:9")
    settings = campus.settings
    put(journal_of(records, DEVICE, cache), settings.journal)
    central_port, peer_port = free_port(), free_port()
    central, peer = f"http://127.0.0.1:{central_port}", f"http://127.0.0.1:{peer_port}"
    run = ["central", "run", "--dir", str(campus.site.directory), "--port", str(central_port)]
    reader, sizes = JournalReader(settings.journal), (settings.sync.batch_records, settings.sync.batch_bytes)
    taken: list[dict[str, float]] = []
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        serving = start(process(["-c", "from config.cli import main; main()", *run, "--publish-every", "0"]))
        start(process(["-m", "tests.bench.sync_peers", str(directory / "peer.db"), str(peer_port)]))
        if not wait_until(lambda: answers(central) and answers(peer), 60):
            raise click.ClickException("the servers did not start within a minute")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        arguments = ["-m", "tests.bench.drain_uplink", str(campus.settings_file), central]
        uplink = start(process(arguments, **pipes))
        loop = CheckInLoop(directory / "queue.db", peer)
        stack.callback(loop.close)
        http = start(requests.Session())
        assert uplink.stdin is not None
        assert uplink.stdout is not None
        with click.progressbar(length=records, label=f"draining {records:,} records") as bar:
            before = 0
            while before < records:
                one: dict[str, float] = {}
                wanted = min(math.ceil(records / turns), records - before)
                few = min(sample, wanted)
                bulk = min(sample * 10, wanted)
                begun = time.perf_counter()
                bodies = read(reader, before, bulk, sizes)
                one["reading"] = bulk / (time.perf_counter() - begun)
                begun = time.perf_counter()
                for body in bodies:
                    http.post(f"{peer}/sink", body, timeout=10).raise_for_status()
                one["http"] = bulk / (time.perf_counter() - begun)
                loop.put(event.text for event in reader.after(before, records=few, size=10**9))
                begun = time.perf_counter()
                loop.drain()
                one["loop"] = few / (time.perf_counter() - begun)
                served = cpu_seconds(serving.pid)
                uplink.stdin.write(f"{before + wanted}\n")
                uplink.stdin.flush()
                said = json.loads(uplink.stdout.readline())
                done = said["count"] - before
                one["uplink"] = done / said["seconds"]
                one["uplink_cpu"] = said["cpu"] / done
                one["central_cpu"] = (cpu_seconds(serving.pid) - served) / done
                one["records_a_request"] = done / said["requests"]
                one["resident"] = said["resident"]
                before = int(said["count"])
                bar.update(int(done))
                taken.append(one)
        arrived = counts(central)
    if arrived != {"record": records, "alarm": 0}:
        raise click.ClickException(f"central has {arrived}, not {records:,} records and no alarm")
    return {"records": records, "turns": taken} | summary(taken)


def summary(turns: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, ratios and shares over the turns."""

    def middle(values: Iterator[float]) -> float:
        return statistics.median(list(values))

    bound = [1 / (1 / turn["reading"] + 1 / turn["http"]) for turn in turns]
    medians = {name: middle(turn[name] for turn in turns) for name in turns[0]} | {
        "bound": statistics.median(bound)
    }
    resident = [turn["resident"] for turn in turns]
    return {
        "medians": medians,
        "times_the_loop": middle(turn["uplink"] / turn["loop"] for turn in turns),
        "of_the_bound": middle(turn["uplink"] / most for turn, most in zip(turns, bound, strict=True)),
        "shares": {
            "reading": middle(turn["uplink"] / turn["reading"] for turn in turns),
            "http": middle(turn["uplink"] / turn["http"] for turn in turns),
            "central_cpu": middle(turn["uplink"] * turn["central_cpu"] for turn in turns),
        },
        "resident": {"start": resident[0], "middle": resident[len(resident) // 2], "end": resident[-1]},
    }


@click.command()
@click.option("--records", default=1_000_000, show_default=True, type=click.IntRange(min=10))
@click.option("--turns", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--sample", default=500, show_default=True, help="Records of a turn of the loop.")
@click.option("--out", default="bench-out", type=click.Path(path_type=Path), show_default=True)
def main(records: int, turns: int, sample: int, out: Path) -> None:
    """Measure, print the tables, write bench-out/sync.json.

    \b
    Example:
      make bench-sync ARGS='--records 100000'
    """
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-sync-", dir=out))
    try:
        result = measure(records, turns, sample, work, out)
    finally:
        shutil.rmtree(work)
    medians, resident = result["medians"], result["resident"]
    rows = [
        [label, f"{medians[name]:,.0f}", f"{medians[name] / medians['loop']:.1f}"]
        for name, label in (
            ("uplink", "uplink -> central"),
            ("loop", "one record a request"),
            ("reading", "reading the journal alone"),
            ("http", "HTTP alone, the same batches"),
            ("bound", "reading and HTTP, one after the other"),
        )
    ]
    show(f"{records:,} records, a second", ["", "records", "times the loop"], rows)
    costs = [
        ["uplink's CPU, microseconds a record", f"{medians['uplink_cpu'] * 1e6:.0f}"],
        ["central's CPU, microseconds a record", f"{medians['central_cpu'] * 1e6:.0f}"],
        ["records a request", f"{medians['records_a_request']:.0f}"],
        *([f"share of the time: {name}", f"{share:.2f}"] for name, share in result["shares"].items()),
        *([f"memory of the uplink, {when}, MB", f"{at / 1e6:.1f}"] for when, at in resident.items()),
    ]
    show("what that takes", ["", ""], costs)
    times = result["times_the_loop"]
    whole, looped = records / medians["uplink"], records / medians["loop"]
    click.echo(f"{records:,} records: {whole:,.0f} s, by the loop {looped:,.0f} s (extrapolated)")
    click.echo(f"{times:.0f} times the loop, the aim is {AIM}: {'kept' if times >= AIM else 'missed'}")
    click.echo(save("sync", result, out))


if __name__ == "__main__":
    main()
