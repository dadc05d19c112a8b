"""The sync daemon's uplink in a process of its own, so that its memory and its CPU time are its alone.

Run by tests.bench.drain: python -m tests.bench.drain_uplink SETTINGS URL. Each line on its standard input is
the number of a record up to which to go; each line of its answer says what that took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from config.settings import load_settings
from tests.bench.roster_start import resident
from tests.sync.world import at, uplink_to


def main() -> None:
    """Step the uplink as far as is asked for, until there is no more input."""
    settings = load_settings(Path(sys.argv[1]))
    with uplink_to(at(settings, sys.argv[2], timeout=30)) as uplink:
        for line in sys.stdin:
            begun, cpu, steps = time.perf_counter(), time.process_time(), 0
            while uplink.receipt.count < int(line) and uplink.waiting():
                if uplink.step():
                    steps += 1
                else:
                    time.sleep(uplink.rest)  # central wished for a pause
            answer = {
                "seconds": time.perf_counter() - begun,
                "cpu": time.process_time() - cpu,
                "requests": steps,
                "count": uplink.receipt.count,
                "resident": resident(),
            }
            print(json.dumps(answer), flush=True)  # noqa: T201 - its answer to the benchmark


if __name__ == "__main__":
    main()
