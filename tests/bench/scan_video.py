"""Time-to-read: how long after a code is fully in view does a reader have its text, at 30 frames a second?

Simulated time: frames come every 33 ms, a reader is busy for as long as it really took, and then takes the
newest frame there is. So a slow reader pays by missing frames, as it does at a gate.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from config.keys import new_p256
from hw.frame import Frame
from sync.central.mint import personal_code
from terminal.scanner import Scanner
from tests.bench.peers import pyzbar_qr, zxing
from tests.bench.report import quantile, show
from tests.sim.clips import CLIP_KINDS, RATE, Shot, clip

Look = Callable[[Frame], bool]  # whether the clip's text was read


def time_to_read(clips: int, seed: int = 9100) -> dict[str, Any]:
    """Play `clips` clips of each kind to every reader; milliseconds by reader and kind."""
    key = new_p256()
    waits: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    plan = [(kind, number) for number in range(clips) for kind in CLIP_KINDS]
    for kind, number in track(plan, description="clips"):
        rng = np.random.default_rng([seed, CLIP_KINDS.index(kind), number])
        text = personal_code(key, f"S{number:04d}", 1_800_000_000 + number)
        shots = list(clip(kind, rng, text))
        for name, look in _readers(text).items():
            waits[name][kind].append(_play(shots, look))
    names = list(waits)
    rows = []
    for kind in (*CLIP_KINDS, "all"):
        values = {n: waits[n][kind] if kind != "all" else _all(waits[n]) for n in names}
        rows.append([kind, *(f"{quantile(v, 50):.0f} / {quantile(v, 95):.0f}" for v in values.values())])
    show("time to read, ms: p50 / p95", ["clip", *names], rows)
    p95 = {n: quantile(_all(waits[n]), 95) for n in names}
    best = min(value for name, value in p95.items() if name != "campusgate")
    return {
        "ms": {n: {kind: list(v) for kind, v in by_kind.items()} for n, by_kind in waits.items()},
        "p95": p95,
        "p95_ratio_to_best_peer": p95["campusgate"] / best,
    }


def _all(by_kind: dict[str, list[float]]) -> list[float]:
    return list(chain.from_iterable(by_kind.values()))


def _readers(text: str) -> dict[str, Look]:
    scanner = Scanner()

    def ours(frame: Frame) -> bool:
        sighting = scanner.scan(frame).sighting
        return sighting is not None and sighting.text == text

    def grey(frame: Frame) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)

    return {
        "campusgate": ours,
        "zxing-cpp loop": lambda frame: text in zxing(grey(frame)),
        "pyzbar loop": lambda frame: text in pyzbar_qr(grey(frame)),
    }


def _play(shots: list[Shot], look: Look) -> float:
    """Milliseconds from the first frame fully in view to the text; the clip's length if it was never read.

    A text read while the code was still coming in counts from the frame it was read in: its decoding time.
    """
    in_view = next(number for number, shot in enumerate(shots) if shot.in_view) / RATE
    now = 0.0
    while (number := int(now * RATE + 1e-9)) < len(shots):
        start = time.perf_counter()
        read = look(Frame(shots[number].image, number / RATE, number))
        spent = time.perf_counter() - start
        now = max(now, number / RATE) + spent
        if read:
            return (spent if number / RATE < in_view else now - in_view) * 1000
        now = max(now, (number + 1) / RATE)
    return (len(shots) / RATE - in_view) * 1000
