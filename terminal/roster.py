"""The roster: people, issuers and policy, verified against signed metadata at every single lookup.

On disk lies a mirror of a TUF repository (consistent snapshots, so every file but timestamp.json is
immutable); the sync daemon writes it, the terminal only reads. Opening it runs python-tuf's own client over
the mirror, from the root of trust that provisioning put in place, and keeps the client's trusted state in a
directory of the terminal's own, which is what stops a rollback, over reboots too. No step uses a network or
trusts a file because of where it lies. ROSTER.md says why it is laid out as roster_layout.py has it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from config.files import sync_directory
from terminal import roster_layout as layout
from terminal.orders import MAX_ORDERS
from terminal.person import SUBJECT, Person, find_line
from terminal.policy import Policy
from terminal.reasons import Reason
from terminal.roster_layout import INDEX, MANIFEST, MAX_SHARD, MAX_SMALL, POLICY, RECENT, Index, Manifest
from terminal.roster_refused import RosterRefused, refusal

_ROLES = ("root", "timestamp", "snapshot", "targets", layout.RECENT_ROLE)
_MOST_METADATA = UpdaterConfig().targets_max_length  # bytes


class Roster:
    """One verified version of the roster.

    mirror: the TUF mirror's directory. trust: the terminal's own directory for what it has trusted before.
    root: bytes of the first root.json, from provisioning. device: whose orders `orders` gives.
    Raises: RosterRefused with the reason.
    """

    def __init__(self, mirror: Path, trust: Path, root: bytes, device: str = "") -> None:
        if not (mirror / "metadata" / "timestamp.json").exists():
            raise RosterRefused(Reason.ROSTER_MISSING, f"{mirror}: nothing downloaded yet; is sync running?")
        self._mirror = mirror
        self._held: dict[str, tuple[Path, bytes]] = {}
        base = (mirror / "metadata").absolute().as_uri()
        try:
            trust.mkdir(parents=True, exist_ok=True)
            fetcher = _MirrorFetcher(_newest_root(mirror, trust))
            client = Updater(str(trust), base, fetcher=fetcher, bootstrap=root)
            client.refresh()
            self._manifest = Manifest.parse(self._take(client, MANIFEST))
            bits = self._manifest.bits
            self._index = Index(self._take(client, INDEX, 36 << bits), bits)
            self._recent = RECENT if self._take(client, RECENT, optional=True) else ""
            self._orders = client.get_targetinfo(layout.orders_target(device)) if device else None
            self._take(client, POLICY)
            self._policy_of = b""
            self._policy: Policy | None = None
            self.policy()
            signed = Metadata[Timestamp].from_file(str(trust / "timestamp.json")).signed
            self.version = signed.version
            published_at = datetime.fromisoformat(signed.unrecognized_fields[layout.PUBLISHED_AT])
            self.published_at = published_at.astimezone(UTC)
            """When central last spoke (UTC): it signs the hour even when nothing else has changed."""
            files = [trust / f"{role}.json" for role in _ROLES]
            self.expires_at = min(
                Metadata.from_file(str(file)).signed.expires for file in files if file.exists()
            )
            _make_durable(trust)
        except (RepositoryError, DownloadError, OSError, ValueError, KeyError, TypeError) as error:
            raise refusal(error, mirror, trust) from error

    @property
    def people(self) -> int:
        """How many people the shards hold; the overlay may add some or take some away."""
        return self._manifest.people

    def check_expiry(self, now: datetime) -> None:
        """Raises: RosterRefused when the signed metadata has expired at `now` (aware)."""
        if now >= self.expires_at:
            raise RosterRefused(Reason.ROSTER_EXPIRED, f"expired {self.expires_at:%Y-%m-%d %H:%M} UTC")

    def person(self, subject: str) -> Person | None:
        """The person with the number `subject`, or None.

        Raises: RosterRefused when what would answer that is missing or was altered.
        """
        if not SUBJECT.fullmatch(subject):
            return None
        line = find_line(self._whole(self._recent), subject) if self._recent else None
        if line is None:
            number = layout.shard_number(subject, self._manifest.bits)
            line = find_line(self._shard(number), subject)
        try:
            return Person.from_line(line) if line and not layout.is_gone(line) else None
        except ValueError as error:
            raise RosterRefused(Reason.ROSTER_ALTERED, str(error)) from error

    def issuer(self, issuer_key_id: str) -> EllipticCurvePublicKey | None:
        """The issuer's key with that id, or None. Raises: RosterRefused when the manifest was altered."""
        self._whole(MANIFEST)
        return self._manifest.issuers.get(issuer_key_id)

    def statement_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys of central's statements. Raises: RosterRefused when the manifest was altered."""
        self._whole(MANIFEST)
        return self._manifest.statement_keys

    def policy(self) -> Policy:
        """The policy, read and verified now. Raises: RosterRefused when it is missing, altered or invalid."""
        data = self._whole(POLICY)
        if self._policy is None or data != self._policy_of:
            try:
                self._policy, self._policy_of = Policy.model_validate_json(data), data
            except ValidationError as error:
                raise RosterRefused(Reason.POLICY_MISSING, f"{POLICY}: {error}") from error
        return self._policy

    def orders(self) -> bytes:
        """The document of central's orders for `device`, read and verified now; b"" when there is none.

        It is not needed to let people in, so nothing else suffers when it is refused.
        Raises: RosterRefused when it is missing, altered or too large.
        """
        info = self._orders
        if info is None:
            return b""
        if info.length > MAX_ORDERS:
            raise RosterRefused(
                Reason.ROSTER_OVERSIZE, f"{info.path}: {info.length} bytes; {MAX_ORDERS} are allowed"
            )
        data = _read_or_refuse(layout.target_file(self._mirror, info), info.length + 1)
        try:
            info.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{info.path}: is not what was signed") from error
        return data

    def _take(self, client: Updater, path: str, limit: int = MAX_SMALL, *, optional: bool = False) -> bytes:
        """Read the target `path`, verify it by TUF's signed digest, and hold it for `_whole`."""
        info = client.get_targetinfo(path)
        if info is None:
            if optional:
                return b""
            raise RosterRefused(Reason.ROSTER_MISSING, f"{path}: is not in the signed list of targets")
        if info.length > limit:
            raise RosterRefused(Reason.ROSTER_OVERSIZE, f"{path}: {info.length} bytes; {limit} are allowed")
        file = layout.target_file(self._mirror, info)
        data = _read(file, info.length + 1)
        info.verify_length_and_hashes(data)
        self._held[path] = (file, data)
        return data

    def _whole(self, path: str) -> bytes:
        """The small target `path`, if the disk still has it as it was verified.

        The verified bytes are held, so the file need not be hashed again: equality says more, and sooner.
        """
        file, verified = self._held[path]
        if _read_or_refuse(file, len(verified) + 1) != verified:
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{file}: is not what was signed")
        return verified

    def _shard(self, number: int) -> bytes:
        """The shard `number`, verified now, and its entry in the index too."""
        start, entry = self._index.entry(number)
        if _read_or_refuse(self._held[INDEX][0], len(entry), start) != entry:
            raise RosterRefused(Reason.ROSTER_ALTERED, f"{INDEX}: the entry of shard {number} was altered")
        shard = self._index.shard(number)
        if shard.length > MAX_SHARD:
            raise RosterRefused(Reason.ROSTER_OVERSIZE, f"{shard.name}: {shard.length} bytes")
        data = _read_or_refuse(layout.shard_file(self._mirror, shard), shard.length + 1)
        digest = hashlib.sha256(data).digest()
        if len(data) != shard.length or digest != shard.digest:
            swapped = self._index.has(digest)
            reason = Reason.ROSTER_SWAPPED if swapped else Reason.ROSTER_ALTERED
            raise RosterRefused(reason, f"{shard.name}: is not what was signed")
        return data


