"""A central's directory: its keys, its database, its TUF repository, its policy."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.errors import SettingsError
from config.files import private_directory, write_atomic
from config.keys import load_private, load_public, public_pem, save_private
from sync.central.database import postgresql_url
from sync.central.issuers import Issuers
from sync.central.people_rows import current
from sync.central.policy_file import PolicyFile, read_policy
from sync.central.policy_source import read_source
from sync.central.publish import PublishError, Repository
from sync.central.statements import Statements
from sync.central.store import Store
from terminal.codes import key_id
from terminal.install import TrustBundle
from terminal.person import Person
from terminal.policy import Policy

DATABASE_VARIABLE = "CAMPUSGATE_DATABASE"
_PUBLISHED = "published"
_HOUR = "published-hour"
_FEW = 500  # people whose changes travel alone

POLICY_SAMPLE = """\
# The school's policy. Publish changes with: campusgate roster publish
pulse_seconds = 3.0             # how long a gate stays released
names = "masked"                # on a gate's screen: "masked" 张*, "family" 张, "hidden" or "full"

[code]
fresh_seconds = 60              # how long a personal code is good for
skew_seconds = 90               # how far a phone's clock may be off

[thermal]
fever = 37.3                    # degrees Celsius
at_fever = "deny"               # or "refer"
unavailable = "refer"           # when there is no temperature: "allow", "refer" or "deny"

