"""A hostile repository on disk: a town whose files an attacker has changed, one verb for each attack."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile

from sync.central import publish as publishing
from sync.central import published
from sync.central.shards import write_target
from terminal.person import Person, PersonKind
from terminal.roster_layout import INDEX, Index, shard_file, shard_number, target_file
from tests.terminal.world import Town


@dataclass
class Attacked:
    """`town` in the hands of somebody who can write its files, and who may have stolen some of its keys."""

    town: Town
    rng: random.Random = field(default_factory=lambda: random.Random(40))

    @property
    def metadata(self) -> Path:
        return self.town.mirror / "metadata"

    def publish(self, *people: Person) -> int:
        """An honest full publication."""
        return self.town.publish(*people)

    def expire(self, role: str) -> None:
        """Publish with `role` expired since yesterday, truly signed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(publishing._EXPIRES, role, -1)
            self.publish(Person("EXPIRE", role, PersonKind.STAFF))

    def index(self) -> Path:
        """The file of the index in the version in force."""
        current = published.current(self.town.repository.directory)
        assert current is not None
        return target_file(self.town.mirror, current.targets.targets[INDEX])

    def shard(self, subject: str) -> Path:
        """The file of the shard of `subject` in the version in force."""
        data = self.index().read_bytes()
        index = Index(data, (len(data) // 36).bit_length() - 1)
        return shard_file(self.town.mirror, index.shard(shard_number(subject, index.bits)))

    def corrupt(self, file: Path) -> None:
        """Flip one bit of `file`."""
        data = bytearray(file.read_bytes())
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        file.write_bytes(data)

    def swap(self, one: Path, other: Path) -> None:
        """Exchange the contents of two files."""
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)

    def rollback(self, older: Town) -> None:
        """Put all files of an older copy back, as they were."""
        shutil.rmtree(self.town.mirror)
        shutil.copytree(older.mirror, self.town.mirror)

    def forge(self, key: Ed25519PrivateKey | None = None, **changes: Any) -> None:
        """Sign timestamp.json with `key` (a stranger's unless given), with `changes` to it."""
        file = self.metadata / "timestamp.json"
        metadata = Metadata.from_bytes(file.read_bytes())
        metadata.signed.version += 1
        for name, value in changes.items():
            setattr(metadata.signed, name, value)
        metadata.signatures.clear()
        metadata.sign(CryptoSigner(key or Ed25519PrivateKey.generate()))
        file.write_bytes(metadata.to_bytes())

    def endless(self, file: Path) -> None:
        """Put something that never ends in the place of `file`."""
        file.unlink()
        file.symlink_to("/dev/zero")

    def hang(self, file: Path) -> None:
        """Put a pipe that nobody writes to in the place of `file`."""
        file.unlink()
        os.mkfifo(file)

    def take_recent_key(self, targets: dict[str, bytes]) -> None:
        """Publish `targets` with the keys that are online: recent, snapshot and timestamp."""
        repository = self.town.repository
        before = published.current(repository.directory)
        assert before is not None
        recent = before.recent
        recent.targets = {path: write_target(self.town.mirror, path, data) for path, data in targets.items()}
        recent.version += 1
        data = repository._sign("recent", Metadata(recent))
        (self.metadata / f"{recent.version}.recent.json").write_bytes(data)
        snapshot = before.snapshot
        snapshot.version += 1
        snapshot.meta["recent.json"] = MetaFile(recent.version)
        data = repository._sign("snapshot", Metadata(snapshot))
        (self.metadata / f"{snapshot.version}.snapshot.json").write_bytes(data)
        timestamp = before.timestamp
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        (self.metadata / "timestamp.json").write_bytes(repository._sign("timestamp", Metadata(timestamp)))
