"""A fresh process that opens one roster and answers: its cold start, its memory, its lookups, as JSON.

Run by tests.bench.roster: python -m tests.bench.roster_start KIND PATH KEY_OR_ROOT LOOKUPS PEOPLE
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


def main() -> None:
    """Open, answer once, then many times; print what it took."""
    empty = resident()
    kind, path, key, lookups, people = sys.argv[1:]
    numbers = random.Random(5).sample(range(int(people)), min(int(lookups), int(people)))
    subjects = [f"S{number:08d}" for number in numbers]
    begun = time.perf_counter()
    if kind == "campusgate":
        from terminal.roster import Roster

        imported = time.perf_counter()
        roster: object = Roster(
            Path(path), Path(tempfile.mkdtemp(dir=key)), Path(key, "root.json").read_bytes()
        )
    else:
        from tests.bench.roster_peers import JsonRoster, SqliteRoster

        imported = time.perf_counter()
        roster = (SqliteRoster if kind == "sqlite" else JsonRoster)(Path(path), bytes.fromhex(key))
    lookup = roster.person  # type: ignore[attr-defined]
    assert lookup(subjects[0]) is not None
    answered = time.perf_counter()
    spent = []
    for subject in subjects:
        start = time.perf_counter()
        found = lookup(subject)
        spent.append(time.perf_counter() - start)
        assert found is not None, subject
    result = {
        "cold_start": answered - begun,
        "import": imported - begun,
        "lookups": spent,
        "resident_above_empty": resident() - empty,
    }
    print(json.dumps(result))  # noqa: T201 - its answer to the benchmark


if __name__ == "__main__":
    main()
