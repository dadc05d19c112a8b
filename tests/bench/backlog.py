"""A terminal's backlog, as the benchmarks of sync and ingest need it: real records, sealed and chained.

Sealing a million takes a minute or two, so a journal that was made once is kept beside the results.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind
from terminal.decision import Decision
from terminal.events import FIRST_DIGEST, Event
from terminal.journal import Journal, JournalReader
from terminal.reasons import Reason, Verdict
from terminal.records import Record, seal

FIRST_SCAN = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)
ADMITTED = Decision(Verdict.ALLOW, (Reason.OK,))
_AT_ONCE = 500  # records in one transaction
_STALE = ("-wal", "-shm", "-journal")


def record_key() -> X25519PublicKey:
    """A key to seal to; nobody opens these records."""
    return X25519PrivateKey.generate().public_key()


def scan(number: int, rng: random.Random) -> Record:
    """The record of one admitted person: a personal code and a temperature."""
    at = FIRST_SCAN + timedelta(seconds=number)
    subject, digest = f"S{rng.randrange(30_000):08d}", rng.randbytes(32).hex()
    code = Code(CodeKind.PERSONAL, subject, digest, issued_at=int(at.timestamp()) - rng.randrange(50))
    reading = Reading(ThermalState.OK, round(rng.gauss(364, 4)), seconds=rng.uniform(0.5, 2.0))
    identity = f"scan-{number}"
    return Record(
        identity, at, True, "north-gate", ADMITTED, claimed_subject=subject, code=code, reading=reading
    )


def chain(device: str, count: int, key: X25519PublicKey) -> Iterator[Event]:
    """The first `count` records of `device`."""
    rng, previous = random.Random(device), FIRST_DIGEST
    for sequence in range(1, count + 1):
        event = seal(scan(sequence, rng), device=device, sequence=sequence, previous=previous, key=key)
        previous = event.digest
        yield event


def journal_of(count: int, device: str, directory: Path) -> Path:
    """The journal of `device` with `count` records, in `directory`; made when it is not there yet."""
    path = directory / f"backlog-{device}-{count}.db"
    if path.exists() and JournalReader(path).newest() == count:
        return path
    part = path.with_suffix(".part")
    for stale in (part, *(part.with_name(part.name + end) for end in _STALE)):
        stale.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    journal = Journal(part, device=device, central_key=record_key(), state_key=bytes(32))
    rng = random.Random(count)
    starts = range(1, count + 1, _AT_ONCE)
    with click.progressbar(starts, label=f"sealing {count:,} records") as bar:
        for start in bar:
            first, *more = (scan(n, rng) for n in range(start, min(start + _AT_ONCE, count + 1)))
            journal.append(first, *more)
    journal.close()
    part.rename(path)
    return path


def put(source: Path, target: Path) -> None:
    """Make the file `source` be at `target` too, without a copy where the file system can."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
