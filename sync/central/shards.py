"""People into shards, and the files of a TUF repository: written when new, kept for a time, then swept."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tuf.api.metadata import TargetFile

from terminal.person import Person
from terminal.roster_layout import MAX_BITS, Index, Shard, shard_file, shard_number, target_file

SHARD_PEOPLE = 128  # at most about so many in a shard; ROSTER.md has the measurement
GRACE = 86_400.0  # seconds that files of an older version stay for whoever is still fetching them


@dataclass(frozen=True, slots=True)
class Contents:
    """Everybody, split into shards. shards: the bytes of each, in order."""

    people: int
    bits: int
    shards: list[bytes]
    index: Index


def shard_bits(people: int, shard_people: int = SHARD_PEOPLE) -> int:
    """How many bits of hash prefix split `people` into shards of `shard_people` or less, on average."""
    return min(MAX_BITS, max(0, (people // shard_people).bit_length()))


def split(people: Iterable[Person], shard_people: int = SHARD_PEOPLE) -> Contents:
    """The shards of `people`, the same bytes whatever order they come in."""
    lines = sorted((shard_number(person.subject, 32), person.to_line()) for person in people)
    bits = shard_bits(len(lines), shard_people)
    shards = [b""] * (1 << bits)  # an empty shard is there too, so that none can seem missing
    for number, members in groupby(lines, key=lambda line: line[0] >> (32 - bits)):
        shards[number] = b"".join(line + b"\n" for _, line in members)
    return Contents(len(lines), bits, shards, Index.of(shards, bits))


def write_new(file: Path, data: bytes) -> None:
    """Make sure that `file` holds `data`, whole or not at all. Durable only after the next os.sync()."""
    with contextlib.suppress(FileNotFoundError):
        if file.stat().st_size == len(data) and file.read_bytes() == data:
            return
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(data)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_target(directory: Path, path: str, data: bytes) -> TargetFile:
    """Write a target into the repository in `directory`; what the signed list says of it."""
    info = TargetFile.from_data(path, data, ["sha256"])
    write_new(target_file(directory, info), data)
    return info


def write_shards(directory: Path, contents: Contents) -> None:
    """Write every shard that is not there yet."""
    for shard, data in zip(contents.index, contents.shards, strict=True):
        write_new(shard_file(directory, shard), data)


def files_of(directory: Path, targets: Iterable[TargetFile], index: Index | None) -> set[Path]:
    """Every file that one version of the repository consists of, but for its metadata."""
    shards: Iterator[Shard] = iter(index) if index else iter(())
    return {target_file(directory, info) for info in targets} | {shard_file(directory, s) for s in shards}


def supersede(files: Iterable[Path]) -> None:
    """Let the time of grace of `files` begin now."""
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            os.utime(file)


def sweep(directory: Path, wanted: set[Path], grace: float = GRACE) -> int:
    """Remove what no version needs and nobody has needed for `grace` seconds; how many files.

    Roots stay for good: a terminal that was off for a year needs each of them, in order.
    """
    removed = 0
    before = time.time() - grace
    for place, _, names in os.walk(directory):
        for name in names:
            file = Path(place, name)
            if file in wanted or name.endswith(".root.json"):
                continue
            if file.stat().st_mtime < before:
                file.unlink(missing_ok=True)
                removed += 1
    return removed
