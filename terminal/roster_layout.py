"""How the roster lies in its TUF repository: names, the index of shards, the overlay. No I/O, no trust.

Targets that targets.json lists: manifest.json (issuers, statement keys, shard bits), policy.json and
index.bin. The index has 36 bytes for each shard, in order: its length (32 bits, big-endian) and its SHA-256.
Shard N holds the people whose SHA-256 of their number starts with the bits of N, one line of JSON each.
The target recent/people.jsonl is listed by the delegated role "recent", which can sign no other path: people
changed, added or removed since the last full publication. It is asked before the shards and always wins.
Beside it the role lists a target for each terminal that central has orders for (see orders.py).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tuf.api.metadata import TargetFile

from terminal.codes import from_compressed, key_id

MANIFEST = "manifest.json"
POLICY = "policy.json"
INDEX = "index.bin"
RECENT_ROLE = "recent"
RECENT = "recent/people.jsonl"
ORDERS = "recent/device-"
"""How the names of targets of orders begin; the terminal's name and .json follow."""
MAX_BITS = 20
MAX_SMALL = 1_048_576  # bytes of manifest, policy, overlay: read whole at every lookup
MAX_SHARD = 4_194_304  # bytes
PUBLISHED_AT = "published_at"
"""The signed field of timestamp.json that says when central last spoke."""

_ENTRY = struct.Struct(">I32s")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the roster says of itself. issuers: public keys of pass issuers by key id.

    statement_keys: what central's statements are verified with (see statement.py).
    """

    bits: int
    people: int
    issuers: dict[str, EllipticCurvePublicKey]
    statement_keys: tuple[Ed25519PublicKey, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises: ValueError, KeyError or TypeError when it is malformed."""
        document: dict[str, Any] = json.loads(data)
        points = [from_compressed(bytes.fromhex(point)) for point in document["issuers"]]
        bits = int(document["bits"])
        if not 0 <= bits <= MAX_BITS:
            raise ValueError(f"bits {bits} is not 0 to {MAX_BITS}")
        keys = (bytes.fromhex(key) for key in document.get("statement_keys", ()))
        return cls(
            bits,
            int(document["people"]),
            {key_id(point): point for point in points},
            tuple(Ed25519PublicKey.from_public_bytes(key) for key in keys),
        )


@dataclass(frozen=True, slots=True)
class Shard:
    """One entry of the index. name: of its file under targets/people/."""

    number: int
    length: int
    digest: bytes
    name: str


class Index:
    """The signed list of all shards, as the bytes that were signed: 36 for each, no objects."""

    def __init__(self, data: bytes, bits: int) -> None:
        if len(data) != _ENTRY.size << bits:
            raise ValueError(f"{INDEX}: {len(data)} bytes is not what 2^{bits} shards take")
        self.data, self.bits = data, bits

    @classmethod
    def of(cls, shards: Iterable[bytes], bits: int) -> Index:
        """The index of shards with these contents."""
        return cls(b"".join(_ENTRY.pack(len(s), hashlib.sha256(s).digest()) for s in shards), bits)

    def __iter__(self) -> Iterator[Shard]:
        return (self.shard(number) for number in range(1 << self.bits))

    def entry(self, number: int) -> tuple[int, bytes]:
        """Where in the index's bytes the entry of shard `number` starts, and what it is."""
        start = number * _ENTRY.size
        return start, self.data[start : start + _ENTRY.size]

    def shard(self, number: int) -> Shard:
        """The shard numbered `number`."""
        length, digest = _ENTRY.unpack_from(self.data, number * _ENTRY.size)
        return Shard(number, length, digest, f"{digest.hex()}.{shard_name(number, self.bits)}")

    def has(self, digest: bytes) -> bool:
        """Whether any shard has this digest. Slow; for telling a swapped shard from an altered one."""
        return any(shard.digest == digest for shard in self)


def orders_target(device: str) -> str:
    """The target that holds the orders for the terminal `device`."""
    return f"{ORDERS}{device}.json"


def shard_number(subject: str, bits: int) -> int:
    """Which shard holds `subject` when they are split by the first `bits` bits of SHA-256."""
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big") >> (32 - bits)


def shard_name(number: int, bits: int) -> str:
    """The last part of a shard's file name, such as 2f.jsonl."""
    return f"{number:0{max(1, -(-bits // 4))}x}.jsonl"


def shard_file(repository: Path, shard: Shard) -> Path:
    """Where a repository or a mirror of one keeps `shard`."""
    return repository / "targets" / "people" / shard.name


def target_file(repository: Path, target: TargetFile) -> Path:
    """Where `target` is kept: under its own digest, so a new version never overwrites an old one."""
    directory, _, name = target.path.rpartition("/")
    return repository / "targets" / directory / f"{target.hashes['sha256']}.{name}"


def shard_target(shard: Shard) -> TargetFile:
    """`shard` as python-tuf's client downloads it: the index has taken the place of targets.json."""
    path = f"people/{shard.name.partition('.')[2]}"
    return TargetFile(shard.length, {"sha256": shard.digest.hex()}, path)


def gone_line(subject: str) -> bytes:
    """The overlay's line that says: nobody has the number `subject` any more."""
    return b'{"sub":"%s","gone":true}' % subject.encode()


def is_gone(line: bytes) -> bool:
    """Whether an overlay's line says that its person was removed."""
    return line.endswith(b'","gone":true}') and bool(json.loads(line).get("gone"))
