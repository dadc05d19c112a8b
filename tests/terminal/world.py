"""The real things that the tests of the terminal are made of: a small published town, and one gate in it."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import base45
import cbor2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cwt import COSE, COSEKey
from gpiozero.pins.mock import MockFactory, MockPin

from config.settings import RelaySettings
from hw.clock import Moment
from hw.frame import Frame
from hw.relay import Relay
from hw.thermal import Reading, judged
from sync.central.mint import pass_code, personal_code
from sync.central.publish import Repository
from terminal.codes import PREFIX, Code, CodeKind, PassKind, compressed
from terminal.cose import ES256
from terminal.decision import Decision
from terminal.events import FIRST_DIGEST, Event
from terminal.gate import Answer, Gate
from terminal.journal import Journal, JournalReader, Memo
from terminal.memory import memos
from terminal.person import Person, PersonKind, Status
from terminal.policy import Place, Policy
from terminal.portal import Portal
from terminal.reasons import Reason, Verdict
from terminal.records import Record, unseal
from terminal.roster import Roster
from terminal.roster_shelf import RosterShelf
from terminal.scanner import Sighting
from tests.sim.campus import private_key

NOW = datetime.now(UTC).replace(microsecond=0)
DEVICE = "north-gate-1"
STATE_KEY = bytes(range(32))
PIN = 17
RECORD_KEY = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
_RNG = random.Random(20)
PHONES = {subject: private_key(_RNG) for subject in ("S1", "S10", "T1", "W1", "X1", "V1", "P2")}
SPARE_PHONE, ISSUER, STRANGER = (private_key(_RNG) for _ in range(3))
TRICK = '{"sub":"S1","name":"x"}\n{"sub":"S1",'
_OUTLINE = np.zeros((8, 8), np.uint8)


def _person(subject: str, name: str, kind: PersonKind, status: Status = Status.ACTIVE) -> Person:
    keys = [compressed(PHONES[subject].public_key())] if subject in PHONES else []
    if subject == "P2":
        keys.insert(0, compressed(SPARE_PHONE.public_key()))
    return Person(subject, name, kind, status, tuple(keys))


NAMED = (
    _person("S1", "张伟", PersonKind.STUDENT),
    _person("S10", "李娜", PersonKind.STUDENT),
    _person("S", "王芳", PersonKind.STUDENT),
    _person("S1.", "刘洋", PersonKind.STUDENT),
    _person("J1", TRICK, PersonKind.STUDENT),
    _person("T1", "Anna Novak", PersonKind.STAFF),
    _person("W1", "赵强", PersonKind.WORKER),
    _person("X1", "陈静", PersonKind.STUDENT, Status.SUSPENDED),
    _person("V1", "孙丽", PersonKind.VISITOR),
    _person("P2", "周明", PersonKind.STUDENT),
)
CROWD = tuple(Person(f"S2024{number:04d}", f"学生{number}", PersonKind.STUDENT) for number in range(290))
PEOPLE = {person.subject: person for person in (*NAMED, *CROWD)}
POLICY = Policy(
    places={
        "north-gate": Place(name_zh="北门", name_en="North Gate"),
        "library": Place(
            name_zh="图书馆", name_en="Library", admits=(PersonKind.STUDENT,), accepts=("personal", "card")
        ),
        "annex": Place(name_zh="副楼", name_en="Annex", accepts=("card",), thermal=False),
    }
)


@dataclass(frozen=True, slots=True)
class Town:
    """A published repository. A test that changes files takes a copy."""

    directory: Path

    @property
    def mirror(self) -> Path:
        return self.directory / "tuf"

    @property
    def repository(self) -> Repository:
        return Repository(self.mirror, self.directory / "keys")

    @property
    def root(self) -> bytes:
        return self.repository.root

    def copy(self, directory: Path) -> Town:
        shutil.copytree(self.directory, directory)
        return Town(directory)

    def open(self, trust: Path) -> Roster:
        return Roster(self.mirror, trust, self.root)

    def publish(self, *people: Person, policy: Policy = POLICY) -> int:
        everyone = PEOPLE | {person.subject: person for person in people}
        return self.repository.publish(everyone.values(), policy, [ISSUER.public_key()])


def found_town(directory: Path) -> Town:
    """A new town with one published version."""
    town = Town(directory)
    town.repository.create()
    town.publish()
    return town


@dataclass
class SetClock:
    """A clock that a test sets."""

    wall: datetime = NOW
    trusted: bool = True

    def now(self) -> Moment:
        return Moment(self.wall, time.monotonic(), self.trusted)


@dataclass
class SetThermal:
    """A sensor whose reading a test sets."""

    reading: Reading = field(default_factory=lambda: judged(365, time.monotonic()))

    def read(self) -> Reading:
        return self.reading

    def close(self) -> None:
        """Nothing is held."""


def relay_on(factory: MockFactory, **changes: Any) -> Relay:
    """A relay on the mock pins of `factory`."""
    return Relay(RelaySettings.model_validate({"pin": PIN, **changes}), factory)


def level(factory: MockFactory) -> int:
    """The electrical level of the relay's pin."""
    pin: MockPin = factory.pin(PIN)
    return int(pin.state)


def open_journal(path: Path, kind: type[Journal] = Journal) -> Journal:
    """The journal at `path`."""
    return kind(path, device=DEVICE, central_key=RECORD_KEY.public_key(), state_key=STATE_KEY)


