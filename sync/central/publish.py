"""Publishing roster and policy as a TUF repository that any static file server can serve.

The order of writing makes a half-finished publication invisible: targets, then versioned metadata, then
timestamp.json, the only file that is ever replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from config.files import private_directory, write_atomic
from config.keys import load_private, save_private
from terminal.codes import compressed
from terminal.person import Person
from terminal.policy import Policy
from terminal.roster import MANIFEST, MAX_BITS, POLICY, shard_name, shard_path, target_file

ROLES = ("root", "targets", "snapshot", "timestamp")
_SHARD_PEOPLE = 128  # aimed at: a shard is hashed at every lookup, so it must stay small
_EXPIRES = {"root": 365, "targets": 90, "snapshot": 30, "timestamp": 30}  # days


class Repository:
    """The TUF repository in `directory`, signed with the role keys in `keys`."""

    def __init__(self, directory: Path, keys: Path) -> None:
        self.directory, self._keys = directory, keys
        self._metadata = directory / "metadata"

    @property
    def root(self) -> bytes:
        """The first root.json: what a new terminal is given to trust. Raises: OSError before `create`."""
        return (self._metadata / "1.root.json").read_bytes()

    def create(self) -> None:
        """Make the role keys and the root of trust. Raises: KeyFileError when there are keys already."""
        private_directory(self._keys)
        for directory in (self._metadata, self.directory / "targets" / "people"):
            directory.mkdir(parents=True, exist_ok=True)
        root = Root(version=1, expires=_expiry("root"), consistent_snapshot=True)
        for role in ROLES:
            save_private(self._key_path(role), Ed25519PrivateKey.generate())
            root.add_key(self._signer(role).public_key, role)
        self._write("1.root.json", Metadata(root), "root")

    def publish(
        self, people: Iterable[Person], policy: Policy, issuers: Sequence[EllipticCurvePublicKey]
    ) -> int:
        """Publish a new version; its number. Raises: OSError, KeyFileError."""
        everyone = sorted(people, key=lambda person: person.subject)
        targets = Targets(version=1, expires=_expiry("targets"))
        for path, data in _targets(everyone, policy, issuers):
            info = TargetFile.from_data(path, data, ["sha256"])
            targets.targets[path] = info
            file = target_file(self.directory, info)
            if not file.exists():
                write_atomic(file, data)
        version = self._version() + 1
        targets.version = version
        self._write(f"{version}.targets.json", Metadata(targets), "targets")
        snapshot = Snapshot(
            version=version, expires=_expiry("snapshot"), meta={"targets.json": MetaFile(version)}
        )
        self._write(f"{version}.snapshot.json", Metadata(snapshot), "snapshot")
        timestamp = Timestamp(version=version, expires=_expiry("timestamp"), snapshot_meta=MetaFile(version))
        self._write("timestamp.json", Metadata(timestamp), "timestamp")
        return version

    def _version(self) -> int:
        current = self._metadata / "timestamp.json"
        return Metadata.from_file(str(current)).signed.version if current.exists() else 0

    def _write(self, name: str, metadata: Metadata[Any], role: str) -> None:
        metadata.sign(self._signer(role))
        write_atomic(self._metadata / name, metadata.to_bytes())

    def _key_path(self, role: str) -> Path:
        return self._keys / f"tuf-{role}.pem"

    def _signer(self, role: str) -> CryptoSigner:
        return CryptoSigner(load_private(self._key_path(role), Ed25519PrivateKey))


def shard_bits(people: int) -> int:
    """How many bits of hash prefix split `people` into shards of about 128."""
    return min(MAX_BITS, max(0, (people // _SHARD_PEOPLE).bit_length()))


def _targets(
    people: Sequence[Person], policy: Policy, issuers: Sequence[EllipticCurvePublicKey]
) -> Iterable[tuple[str, bytes]]:
    """Every target's path and bytes; an empty shard is there too, so that none can seem missing."""
    bits = shard_bits(len(people))
    manifest = {
        "bits": bits,
        "people": len(people),
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "issuers": [compressed(issuer).hex() for issuer in issuers],
    }
    yield MANIFEST, json.dumps(manifest).encode()
    yield POLICY, policy.model_dump_json().encode()
    shards: dict[str, list[bytes]] = {shard_name(number, bits): [] for number in range(1 << bits)}
    for person in people:
        shards[shard_path(person.subject, bits)].append(person.to_line() + b"\n")
    for path, lines in shards.items():
        yield path, b"".join(lines)


def _expiry(role: str) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=_EXPIRES[role])
