"""Records: what happened at the gate, sealed as it is written so that a stolen terminal tells nothing.

A record on disk and on the wire is a CloudEvents 1.0 JSON event in canonical form (RFC 8785). Its data is
sealed with HPKE (RFC 9180, base mode; DHKEM X25519, HKDF-SHA256, AES-128-GCM) to central's key; `info` binds
it to device and sequence, so a sealed record cannot be passed off as another. Each event carries the SHA-256
digest of the one before.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from config.errors import CampusgateError
from hw.thermal import Reading, degrees
from terminal.codes import Code, CodeKind
from terminal.decision import Decision
from terminal.declaration import Declaration
from terminal.findings import Violation

SCAN = "campusgate.scan.v1"
VIOLATION = "campusgate.violation.v1"
TYPES = frozenset({SCAN, VIOLATION})
FIRST_DIGEST = "0" * 64
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


class RecordError(CampusgateError, ValueError):
    """Raised when an event is malformed or its data cannot be opened."""


@dataclass(frozen=True, slots=True)
class Record:
    """One scan or manual registration and its outcome. identity: unique for it. happened_at: aware, UTC.

    claimed_subject: whom the code named; verified only if `code` is there or an attendant vouched.
    central_well: whether central had the person declared well that day. attendant: who registered the
    person by hand, "" for a scan.
    """

    type: ClassVar[str] = SCAN

    identity: str
    happened_at: datetime
    clock_trusted: bool
    place: str
    decision: Decision
    claimed_subject: str = ""
    code: Code | None = None
    reading: Reading | None = None
    central_well: bool | None = None
    attendant: str = ""

    @property
    def skew(self) -> int | None:
        """Issue time of a personal code minus the terminal's time, seconds; None when nothing is to compare.

        A phone that shows a code for a while makes it up to so much less than its clock is off.
        """
        if self.code is None or self.code.kind is not CodeKind.PERSONAL or not self.clock_trusted:
            return None
        return (self.code.issued_at or 0) - int(self.happened_at.timestamp())

    def to_document(self) -> dict[str, Any]:
        """The record as the JSON object that is sealed. Temperatures are degrees Celsius as "36.5" (R18)."""
        document: dict[str, Any] = {
            "record": self.identity,
            "place": self.place,
            "verdict": str(self.decision.verdict),
            "reasons": [str(reason) for reason in self.decision.reasons],
            "notices": [str(notice) for notice in self.decision.notices],
            "subject": self.claimed_subject,
        }
        if self.code:
            document["code"] = {"kind": str(self.code.kind), "digest": self.code.digest}
            if self.code.issued_at is not None:
                document["code"]["issued_at"] = self.code.issued_at
            if self.skew is not None:
                document["code"]["skew"] = self.skew
            if self.code.audience:
                document["code"]["audience"] = self.code.audience
        if self.code and self.code.declaration:
            document["declared"] = [_declared(self.code.declaration)]
        if self.central_well is not None:
            document.setdefault("declared", []).append({"source": "central", "well": self.central_well})
        if self.reading:
            document["thermal"] = _thermal(self.reading)
        if self.decision.marks:
            document["marks"] = [
                {"kind": str(mark.kind), "name": mark.name, "late_minutes": mark.late}
                for mark in self.decision.marks
            ]
        if self.attendant:
            document["attendant"] = self.attendant
        return document


@dataclass(frozen=True, slots=True)
class ViolationRecord:
    """One violation (R33) and its evidence. scan: the identity of the record it was seen in, "" for none."""

    type: ClassVar[str] = VIOLATION

    identity: str
    happened_at: datetime
    clock_trusted: bool
    place: str
    violation: Violation
    claimed_subject: str = ""
    scan: str = ""

    def to_document(self) -> dict[str, Any]:
        """The record as the JSON object that is sealed."""
        return {
            "record": self.identity,
            "place": self.place,
            "violation": str(self.violation.kind),
            "evidence": dict(self.violation.evidence),
            "subject": self.claimed_subject,
            "scan": self.scan,
        }


AnyRecord = Record | ViolationRecord


def _declared(declaration: Declaration) -> dict[str, Any]:
    return {
        "source": "code",
        "celsius": degrees(declaration.decidegrees),
        "symptoms": declaration.symptom_names,
        "contact": declaration.contact,
    }


def _thermal(reading: Reading) -> dict[str, Any]:
    """What the sensor said, and how it came to it; what it does not know is left out."""
    document: dict[str, Any] = {"state": str(reading.state), "celsius": reading.celsius}
    details: dict[str, Any] = {
        "surface": degrees(reading.surface),
        "ambient": degrees(reading.ambient),
        "samples": reading.samples,
        "seconds": round(reading.seconds, 1),
        "distance_mm": reading.distance_mm,
        "area": None if reading.area is None else round(reading.area, 2),
    }
    return document | {name: value for name, value in details.items() if value}


@dataclass(frozen=True, slots=True)
class Event:
    """A sealed record: the envelope anyone may read, and the digest that the next one carries."""

    type: str
    device: str
    sequence: int
    previous: str
    time: datetime
    clock_trusted: bool
    sealed: bytes
    text: str  # canonical JSON, exactly what is digested

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, as hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def source(device: str) -> str:
    """The CloudEvents `source` of a device's records."""
    return f"urn:campusgate:device:{device}"


