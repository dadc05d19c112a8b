"""make bench-roster: what a roster of 10,000 to 1,000,000 people costs to publish, fetch, open and ask.

Beside it in the same run: one signed SQLite file and one signed JSON file, fetched whole at every change.
Cold start, lookups and memory are of a fresh process each, its Python already started; bytes are what a
static file server sent. The table ends with exponents: bytes or seconds grow as people to that power.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.ngclient import FetcherInterface

from config.settings import load_settings
from sync.central.publish import Repository
from sync.central.shards import SHARD_PEOPLE
from sync.downlink import Downlink
from sync.http import session
from terminal.person import Person, PersonKind
from terminal.policy import Place, Policy
from tests.bench.report import quantile, save, show
from tests.bench.roster_peers import write_json, write_sqlite
from tests.static_server import static_server

CHANGED = 50
POLICY = Policy(places={"north-gate": Place(name_zh="北门", name_en="North Gate")})
_NAMES = ["张伟", "王芳", "李娜", "刘洋", "陈静", "杨磊", "赵强", "黄敏", "周杰", "吴倩"]
_SETTINGS = """
[device]
name = "bench-1"
place = "north-gate"
[central]
url = "{url}"
[storage]
state = "state"
run = "."
"""


def crowd(count: int, rng: random.Random) -> Iterator[Person]:
    """`count` made-up people, each with a phone key's worth of random bytes."""
    for number in range(count):
        key = b"\x02" + rng.randbytes(32)
        yield Person(f"S{number:08d}", _NAMES[number % 10], PersonKind.STUDENT, keys=(key,))