def scan_record(number: int = 1, **changes: Any) -> Record:
    """A record of one allowed scan."""
    fields: dict[str, Any] = {
        "identity": f"scan-{number}",
        "happened_at": NOW,
        "clock_trusted": True,
        "place": "north-gate",
        "decision": Decision(Verdict.ALLOW, (Reason.OK,)),
        "claimed_subject": "S1",
    }
    return Record(**(fields | changes))


def accepted(issued_at: int) -> list[Memo]:
    """What a journal is told to remember when a personal code of that time was accepted."""
    terms = Decision(Verdict.ALLOW, (Reason.OK,))
    return list(memos(terms, Code(CodeKind.PERSONAL, "S1", "d", issued_at=issued_at), NOW))


def chained(events: list[Event]) -> bool:
    """Whether the events are numbered from 1 without gaps, each carrying the digest of the one before."""
    previous = FIRST_DIGEST
    for number, event in enumerate(events, 1):
        if event.sequence != number or event.previous != previous:
            return False
        previous = event.digest
    return True


def contiguous(events: list[Event], through: int = 0) -> bool:
    """Whether each event follows on the one before; up to `through` some may be missing."""
    follows = [
        (after.first, after.previous) == (one.sequence + 1, one.chained) or after.first - 1 <= through
        for one, after in pairwise(events)
    ]
    return all(follows)


class Rig:
    """One gate of the town: everything real but the pins, the clock and the thermal sensor."""

    def __init__(
        self, town: Town, directory: Path, *, place: str = "north-gate", journal: type = Journal
    ) -> None:
        self.town, self.directory, self.place, self._journal_kind = town, directory, place, journal
        self.clock, self.thermal = SetClock(), SetThermal()
        self.factory = MockFactory()
        self.portal = Portal(relay_on(self.factory))
        self.shelf = RosterShelf(town.mirror, directory / "trust", town.root, DEVICE)
        self.shelf.refresh()
        self.start()

    def start(self) -> None:
        """Open journal and gate, as a terminal's start does."""
        self.journal = open_journal(self.directory / "journal.db", self._journal_kind)
        self.gate = Gate(
            place=self.place,
            shelf=self.shelf,
            journal=self.journal,
            portal=self.portal,
            thermal=self.thermal,
            clock=self.clock,
        )

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def show(self, text: str) -> Answer:
        """Hold `text` up to the gate."""
        return self.gate.handle(sighting(text))

    def records(self) -> list[dict[str, Any]]:
        """All records, opened with central's key."""
        reader = JournalReader(self.directory / "journal.db")
        return [unseal(event, RECORD_KEY) for event in reader.after(0, records=10_000, size=10**8)]

    def close(self) -> None:
        self.journal.close()
        self.portal.close()


@contextmanager
def rig_at(place: str, town: Town, directory: Path, journal: type[Journal] = Journal) -> Iterator[Rig]:
    rig = Rig(town, directory, place=place, journal=journal)
    yield rig
    rig.close()


def assert_refused(
    rig: Rig, text: str, reason: Reason, verdict: Verdict = Verdict.DENY, subject: str = ""
) -> None:
    """Hold up `text`: refused for `reason`, recorded as such, the gate still, and the next person let in."""
    before = len(rig.records())
    answer = rig.show(text)
    assert (answer.decision.verdict, answer.decision.reasons) == (verdict, (reason,))
    assert answer.entry is not None
    assert level(rig.factory) == 0
    assert rig.portal.opened == 0
    records = rig.records()
    assert len(records) == before + 1
    assert (records[-1]["verdict"], records[-1]["reasons"]) == (str(verdict), [str(reason)])
    assert records[-1]["subject"] == subject


def sighting(text: str, at: float | None = None) -> Sighting:
    """`text` as the scanner gives it."""
    frame = Frame(_OUTLINE, time.monotonic() if at is None else at, 0)
    return Sighting(text=text, frame=frame, centre=(4.0, 4.0), size=4.0)


def code_of(subject: str, *, age: float = 0, key: EllipticCurvePrivateKey | None = None) -> str:
    """The personal code of `subject`, `age` seconds old."""
    issued_at = int((NOW - timedelta(seconds=age)).timestamp())
    return personal_code(key or PHONES[subject], subject, issued_at)


def pass_of(subject: str, kind: PassKind = PassKind.VISITOR, **changes: Any) -> str:
    """A pass from the town's issuer, good for an hour either way."""
    now = int(NOW.timestamp())
    terms: dict[str, Any] = {"not_before": now - 3600, "expires_at": now + 3600} | changes
    return pass_code(terms.pop("key", ISSUER), subject, kind, **terms)


def text_of(token: bytes) -> str:
    """`token` as a code's text."""
    return PREFIX + base45.b45encode(token).decode()


def token_of(text: str) -> bytes:
    """The token in a code's text."""
    return bytes(base45.b45decode(text.removeprefix(PREFIX)))


def cose(claims: Any, header: Any = None, unprotected: Any = None, signature: Any = b"s" * 64) -> bytes:
    """A hand-made COSE_Sign1: what is not encoded yet is encoded, and nothing is signed."""
    protected = header if isinstance(header, bytes) else cbor2.dumps({1: ES256} if header is None else header)
    payload = claims if isinstance(claims, bytes) else cbor2.dumps(claims)
    return cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected or {}, payload, signature]))


def signed(key: EllipticCurvePrivateKey, claims: Any, header: Any = None) -> str:
    """Any claims as a code that `key` really signed."""
    cose_key = COSEKey.from_pem(private_pem(key), alg="ES256")
    return text_of(COSE.new().encode(cbor2.dumps(claims), cose_key, protected=header or {1: ES256}))


def private_pem(key: EllipticCurvePrivateKey) -> str:
    """`key` as PEM text."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