def seal(record: AnyRecord, *, device: str, sequence: int, previous: str, key: X25519PublicKey) -> Event:
    """`record` as the event numbered `sequence` of `device`, sealed to central's `key`."""
    plain = json.dumps(record.to_document(), ensure_ascii=False, separators=(",", ":")).encode()
    sealed = _SUITE.encrypt(plain, key, info=_info(device, sequence))
    document = {
        "specversion": "1.0",
        "id": str(sequence),
        "source": source(device),
        "type": record.type,
        "time": record.happened_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "clocktrusted": record.clock_trusted,
        "previous": previous,
        "data_base64": base64.b64encode(sealed).decode("ascii"),
    }
    return parse_event(canonical(document))


def unseal(event: Event, key: X25519PrivateKey) -> dict[str, Any]:
    """The record inside `event`, with central's private `key`. Raises: RecordError when it does not open."""
    try:
        document: dict[str, Any] = json.loads(
            _SUITE.decrypt(event.sealed, key, info=_info(event.device, event.sequence))
        )
    except (InvalidTag, ValueError, RecursionError) as error:
        raise RecordError(f"record {event.sequence} of {event.device}: does not open") from error
    if not isinstance(document, dict):  # anyone may seal to a public key
        raise RecordError(f"record {event.sequence} of {event.device}: is not an object")
    return document


def parse_event(data: str | Mapping[str, Any]) -> Event:
    """The event in JSON text or an already parsed object. Raises: RecordError naming the field."""
    try:
        document = json.loads(data) if isinstance(data, str) else data
        if not all(key.isascii() and isinstance(value, str | bool) for key, value in document.items()):
            raise RecordError("an event holds nothing but texts, true and false, under ASCII names")
        if document["specversion"] != "1.0" or document["type"] not in TYPES:
            raise RecordError(f"specversion must be 1.0 and type one of {', '.join(sorted(TYPES))}")
        name = document["source"].removeprefix(source(""))
        sequence = int(document["id"])
        if not name or source(name) != document["source"] or str(sequence) != document["id"] or sequence < 1:
            raise RecordError("source or id are not a device and a sequence number from 1")
        if len(bytes.fromhex(document["previous"])) != 32 or not isinstance(document["clocktrusted"], bool):
            raise RecordError("previous must be a SHA-256 in hex and clocktrusted true or false")
        time = datetime.fromisoformat(document["time"])
        if time.tzinfo is None:
            raise RecordError("time has no offset from UTC (RFC 3339)")
        text = canonical(document)
        text.encode()  # JSON can spell half a character, which no digest is defined for
        return Event(
            type=document["type"],
            device=name,
            sequence=sequence,
            previous=document["previous"],
            time=time.astimezone(UTC),
            clock_trusted=document["clocktrusted"],
            sealed=base64.b64decode(document["data_base64"], validate=True),
            text=text,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"not a campusgate event: {error!r:.100}") from error


def canonical(document: Mapping[str, Any]) -> str:
    """Canonical JSON (RFC 8785). Events hold only strings and booleans and ASCII keys, for which sorting by
    code point and Python's own escapes are what the RFC asks."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _info(device: str, sequence: int) -> bytes:
    return f"campusgate record v1\n{device}\n{sequence}".encode()