[places.north-gate]
name_zh = "北门"
name_en = "North Gate"
admits = ["student", "staff", "worker", "visitor"]
accepts = ["personal", "card", "visitor"]
"""


class Site:
    """The central in `directory`; `url` is how terminals reach it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._keys = directory / "keys"
        self.issuers = Issuers(self._keys / "issuer.pem", directory / "issuers")
        self.statements = Statements(self._keys / "statement.pem")
        self.repository = Repository(directory / "tuf", self._keys)

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database: what the environment's CAMPUSGATE_DATABASE names, or `database`
        in central.json, or a file here. Raises: SettingsError, also without a central here."""
        settings = self.directory / "central.json"
        named = json.loads(self._read(settings.name)).get("database", "")
        return self._database_url(named, f"{settings}: database")

    @property
    def school(self) -> str:
        """The school's name, as it is printed on cards; "" when none was given. Raises: SettingsError."""
        return str(json.loads(self._read("central.json")).get("school", ""))

    def create(self, url: str, school: str = "", database: str = "") -> None:
        """Make a new central: keys, database, an empty repository, a sample policy.

        database: as `database_url` has it, "" for a file here. Raises: KeyFileError when there is one here
        already; SettingsError, DatabaseDown; OSError.
        """
        private_directory(self.directory)
        address = self._database_url(database, "database")
        if not (self._keys / "records.pem").exists():  # else one that does not answer leaves half a central
            Store(address).close()
        save_private(self._keys / "records.pem", X25519PrivateKey.generate())
        self.issuers.create()
        self.statements.create()
        write_atomic(self._keys / "operator.token", secrets.token_urlsafe(32).encode(), mode=0o600)
        self.repository.create()
        settings = {"url": url, "school": school} | ({"database": database} if database else {})
        write_atomic(self.directory / "central.json", json.dumps(settings).encode())
        write_atomic(self.directory / "policy.toml", POLICY_SAMPLE.encode())

    def record_key(self) -> X25519PrivateKey:
        """The key that opens records. Raises: KeyFileError."""
        return load_private(self._keys / "records.pem", X25519PrivateKey)

    def issuer_key(self) -> EllipticCurvePrivateKey:
        """The key that signs passes. Raises: KeyFileError."""
        return self.issuers.signing_key()

    def operator_token(self) -> str:
        """The bearer token that opens records over HTTP. Raises: SettingsError without a central here."""
        return self._read("keys/operator.token")

    def make_maintenance_key(self) -> Path:
        """Make the key that staff log in at terminals by, unless there is one; the private half's file.

        Raises: SettingsError without a central here; KeyFileError, OSError.
        """
        self._read("central.json")
        private = self._keys / "maintenance.pem"
        if not self._maintenance_public.exists():
            if not private.exists():
                save_private(private, Ed25519PrivateKey.generate())
            pem = public_pem(load_private(private, Ed25519PrivateKey).public_key())
            write_atomic(self._maintenance_public, pem.encode(), mode=0o600)
        return private

    def maintenance_key(self) -> str | None:
        """PEM of that key's public half, which alone must be here; None when there is none.

        Raises: KeyFileError.
        """
        if not self._maintenance_public.exists():
            return None
        return public_pem(load_public(self._maintenance_public, Ed25519PublicKey))

    @property
    def _maintenance_public(self) -> Path:
        return self._keys / "maintenance.pub.pem"

    def trust_bundle(self) -> TrustBundle:
        """What a new terminal is given. Raises: SettingsError, KeyFileError."""
        url = json.loads(self._read("central.json"))["url"]
        record_key = public_pem(self.record_key().public_key())
        return TrustBundle(url, self.repository.root, record_key, self.maintenance_key())

    def policy_file(self) -> PolicyFile:
        """policy.toml, and what is odd about it.

        Raises: SettingsError naming file, line, key and what is allowed.
        """
        self._read("policy.toml")
        return read_policy(self.directory / "policy.toml")

    def policy(self) -> Policy:
        """The policy of policy.toml. Raises: as `policy_file`."""
        return self.policy_file().policy

    def publish(self, store: Store) -> int:
        """Publish people and policy; the version. Raises: SettingsError, KeyFileError, OSError."""
        number, _ = store.roster.unpublished()
        policy = self.policy()
        people = (_current(one, policy) for one in store.people())
        self.statements.create()  # a central of an earlier version has none yet
        statement_keys = [self.statements.public_key()]
        issuers = self.issuers.published()
        version = self.repository.publish(people, policy, issuers, statement_keys, store.orders.documents)
        store.roster.published(number)
        store.set_note(_PUBLISHED, self._fingerprint())
        store.set_note(_HOUR, f"{datetime.now(UTC):%Y-%m-%dT%H}")
        return version

    def publish_changes(self, store: Store) -> int | None:
        """Publish if people, policy, issuers or orders changed, or an hour has passed; the version, or None.

        A few changed people travel alone; anything else is published in full, and so is every day's first.
        Every hour without news is signed too: terminals tell by it that they are not kept in the past.
        A policy that is wrong is not published, but whoever is suspended or isolated meanwhile travels all
        the same, and so do orders. Raises: as `publish`.
        """
        try:
            return self._publish_changes(store)
        except SettingsError:
            number, subjects = store.roster.unpublished()
            if len(subjects) <= _FEW and (subjects or not self._orders_published(store)):
                with contextlib.suppress(PublishError):
                    self._send_recent(store, number, subjects, None)
            raise

    def _publish_changes(self, store: Store) -> int | None:
        number, subjects = store.roster.unpublished()
        if store.note(_PUBLISHED) != self._fingerprint() or len(subjects) > _FEW:
            return self.publish(store)
        hour = f"{datetime.now(UTC):%Y-%m-%dT%H}"
        if not subjects and store.note(_HOUR) == hour and self._orders_published(store):
            return None
        try:
            version = self._send_recent(store, number, subjects, self.policy())
        except PublishError:
            return self.publish(store)  # too many by now, or the key for recent changes is new
        store.set_note(_HOUR, hour)
        return version

    def publish_orders(self, store: Store) -> int:
        """Publish commands and device settings at once, and nothing else if that can be; the version.

        Raises: as `publish`.
        """
        try:
            return self.repository.publish_recent(orders=store.orders.documents)
        except PublishError:
            return self.publish(store)  # nothing is published yet, or the key for recent changes is new

    def _orders_published(self, store: Store) -> bool:
        return self.repository.has_orders(store.orders.documents())

    def _send_recent(self, store: Store, number: int, subjects: list[str], policy: Policy | None) -> int:
        known = {subject: store.person(subject) for subject in subjects}
        version = self.repository.publish_recent(
            [_current(person, policy) for person in known.values() if person],
            [subject for subject, person in known.items() if person is None],
            store.orders.documents,
        )
        store.roster.published(number)
        return version

    def _database_url(self, named: str, source: str) -> str:
        if DATABASE_VARIABLE in os.environ:
            return postgresql_url(os.environ[DATABASE_VARIABLE], DATABASE_VARIABLE)
        return postgresql_url(named, source) if named else f"sqlite:///{self.directory / 'central.db'}"

    def _fingerprint(self) -> str:
        """What a full publication holds besides people; and the day, since metadata expires."""
        issuers = [key_id(key) for key in self.issuers.published()]
        self._read("policy.toml")
        policy = read_source(self.directory / "policy.toml").texts
        parts = [*policy, *issuers, f"{datetime.now(UTC):%Y-%m-%d}"]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _read(self, name: str) -> str:
        try:
            return (self.directory / name).read_text("utf-8")
        except OSError as error:
            raise SettingsError(
                [f"{self.directory / name}: cannot be read; make a central with `campusgate central init`"]
            ) from error


def _current(person: Person, policy: Policy | None) -> Person:
    """`person` as terminals need them today; without a policy, nobody knows which day it is there."""
    now = time.time()
    return current(person, now=now, today=policy.calendar.date_of(int(now)) if policy else "")