class Counting(FetcherInterface):
    """Counts the bytes that come through the downlink's own fetcher."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.bytes, self.files = inner, 0, 0

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.files += 1
        for piece in self.inner.fetch(url):
            self.bytes += len(piece)
            yield piece


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fresh(kind: str, path: Path, key: str, lookups: int, people: int) -> dict[str, Any]:
    """What a fresh process measured; the second of two runs, so that the files are in the page cache."""
    arguments = [
        sys.executable,
        "-m",
        "tests.bench.roster_start",
        kind,
        str(path),
        key,
        str(lookups),
        str(people),
    ]
    for _ in range(2):
        done = subprocess.run(
            arguments, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
    result: dict[str, Any] = json.loads(done.stdout)
    spent = result.pop("lookups")
    return result | {"p50": quantile(spent, 50), "p99": quantile(spent, 99)}


def measure(count: int, directory: Path, lookups: int, shard_people: int) -> dict[str, dict[str, Any]]:
    """All measures at `count` people, by candidate."""
    rng = random.Random(count)
    people = list(crowd(count, rng))
    repository = Repository(directory / "central/tuf", directory / "central/keys", shard_people)
    repository.create()
    ours: dict[str, Any] = {"publish": timed(lambda: repository.publish(people, POLICY, []))}
    settings_file = directory / "campusgate.toml"
    (directory / "root.json").write_bytes(repository.root)
    with static_server(directory / "central") as url:
        settings_file.write_text(_SETTINGS.format(url=url), "utf-8")
        settings = load_settings(settings_file)
        with session(settings) as http:
            downlink = Downlink(settings, repository.root, http)

            def fetched() -> tuple[int, int, float]:
                counting = Counting(downlink.fetcher)
                downlink.fetcher = counting
                seconds = timed(downlink.step)
                downlink.fetcher = counting.inner
                return counting.bytes, counting.files, seconds

            ours["first_bytes"], ours["first_files"], ours["first_seconds"] = fetched()
            ours |= fresh("campusgate", settings.roster, str(directory), lookups, count)
            changed = [replace(p, name="改名") for p in rng.sample(people, min(CHANGED, count))]
            ours["publish_recent"] = timed(lambda: repository.publish_recent(changed))
            ours["change_bytes"], _, ours["change_seconds"] = fetched()
            asked = fresh("campusgate", settings.roster, str(directory), lookups, count)
            ours["p99_with_overlay"] = asked["p99"]
            new = {p.subject: p for p in changed}
            merged = [new.get(p.subject, p) for p in people]
            ours["fold_publish"] = timed(lambda: repository.publish(merged, POLICY, []))
            ours["fold_bytes"], _, ours["fold_seconds"] = fetched()
            ours["idle_round"] = timed(downlink.step)
    results = {"campusgate": ours}
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    for name, write in (("sqlite", write_sqlite), ("json", write_json)):
        file = directory / f"peer.{name}"
        seconds = timed(lambda write=write, file=file: write(people, file, key))  # type: ignore[misc]
        size = file.stat().st_size + 64
        results[name] = {"publish": seconds, "first_bytes": size, "change_bytes": size, "first_files": 2}
        results[name] |= fresh(name, file, public, lookups, count)
    return results


ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("publish", "publish, s", 1, ".2f"),
    ("publish_recent", "publish 50 changes, s", 1, ".3f"),
    ("fold_publish", "publish with 50 folded in, s", 1, ".2f"),
    ("first_bytes", "first download, MB", 1e-6, ".2f"),
    ("first_files", "first download, files", 1, ".0f"),
    ("first_seconds", "first download, s", 1, ".2f"),
    ("change_bytes", "50 changes, kB", 1e-3, ".1f"),
    ("change_share", "50 changes, % of first", 100, ".4f"),
    ("change_seconds", "50 changes, s", 1, ".3f"),
    ("fold_bytes", "50 folded in, kB", 1e-3, ".1f"),
    ("fold_share", "50 folded in, % of first", 100, ".3f"),
    ("fold_seconds", "50 folded in, s", 1, ".3f"),
    ("idle_round", "round without news, s", 1, ".3f"),
    ("cold_start", "cold start to answer, s", 1, ".3f"),
    ("import", "  of it imports, s", 1, ".3f"),
    ("p50", "lookup p50, ms", 1e3, ".4f"),
    ("p99", "lookup p99, ms", 1e3, ".4f"),
    ("p99_with_overlay", "lookup p99 with overlay, ms", 1e3, ".4f"),
    ("resident_above_empty", "memory above empty, MB", 1e-6, ".1f"),
)


def exponent(results: dict[int, dict[str, Any]], measure_name: str) -> float | None:
    """The slope from the smallest to the largest size, both axes logarithmic."""
    least, most = min(results), max(results)
    if least == most or measure_name not in results[most] or not results[least][measure_name]:
        return None
    ratio = results[most][measure_name] / results[least][measure_name]
    return math.log(ratio) / math.log(most / least)


@click.command()
@click.option(
    "--people", "sizes", multiple=True, type=click.IntRange(min=10), default=(10_000, 100_000, 1_000_000)
)
@click.option("--lookups", default=5000, show_default=True)
@click.option("--shard-people", default=SHARD_PEOPLE, show_default=True)
@click.option("--out", default="bench-out", type=click.Path(path_type=Path), show_default=True)
def main(sizes: tuple[int, ...], lookups: int, shard_people: int, out: Path) -> None:
    """Measure, print the table, write bench-out/roster.json."""
    results: dict[str, dict[int, dict[str, Any]]] = {}
    for count in sizes:
        directory = Path(tempfile.mkdtemp(prefix="bench-roster-"))
        try:
            for name, measured in measure(count, directory, lookups, shard_people).items():
                for part in ("change", "fold"):
                    if f"{part}_bytes" in measured:
                        measured[f"{part}_share"] = measured[f"{part}_bytes"] / measured["first_bytes"]
                results.setdefault(name, {})[count] = measured
        finally:
            shutil.rmtree(directory)
    exponents: dict[str, dict[str, float | None]] = {}
    for name, by_size in results.items():
        rows = []
        exponents[name] = {row[0]: exponent(by_size, row[0]) for row in ROWS}
        for measure_name, label, scale, form in ROWS:
            if measure_name in by_size[sizes[0]]:
                slope = exponents[name][measure_name]
                cells = [f"{by_size[size][measure_name] * scale:{form}}" for size in sizes]
                rows.append([label, *cells, "" if slope is None else f"{slope:.2f}"])
        show(name, ["", *(f"{size:,}" for size in sizes), "exponent"], rows)
    file = save("roster", {"shard_people": shard_people, "results": results, "exponents": exponents}, out)
    click.echo(file)


if __name__ == "__main__":
    main()
