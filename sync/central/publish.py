"""Publishing roster and policy as a TUF repository that any static file server can serve.

The order of writing makes a half-finished publication invisible: targets, then versioned metadata, then
timestamp.json, the only file that is ever replaced. Killed at any moment, the version before is whole, and
the next publication finds what was left and goes on.

`publish` signs everything anew where it has changed; `publish_recent` only the overlay of recent changes,
which the next `publish` folds in. Orders for terminals lie beside that overlay and outlast both. Every
publication, even of nothing new, signs the hour: terminals tell by it that they are not being kept in the
past.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from config.errors import KeyFileError
from config.files import private_directory, write_atomic
from sync.central import shards
from sync.central.next_root import NextRoot
from sync.central.published import Version, current, files_of, orders_of, recent_lines
from sync.central.roles import RECENT_ROLE, TOP_ROLES, PublishError, RoleKeys
from terminal.codes import compressed
from terminal.person import SUBJECT, Person
from terminal.policy import Policy
from terminal.roster_layout import (
    INDEX,
    MANIFEST,
    MAX_SMALL,
    POLICY,
    PUBLISHED_AT,
    RECENT,
    gone_line,
    orders_target,
)

_EXPIRES = {"root": 365, "targets": 90, "snapshot": 30, "timestamp": 30, "recent": 30}  # days
Orders = Callable[[], Mapping[str, bytes]]
"""The documents of orders by terminal; read under the lock, like people, so that none is missed."""
_DIRECTORIES = ("metadata", "targets/people", "targets/recent")


class Repository:
    """The TUF repository in `directory`, signed with the role keys in `keys`; one process writes at a time.

    shard_people: at most about so many people in a shard.
    """

    def __init__(self, directory: Path, keys: Path, shard_people: int = shards.SHARD_PEOPLE) -> None:
        self.directory, self.keys = directory, RoleKeys(keys)
        self._private, self._shard_people = keys, shard_people
        self._metadata = directory / "metadata"
        self.next_root = NextRoot(self._metadata, keys)

    @property
    def root(self) -> bytes:
        """The first root.json: what a new terminal is given to trust. Raises: OSError before `create`."""
        return (self._metadata / "1.root.json").read_bytes()

    def create(self) -> None:
        """Make the role keys and the root of trust. Raises: KeyFileError when there are keys already."""
        private_directory(self._private)
        if self.keys.here("root") or (self._metadata / "1.root.json").exists():
            raise KeyFileError(f"{self._private}: there is a root of trust here already")
        for name in _DIRECTORIES:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        root = Root(version=1, expires=_expiry("root"), consistent_snapshot=True)
        for role in TOP_ROLES:
            root.add_key(self.keys.make(role), role)
        self.keys.make(RECENT_ROLE)
        data = self.keys.sign("root", Metadata(root), root.roles["root"].keyids)
        write_atomic(self._metadata / "1.root.json", data)

    def publish(
        self,
        people: Iterable[Person],
        policy: Policy,
        issuers: Sequence[EllipticCurvePublicKey],
        statement_keys: Sequence[Ed25519PublicKey] = (),
        orders: Orders | None = None,
    ) -> int:
        """Publish everything, fold the recent changes in, sweep; the version. Raises: OSError, KeyFileError.

        `people` is read under the lock: as an iterator it cannot miss a change published meanwhile.
        orders: for all terminals that there are any for; None leaves them as they are.
        """
        with self._locked():
            before = current(self.directory)
            contents = shards.split(people, self._shard_people)
            manifest = {
                "bits": contents.bits,
                "people": contents.people,
                "issuers": [compressed(issuer).hex() for issuer in issuers],
                "statement_keys": [key.public_bytes_raw().hex() for key in statement_keys],
            }
            shards.write_shards(self.directory, contents)
            targets = Targets(version=1, expires=_expiry("targets"), delegations=self._delegations())
            for path, data in (
                (MANIFEST, json.dumps(manifest).encode()),
                (POLICY, policy.model_dump_json(by_alias=True).encode()),
                (INDEX, contents.index.data),
            ):
                targets.targets[path] = shards.write_target(self.directory, path, data)
            recent = Targets(version=1, expires=_expiry(RECENT_ROLE))
            recent.targets |= self._orders(before, orders)
            version = self._commit(before, targets, recent)
            if now := current(self.directory):
                shards.sweep(self.directory, files_of(self.directory, now), shards.GRACE)
            return version

    def publish_recent(
        self,
        changed: Iterable[Person] = (),
        removed: Iterable[str] = (),
        orders: Orders | None = None,
    ) -> int:
        """Publish changes on top of the last full publication and of earlier such changes; the version.

        orders: as in `publish`. Costs a terminal a few kilobytes.
        Raises: PublishError when it cannot be; OSError, KeyFileError.
        """
        with self._locked():
            before = current(self.directory)
            if before is None:
                raise PublishError("nothing is published yet; publish in full first")
            delegations = before.targets.delegations
            if delegations is None or not delegations.keys.keys() & self.keys.here(RECENT_ROLE).keys():
                raise PublishError("the key for recent changes is new; publish in full first")
            lines = recent_lines(self.directory, before)
            lines |= {person.subject: person.to_line() for person in changed}
            for subject in removed:
                if not SUBJECT.fullmatch(subject):
                    raise PublishError(f"{subject!r} is no person's number")
                lines[subject] = gone_line(subject)
            data = b"".join(lines[subject] + b"\n" for subject in sorted(lines))
            if len(data) > MAX_SMALL:
                raise PublishError(f"{len(lines)} recent changes are too many; publish in full")
            recent = Targets(version=1, expires=_expiry(RECENT_ROLE))
            if data:
                recent.targets[RECENT] = shards.write_target(self.directory, RECENT, data)
            recent.targets |= self._orders(before, orders)
            return self._commit(before, None, recent)

    def has_orders(self, documents: Mapping[str, bytes]) -> bool:
        """Whether exactly these documents of orders are published. Raises: OSError."""
        now = current(self.directory)
        published = orders_of(now.recent) if now else {}
        wanted = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in _by_path(documents)}
        return published == wanted

    def renew_recent_key(self) -> None:
        """Make a new key for recent changes and forget the old; the next `publish` makes it the one."""
        with self._locked():
            self.keys.drop(RECENT_ROLE, but=[self.keys.make(RECENT_ROLE).keyid])

    def adopt_root(self) -> int:
        """Put the next root in force, its signatures being complete; its version. Raises: PublishError.

        First everything is signed by old and new keys together, so that no terminal, whichever root it
        has, ever meets metadata that it cannot verify.
        """
        with self._locked():
            staged = self.next_root.complete()
            before = current(self.directory)
            if before:
                self._commit(before, before.targets, before.recent, force=True)
            write_atomic(self._metadata / f"{staged.signed.version}.root.json", staged.to_bytes())
            self.next_root.discard()
            return staged.signed.version

    def _orders(self, before: Version | None, orders: Orders | None) -> dict[str, TargetFile]:
        if orders is None:
            return orders_of(before.recent) if before else {}
        return {path: shards.write_target(self.directory, path, data) for path, data in _by_path(orders())}

    # --- Signing

    def _commit(
        self, before: Version | None, targets: Targets | None, recent: Targets, *, force: bool = False
    ) -> int:
        """Sign and write what differs from `before`, then the timestamp; its version."""
        meta = dict(before.snapshot.meta) if before else {}
        if targets is not None:
            self._advance("targets", before.targets if before else None, targets, meta, force)
        renewed = bool(before and targets and before.targets.delegations != targets.delegations)
        self._advance(RECENT_ROLE, before.recent if before else None, recent, meta, renewed)
        snapshot = Snapshot(version=1, expires=_expiry("snapshot"), meta=meta)
        old = before.snapshot if before else None
        kept = {"snapshot.json": before.timestamp.snapshot_meta} if before else {}
        self._advance("snapshot", old, snapshot, kept, force)
        timestamp = Timestamp(
            version=before.timestamp.version + 1 if before else 1,
            expires=_expiry("timestamp"),
            snapshot_meta=kept["snapshot.json"],
            unrecognized_fields={PUBLISHED_AT: datetime.now(UTC).isoformat(timespec="seconds")},
        )
        data = self._sign("timestamp", Metadata(timestamp))
        if before:
            after = Version(timestamp, snapshot, targets or before.targets, recent)
            people = before.targets.targets.get(INDEX) != after.targets.targets.get(INDEX)
            shards.supersede(
                files_of(self.directory, before, people) - files_of(self.directory, after, people)
            )
        os.sync()  # one for thousands of files: they are on disk before anything points at them
        write_atomic(self._metadata / "timestamp.json", data)
        return timestamp.version

    def _advance(self, role: str, old: Any, new: Any, meta: dict[str, MetaFile], force: bool) -> None:
        """Give `new` its version and write it, unless `old` says the same and is good for long enough."""
        fields = ("targets", "delegations") if isinstance(new, Targets) else ("meta",)
        same = old is not None and all(getattr(old, field) == getattr(new, field) for field in fields)
        fresh = old is not None and old.expires - datetime.now(UTC) > timedelta(days=_EXPIRES[role] / 2)
        if same and fresh and not force:
            new.version = old.version
            return
        new.version = old.version + 1 if old else 1
        data = self._sign(role, Metadata(new))
        shards.write_new(self._metadata / f"{new.version}.{role}.json", data)
        meta[f"{role}.json"] = MetaFile.from_data(new.version, data, ["sha256"])

    def _sign(self, role: str, metadata: Metadata[Any]) -> bytes:
        if role == RECENT_ROLE:
            return self.keys.sign(role, metadata, self.keys.here(role))
        roots = [self.next_root.current(), self.next_root.staged()]
        keyids = [keyid for root in roots if root for keyid in root.signed.roles[role].keyids]
        return self.keys.sign(role, metadata, keyids)

    def _delegations(self) -> Delegations:
        keys: dict[str, Key] = {
            keyid: signer.public_key for keyid, signer in self.keys.here(RECENT_ROLE).items()
        }
        role = DelegatedRole(RECENT_ROLE, sorted(keys), 1, True, paths=[f"{RECENT_ROLE}/*"])
        return Delegations(keys, {RECENT_ROLE: role})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._private / "tuf.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _by_path(documents: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    return ((orders_target(device), data) for device, data in documents.items())


def _expiry(role: str) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=_EXPIRES[role])
