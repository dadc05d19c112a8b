"""The roster: people, issuers and policy, verified against signed metadata at every single lookup.

On disk lies a mirror of a TUF repository (consistent snapshots, so every file but timestamp.json is
immutable); the sync daemon writes it, the terminal only reads. Opening it runs python-tuf's own client over
the mirror, from the root of trust that provisioning put in place, and keeps the client's trusted state in a
directory of the terminal's own, which is what stops a rollback. No step uses a network or trusts a file
because of where it lies.

Layout: metadata/ and targets/ as TUF says. Targets: manifest.json (issuers, shard bits, time of
publication), policy.json, and people/PREFIX.jsonl: the people whose SHA-256 of their number starts with
PREFIX, one line each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import ValidationError
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, TargetFile, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from config.errors import CampusgateError
from terminal.codes import from_compressed, key_id
from terminal.person import SUBJECT, Person, find_line
from terminal.policy import Policy
from terminal.reasons import Reason

MANIFEST = "manifest.json"
POLICY = "policy.json"
MAX_BITS = 20
_MOST_METADATA = UpdaterConfig().targets_max_length  # bytes


class RosterRefused(CampusgateError, ValueError):
    """Raised when roster or policy are missing, altered, expired or rolled back; `reason` says which."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the roster says of itself. issuers: public keys of pass issuers by key id."""

    bits: int
    people: int
    published_at: datetime
    issuers: dict[str, EllipticCurvePublicKey]

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises: ValueError when it is malformed."""
        document: dict[str, Any] = json.loads(data)
        points = [from_compressed(bytes.fromhex(point)) for point in document["issuers"]]
        bits = int(document["bits"])
        if not 0 <= bits <= MAX_BITS:
            raise ValueError(f"bits {bits} is not 0 to {MAX_BITS}")
        return cls(
            bits=bits,
            people=int(document["people"]),
            published_at=datetime.fromisoformat(document["published_at"]).astimezone(UTC),
            issuers={key_id(point): point for point in points},
        )


def shard_path(subject: str, bits: int) -> str:
    """The target that holds `subject` when shards are split by the first `bits` bits of SHA-256."""
    digest = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big")
    return shard_name(digest >> (32 - bits), bits)


def shard_name(prefix: int, bits: int) -> str:
    """The target's name of the shard numbered `prefix`, such as people/2f.jsonl."""
    return f"people/{prefix:0{max(1, -(-bits // 4))}x}.jsonl"


def target_file(mirror: Path, target: TargetFile) -> Path:
    """Where the mirror keeps `target`: under its own digest, so a new version never overwrites an old one."""
    directory, _, name = target.path.rpartition("/")
    return mirror / "targets" / directory / f"{target.hashes['sha256']}.{name}"


class Roster:
    """One verified version of the roster.

    mirror: the TUF mirror's directory. trust: the terminal's own directory for what it has trusted before.
    root: bytes of the first root.json, from provisioning.
    Raises: RosterRefused with the reason.
    """

    def __init__(self, mirror: Path, trust: Path, root: bytes) -> None:
        self._mirror = mirror
        if not (mirror / "metadata" / "timestamp.json").exists():
            raise RosterRefused(Reason.ROSTER_MISSING, f"{mirror}: nothing downloaded yet; is sync running?")
        base = (mirror / "metadata").absolute().as_uri()
        try:
            trust.mkdir(parents=True, exist_ok=True)
            self._client = Updater(str(trust), base, fetcher=_MirrorFetcher(), bootstrap=root)
            self._client.refresh()
            signed = Metadata[Timestamp].from_file(str(trust / "timestamp.json")).signed
            self.version, self.expires_at = signed.version, signed.expires
            self._manifest = Manifest.parse(self._target(MANIFEST))
            self._policy_digest = b""
            self._policy: Policy | None = None
            self.policy()
        except ExpiredMetadataError as error:
            raise RosterRefused(Reason.ROSTER_EXPIRED, str(error)) from error
        except (RepositoryError, DownloadError, OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, RosterRefused):
                raise
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{mirror}: {error}") from error

    @property
    def published_at(self) -> datetime:
        """When this version was published (UTC)."""
        return self._manifest.published_at

    @property
    def people(self) -> int:
        """How many people it holds."""
        return self._manifest.people

    def check_expiry(self, now: datetime) -> None:
        """Raises: RosterRefused when the signed metadata has expired at `now` (aware)."""
        if now >= self.expires_at:
            raise RosterRefused(Reason.ROSTER_EXPIRED, f"expired {self.expires_at:%Y-%m-%d %H:%M} UTC")

    def person(self, subject: str) -> Person | None:
        """The person with the number `subject`, or None.

        Raises: RosterRefused when the shard is missing or was altered.
        """
        if not SUBJECT.fullmatch(subject):
            return None
        line = find_line(self._target(shard_path(subject, self._manifest.bits)), subject)
        try:
            return Person.from_line(line) if line else None
        except ValueError as error:
            raise RosterRefused(Reason.ROSTER_ALTERED, str(error)) from error

    def issuer(self, issuer_key_id: str) -> EllipticCurvePublicKey | None:
        """The issuer's key with that id, or None. Raises: RosterRefused when the manifest was altered."""
        self._target(MANIFEST)
        return self._manifest.issuers.get(issuer_key_id)

    def policy(self) -> Policy:
        """The policy, read and verified now. Raises: RosterRefused when it is missing, altered or invalid."""
        data = self._target(POLICY)
        digest = hashlib.sha256(data).digest()
        if self._policy is None or digest != self._policy_digest:
            try:
                self._policy, self._policy_digest = Policy.model_validate_json(data), digest
            except ValidationError as error:
                raise RosterRefused(Reason.POLICY_MISSING, f"{POLICY}: {error}") from error
        return self._policy

    def _target(self, path: str) -> bytes:
        info = self._client.get_targetinfo(path)
        if info is None:
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{path}: is not in the signed list of targets")
        file = target_file(self._mirror, info)
        try:
            with file.open("rb") as stream:
                data = stream.read(info.length + 1)
            info.verify_length_and_hashes(data)
        except OSError as error:
            raise RosterRefused(Reason.ROSTER_MISSING, f"{file}: {error.strerror}") from error
        except LengthOrHashMismatchError as error:
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{file}: {error}") from error
        return data


class _MirrorFetcher(FetcherInterface):
    """Gives python-tuf's client the mirror's files as if they were a server's."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(unquote(urlsplit(url).path))
        try:
            with path.open("rb") as stream:
                return iter([stream.read(_MOST_METADATA + 1)])  # one more than the client ever allows
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{path}: no such file", 404) from error
