"""CPU share and memory of scanning in real time, each reader in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.bench.report import show

SECONDS = 4.0
_READERS = ("nothing", "campusgate", "zxing-cpp", "pyzbar QR only")


def load() -> dict[str, Any]:
    """CPU share (of one core, percent) at 15 and 30 frames a second and resident memory (MB), by reader."""
    result: dict[str, Any] = {}
    for reader in _READERS:
        for rate in (15, 30):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.scan_load", reader, str(rate)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            result.setdefault(reader, {})[str(rate)] = json.loads(done.stdout)
    rows = [
        [n, *(f"{r[rate]['cpu_percent']:.0f}" for rate in ("15", "30")), f"{r['30']['rss_mb']:.0f}"]
        for n, r in result.items()
    ]
    show(
        "real time, half the frames with a code (percent of one core)",
        ["reader", "15 frames/s", "30 frames/s", "resident MB"],
        rows,
    )
    return result


def _measure(reader: str, rate: int) -> dict[str, float]:
    """Run `reader` over made-up frames at `rate` a second; what it cost this process."""
    import time
    from pathlib import Path

    import cv2
    import numpy as np

    from hw.frame import Frame
    from terminal.scanner import Scanner
    from tests.bench.peers import PEERS
    from tests.sim.footage import graded
    from tests.sim.optics import Weather, empty
    from tests.sim.scenery import scene

    rng = np.random.default_rng(5)
    background = scene(rng)
    frames = [graded("plain", k / 8, np.random.default_rng([5, k]), "CC1:" + "A" * 150) for k in range(8)]
    frames += [empty(background, Weather(noise=3.0), rng) for _ in range(8)]
    scanner = Scanner()

    def look(number: int) -> None:
        image = frames[number // rate * 8 % 16 + number % 8]  # a second with a code, a second without
        if reader == "campusgate":
            scanner.scan(Frame(image, time.monotonic(), number))
        elif reader != "nothing":
            PEERS[reader](cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False))

    look(0)
    begun, spent = time.monotonic(), time.process_time()
    for number in range(int(SECONDS * rate)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        look(number)
    share = (time.process_time() - spent) / (time.monotonic() - begun)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return {"cpu_percent": share * 100, "rss_mb": pages * 4096 / 1e6}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]))))  # noqa: T201
