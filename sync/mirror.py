"""The terminal's mirror of the repository on disk: what is whole, what must be fetched, what may go.

Hashing a million people at every round would wear out a small computer. So a shard that was verified once is
known by its size and time of change; a part of all shards is hashed again at every round, in turn, and
finds what a failing card has changed behind the file system's back. A terminal trusts none of this: it
verifies what it reads at every lookup.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from config.files import write_atomic
from terminal.roster_layout import Index, Shard, shard_file

PARTS = 120  # all shards are hashed again once in so many rounds


class Mirror:
    """The mirror in `directory`. ledger: which shards were verified, and their time of change."""

    def __init__(self, directory: Path, ledger: Path) -> None:
        self.directory, self._ledger = directory, ledger
        self.metadata, self.targets = directory / "metadata", directory / "targets"
        self._round = 0
        self._dirty = False
        self._seen: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # then all is hashed again
            self._seen = {str(name): int(time) for name, time in json.loads(ledger.read_bytes()).items()}

    def make(self) -> None:
        """Make its directories. Raises: OSError."""
        for directory in (self.metadata, self.targets / "people", self.targets / "recent"):
            directory.mkdir(parents=True, exist_ok=True)

    def wanting(self, index: Index) -> Iterator[tuple[Shard, Path]]:
        """Every shard of `index` that is not there as it should be, and where it belongs."""
        self._round += 1
        for shard in index:
            file = shard_file(self.directory, shard)
            again = shard.number % PARTS == self._round % PARTS
            if not self._whole(shard, file, again):
                self._seen.pop(shard.name, None)
                yield shard, file

    def _whole(self, shard: Shard, file: Path, again: bool) -> bool:
        try:
            stat = file.stat()
            if stat.st_size != shard.length:
                return False
            if not again and self._seen.get(shard.name) == stat.st_mtime_ns:
                return True
            whole = hashlib.sha256(file.read_bytes()).digest() == shard.digest
        except OSError:
            return False
        if whole and self._seen.get(shard.name) != stat.st_mtime_ns:
            self._seen[shard.name], self._dirty = stat.st_mtime_ns, True
        return whole

    def note(self, shard: Shard, file: Path) -> None:
        """`file` was fetched and verified just now. Raises: OSError."""
        self._seen[shard.name], self._dirty = file.stat().st_mtime_ns, True

    def remember(self, index: Index) -> None:
        """Write the ledger for the next start, once the shards are on disk for good. Raises: OSError."""
        if not self._dirty:
            return
        self._dirty = False
        names = {shard.name for shard in index}
        self._seen = {name: time for name, time in self._seen.items() if name in names}
        write_atomic(self._ledger, json.dumps(self._seen).encode())

    def sweep(self, small: set[Path], index: Index, *, people: bool) -> None:
        """Remove what is older than the last version, which the terminal may still be reading.

        small: the files of the current version outside people/. people: sweep there too.
        """
        note = self.directory / "kept.json"
        names = sorted(str(file.relative_to(self.directory)) for file in small)
        previous: list[str] = []
        with contextlib.suppress(OSError, ValueError, TypeError):
            previous = [str(name) for name in json.loads(note.read_bytes())]
        wanted = {self.directory / name for name in (*names, *previous)}
        for directory in (self.targets, self.targets / "recent", self.metadata):
            _remove_others(directory, wanted)
        if people:
            shards = {shard.name for shard in index}
            for name in previous:
                shards |= _shards_of(self.directory / name) if name.endswith(".index.bin") else set()
            people_directory = self.targets / "people"
            _remove_others(people_directory, {people_directory / name for name in shards})
        if names != previous:
            write_atomic(note, json.dumps(names).encode())


def _shards_of(index_file: Path) -> set[str]:
    try:
        data = index_file.read_bytes()
        return {shard.name for shard in Index(data, (len(data) // 36).bit_length() - 1)}
    except (OSError, ValueError):
        return set()


def _remove_others(directory: Path, wanted: set[Path]) -> None:
    for file in directory.iterdir():
        if file not in wanted and file.is_file() and file.name != "timestamp.json":
            if directory.name == "metadata" and file.name.endswith(".root.json"):
                continue
            file.unlink(missing_ok=True)
