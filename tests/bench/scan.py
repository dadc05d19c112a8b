"""`make bench-scan`: our scanner beside what a user could pick instead, all in one interleaved run.

Read rate on graded frames (other seeds than any used while the ladder was made) and on photographs, wrong
reads, milliseconds on readable and on empty frames; then time-to-read in clips, CPU share and memory.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from rich.progress import track

from config.keys import new_p256
from hw.frame import Frame
from sync.central.mint import personal_code
from terminal.scanner import Scanner
from tests.bench.peers import PEERS, Grey, Reader, zxing_fast
from tests.bench.report import quantile, save, show
from tests.bench.scan_load import load
from tests.bench.scan_video import time_to_read
from tests.sim.footage import KINDS, graded
from tests.sim.optics import Weather, empty
from tests.sim.scenery import scene

OURS = "campusgate"
_PICTURES = (".webp", ".png", ".jpg", ".jpeg")
Case = tuple[str, str, np.ndarray[Any, np.dtype[np.uint8]]]  # kind, text, BGR image


@click.command()
@click.option("--seeds", default="9001,9002", show_default=True, help="Seeds of the graded frames.")
@click.option("--grades", default=24, show_default=True, help="Grades of each kind.")
@click.option("--clips", default=6, show_default=True, help="Clips of each kind; 0 leaves them out.")
@click.option(
    "--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), help="NAME.png with NAME.txt"
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench-out"), show_default=True)
def main(seeds: str, grades: int, clips: int, photos: Path | None, out: Path) -> None:
    """Measure reading and print tables; JSON goes to the directory --out."""
    result: dict[str, Any] = {}
    frames = [case for seed in seeds.split(",") for case in _graded(int(seed), grades)]
    result["frames"] = _read("graded frames", frames, len(frames))
    if photos:
        shots = list(_photographs(photos))
        result["photographs"] = _read("photographs", shots, len(shots))
    result["empty"] = _empty(120)
    if clips:
        result["video"] = time_to_read(clips)
    result["load"] = load()
    click.echo(f"JSON: {save('scan', result, out)}")


def _graded(seed: int, grades: int) -> Iterator[Case]:
    key = new_p256()
    for kind in KINDS:
        for number in range(grades):
            rng = np.random.default_rng([seed, KINDS.index(kind), number])
            text = personal_code(key, f"S{seed:04d}{number:04d}", 1_800_000_000 + number)
            yield kind, text, graded(kind, number / max(1, grades - 1), rng, text)


def _photographs(directory: Path) -> Iterator[Case]:
    for path in sorted(p for p in directory.rglob("*") if p.suffix in _PICTURES):
        label = path.with_suffix(".txt")
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if label.exists() and image is not None:
            yield path.parent.name, label.read_text("utf-8"), image.astype(np.uint8, copy=False)


def _read(title: str, cases: list[Case], total: int) -> dict[str, Any]:
    """Every reader on every case, case by case, so that all meet the same moments of the machine."""
    reads: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: Counter[str] = Counter()
    spent: dict[str, list[float]] = defaultdict(list)
    kinds = Counter(kind for kind, _, _ in cases)
    union = 0
    for number, (kind, text, image) in enumerate(track(cases, description=title)):
        good: set[str] = set()
        for name, texts, seconds in _attempts(image, number):
            spent[name].append(seconds * 1000)
            right = any(_same(found, text) for found in texts)
            wrong[name] += sum(not _same(found, text) for found in texts)
            reads[name][kind] += right
            if right:
                good.add(name)
        union += bool(good & {"zxing-cpp", "pyzbar", "pyzbar QR only"})
    names = [OURS, *PEERS]
    rows = [[kind, *(f"{reads[n][kind]}/{count}" for n in names)] for kind, count in kinds.items()]
    rows.append(["all", *(f"{sum(reads[n].values())}/{total}" for n in names)])
    rows.append(["wrong reads", *(str(wrong[n]) for n in names)])
    rows.append(["ms median", *(f"{statistics.median(spent[n]):.2f}" for n in names)])
    rows.append(["ms p95", *(f"{quantile(spent[n], 95):.2f}" for n in names)])
    show(f"{title}: read, of {total} (zxing-cpp and pyzbar together: {union})", ["kind", *names], rows)
    return {
        "total": total,
        "union_zxing_pyzbar": union,
        "readers": {
            n: {
                "read": sum(reads[n].values()),
                "by_kind": dict(reads[n]),
                "wrong": wrong[n],
                "ms_median": statistics.median(spent[n]),
                "ms_p95": quantile(spent[n], 95),
            }
            for n in names
        },
        "median_ratio_to_zxing": statistics.median(spent[OURS]) / statistics.median(spent["zxing-cpp"]),
    }


def _attempts(
    image: np.ndarray[Any, np.dtype[np.uint8]], number: int
) -> Iterator[tuple[str, list[str], float]]:
    """Name, texts and seconds of each reader on a colour image; the conversion to grey counts for all."""

    def ours() -> list[str]:
        sighting = Scanner(budget=0.2, eager=True).scan(Frame(image, 0.0, 0)).sighting
        return [sighting.text] if sighting else []

    def theirs(reader: Reader) -> list[str]:
        return list(reader(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)))

    readers = {OURS: ours, **{name: partial(theirs, reader) for name, reader in PEERS.items()}}
    for name in _shuffled(readers, number):
        start = time.perf_counter()
        texts = readers[name]()
        yield name, texts, time.perf_counter() - start


def _shuffled(names: Iterable[str], number: int) -> list[str]:
    """`names` in another order for each case `number`, the same in every run.

    Who comes after OpenCV's detectors finds the caches cold, which is most of what a small picture costs, and
    who comes next finds them warm: nobody is to be always the first.
    """
    return [str(name) for name in np.random.default_rng([7, number]).permutation(list(names))]


def _same(found: str, text: str) -> bool:
    """Whether two texts are the same but for the kind of line ends, which label files do not keep."""
    return " ".join(found.split()) == " ".join(text.split())


def _empty(count: int) -> dict[str, Any]:
    """What a frame without a code costs, in grey, beside zxing-cpp's own fast pass."""
    frames = []
    for seed in range(count):
        rng = np.random.default_rng([77, seed])
        weather = Weather(noise=rng.uniform(1, 5), defocus=rng.uniform(0.3, 1.0), gain=rng.uniform(0.2, 1.3))
        frames.append(
            cv2.cvtColor(empty(scene(rng), weather, rng), cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
        )
    scanner = Scanner()

    def ours(image: Grey) -> list[str]:
        sighting = scanner.scan(Frame(image, 0.0, 0)).sighting
        return [sighting.text] if sighting else []

    readers: dict[str, Reader] = {OURS: ours, "zxing-cpp fast pass": zxing_fast, **PEERS}
    spent: dict[str, list[float]] = defaultdict(list)
    found: Counter[str] = Counter()
    for number, image in enumerate(track(frames, description="empty frames")):
        for name in _shuffled(readers, number):
            start = time.perf_counter()
            found[name] += bool(readers[name](image))
            spent[name].append((time.perf_counter() - start) * 1000)
    medians = {name: statistics.median(spent[name]) for name in readers}
    fast = medians["zxing-cpp fast pass"]
    rows = [[n, f"{m:.2f}", f"{m / fast:.2f}", str(found[n])] for n, m in medians.items()]
    show("frames without a code (grey)", ["reader", "ms median", "of the fast pass", "texts seen"], rows)
    return {"ms_median": medians, "ratio_to_fast_pass": medians[OURS] / fast, "texts_seen": dict(found)}


if __name__ == "__main__":
    main()
