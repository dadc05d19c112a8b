"""Records: what happened at the gate, sealed as it is written so that a stolen terminal tells nothing.

A record on disk and on the wire is an event (see events.py). Its data is sealed with HPKE (RFC 9180, base
mode; DHKEM X25519, HKDF-SHA256, AES-128-GCM) to central's key; `info` binds it to device and sequence, so a
sealed record cannot be passed off as another.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hw.clock import GIVEN, Basis, Source
from hw.thermal import Reading, degrees
from terminal.codes import Code, CodeKind
from terminal.decision import Decision
from terminal.declaration import Declaration
from terminal.events import (
    COMMAND,
    DAMAGE,
    MAINTENANCE,
    SCAN,
    VIOLATION,
    Event,
    RecordError,
    canonical,
    rfc3339,
    source,
)
from terminal.findings import Violation
from terminal.orders import Command, Outcome

MOST_DETAILS = 16_384
"""Bytes of JSON in the details of a maintenance record, which must fit into one request on its way."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


@dataclass(frozen=True, slots=True)
class Record:
    """One scan or manual registration and its outcome. identity: unique for it. happened_at: aware, UTC.

    claimed_subject: whom the code named; verified only if `code` is there or an attendant vouched.
    central_well: whether central had the person declared well that day. attendant: who registered the
    person by hand, "" for a scan. basis: how `happened_at` is known.
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
    basis: Basis = GIVEN

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
    basis: Basis = GIVEN

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


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """What became of one command of central. reason: why it was refused. details: what it found out.

    It is about the terminal, not about a place or a person; central knows which terminal wrote it.
    """

    type: ClassVar[str] = COMMAND
    place: ClassVar[str] = ""
    claimed_subject: ClassVar[str] = ""

    identity: str
    happened_at: datetime
    clock_trusted: bool
    command: Command
    outcome: Outcome
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    basis: Basis = GIVEN

    def to_document(self) -> dict[str, Any]:
        """The record as the JSON object that is sealed."""
        return {
            "record": self.identity,
            "command": self.command.identity,
            "do": self.command.do,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "issued_at": rfc3339(self.command.issued_at),
            "details": dict(self.details),
        }


@dataclass(frozen=True, slots=True)
class DamageRecord:
    """The journal's file was damaged: what was seen, where the file is now, and what became of its records.

    set_aside: the name of the file. what: the damage as it was noticed. pages: in the file and its log.
    recovered: records. lost: ranges of sequence numbers that are gone and that central did not have.
    """

    type: ClassVar[str] = DAMAGE
    claimed_subject: ClassVar[str] = ""

    identity: str
    happened_at: datetime
    clock_trusted: bool
    place: str
    set_aside: str
    what: str
    pages: int
    recovered: int
    lost: tuple[tuple[int, int], ...]
    basis: Basis = GIVEN

    def to_document(self) -> dict[str, Any]:
        """The record as the JSON object that is sealed."""
        return {
            "record": self.identity,
            "place": self.place,
            "damage": {
                "set_aside": self.set_aside,
                "what": self.what,
                "pages": self.pages,
                "recovered": self.recovered,
                "lost": [[str(first), str(last)] for first, last in self.lost],
            },
        }


@dataclass(frozen=True, slots=True)
class MaintenanceRecord:
    """What somebody of the maintenance staff did. via: how they logged in. session: names their session."""

    type: ClassVar[str] = MAINTENANCE
    place: ClassVar[str] = ""  # it is about the terminal; central knows which wrote it
    claimed_subject: ClassVar[str] = ""

    identity: str
    happened_at: datetime
    clock_trusted: bool
    user: str
    role: str
    via: str
    session: str
    action: str
    details: Mapping[str, Any] = field(default_factory=dict)
    basis: Basis = GIVEN

    def to_document(self) -> dict[str, Any]:
        """The record as the JSON object that is sealed."""
        return {
            "record": self.identity,
            "user": self.user,
            "role": self.role,
            "via": self.via,
            "session": self.session,
            "action": self.action,
            "details": dict(self.details),
        }


AnyRecord = Record | ViolationRecord | CommandRecord | DamageRecord | MaintenanceRecord


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


def seal(record: AnyRecord, *, device: str, sequence: int, previous: str, key: X25519PublicKey) -> Event:
    """`record` as the event numbered `sequence` of `device`, sealed to central's `key`."""
    sealed = _SUITE.encrypt(orjson.dumps(record.to_document()), key, info=_info(device, sequence))
    at = record.happened_at.astimezone(UTC)
    document = {
        "specversion": "1.0",
        "id": str(sequence),
        "source": source(device),
        "type": record.type,
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "clocktrusted": record.clock_trusted,
        "previous": previous,
        "data_base64": base64.b64encode(sealed).decode("ascii"),
    }
    # Not read back by parse_event: after a wait for the disk, when caches are cold, that costs 0.03 ms.
    known = _how_known(record)
    return Event(
        type=record.type,
        device=device,
        sequence=sequence,
        previous=previous,
        time=at.replace(microsecond=at.microsecond // 1000 * 1000),
        clock_trusted=record.clock_trusted,
        sealed=sealed,
        text=canonical(document | known),
        first=sequence,
        clock=known["clock"],
        boot=known.get("boot", ""),
        uptime=int(known["uptime"]) if "uptime" in known else None,
    )


def _how_known(record: AnyRecord) -> dict[str, str]:
    """The attributes that say what vouched for the time, and what central corrects it by if nothing did."""
    basis = record.basis
    clock = {"clock": str(basis.source if record.clock_trusted else Source.NONE)}
    return clock | ({"boot": basis.boot, "uptime": str(int(basis.uptime * 1000))} if basis.boot else {})


def unseal(event: Event, key: X25519PrivateKey) -> dict[str, Any]:
    """The record inside `event`, with central's private `key`. Raises: RecordError when it does not open."""
    try:
        document: dict[str, Any] = orjson.loads(
            _SUITE.decrypt(event.sealed, key, info=_info(event.device, event.sequence))
        )
    except (InvalidTag, ValueError, RecursionError) as error:
        raise RecordError(f"record {event.sequence} of {event.device}: does not open") from error
    if not isinstance(document, dict):  # anyone may seal to a public key
        raise RecordError(f"record {event.sequence} of {event.device}: is not an object")
    return document


def _info(device: str, sequence: int) -> bytes:
    return f"campusgate record v1\n{device}\n{sequence}".encode()