def _read(file: Path, most: int, start: int = 0) -> bytes:
    """At most `most` bytes from `start`. A pipe or a device in the file's place neither hangs nor floods."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, most, start)
    finally:
        os.close(descriptor)


def _read_or_refuse(file: Path, most: int, start: int = 0) -> bytes:
    try:
        return _read(file, most, start)
    except OSError as error:
        raise RosterRefused(Reason.ROSTER_MISSING, f"{file}: {error.strerror}") from error


def _make_durable(trust: Path) -> None:
    """What was trusted must outlast a power cut: it is what an older roster is measured against."""
    for name in ("timestamp.json", "snapshot.json"):
        descriptor = os.open(trust / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_directory(trust)


def _newest_root(mirror: Path, trust: Path) -> int | None:
    """The newest root that belongs to what is on `mirror`; None when any may.

    A new root can lie there before the timestamp that goes with it, when the download was cut off between
    the two, and would not verify the one before. So while that one is what was trusted already, its root
    stays too. Whoever could abuse that could as well take the new root away.
    """
    try:
        timestamp = _read(trust / "timestamp.json", _MOST_METADATA)
        if timestamp != _read(mirror / "metadata" / "timestamp.json", _MOST_METADATA):
            return None
        return Metadata[Root].from_bytes(_read(trust / "root.json", _MOST_METADATA)).signed.version
    except (OSError, RepositoryError):  # nothing is trusted yet, or it was harmed
        return None


class _MirrorFetcher(FetcherInterface):
    """Gives python-tuf's client the mirror's files as if they were a server's, roots up to `newest_root`."""

    def __init__(self, newest_root: int | None) -> None:
        self._newest_root = newest_root

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(unquote(urlsplit(url).path))
        version, _, name = path.name.partition(".")
        if name == "root.json" and self._newest_root is not None and int(version) > self._newest_root:
            raise DownloadHTTPError(f"{path}: belongs to a download that was cut off", 404)
        try:
            return iter([_read(path, _MOST_METADATA + 1)])  # one more than the client ever allows
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{path}: no such file", 404) from error
