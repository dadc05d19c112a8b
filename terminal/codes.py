"""Campus codes: QR text -> a verified Code, or a named refusal.

A code is a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052) signed with ES256, in base45 (RFC 9285) behind the
prefix "CC1:". A *personal* code carries no key id and is signed by the person's own phone key; a *pass*
carries the key id of an issuer. Nothing here mints a code (a terminal never does) or looks at a clock, a
place or a roster: `parse` says who a code claims to be, the caller finds the key, `verify` says whether it
is true.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from typing import Any

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey
from cwt.exceptions import CWTError

from config.errors import CampusgateError
from config.keys import public_pem
from terminal.reasons import Reason

PREFIX = "CC1:"
MAX_TEXT = 1024  # characters; a personal code has about 157, a pass about 220
MAX_SUBJECT = 64  # characters
MAX_PLACES = 32
ES256 = -7  # RFC 9053, section 2.1


class Claim(IntEnum):
    """Claim keys: RFC 8392 section 4, then ours from the range for private use (below -65536)."""

    ISS = 1
    SUB = 2
    EXP = 4
    NBF = 5
    IAT = 6
    DECLARATION = -65537  # [tenths of a degree Celsius or null, symptom flags, contact]
    PASS_KIND = -65538
    PLACES = -65539


class CodeKind(StrEnum):
    """What sort of code: made by the person's phone, or handed out by an issuer."""

    PERSONAL = "personal"
    PASS = "pass"  # noqa: S105 - not a password


class PassKind(StrEnum):
    """What a pass is printed on, and for whom."""

    CARD = "card"
    VISITOR = "visitor"


class Symptom(IntFlag):
    """Symptoms a person may declare (R19)."""

    COUGH = 1
    FEVER = 2
    FATIGUE = 4
    BREATHING = 8
    OTHER = 16


@dataclass(frozen=True, slots=True)
class Declaration:
    """The day's health declaration in a personal code (R4): tenths of a degree Celsius, symptoms, contact."""

    decidegrees: int | None
    symptoms: Symptom
    contact: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a code says of itself, not yet verified: enough to find the key that must have signed it."""

    kind: CodeKind
    subject: str
    key_id: str  # of the issuer, for a pass; "" for a personal code
    token: bytes
    claims: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """A code whose signature is verified. Times are Unix seconds, UTC; a digest names this very code."""

    kind: CodeKind
    subject: str
    digest: str
    issued_at: int | None = None
    not_before: int | None = None
    expires_at: int | None = None
    issuer: str = ""
    pass_kind: PassKind | None = None
    places: tuple[str, ...] = ()  # a pass may name the only places it is good for
    declaration: Declaration | None = None


class CodeRefused(CampusgateError, ValueError):
    """Raised when a text is no campus code or its signature is not the right one; `reason` says which."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


def parse(text: str) -> Claimed:
    """Who the code `text` claims to be. Raises: CodeRefused."""
    if not text.startswith(PREFIX):
        raise CodeRefused(Reason.CODE_FOREIGN, f"does not start with {PREFIX}")
    if len(text) > MAX_TEXT:
        raise CodeRefused(Reason.CODE_OVERSIZE, f"{len(text)} characters; at most {MAX_TEXT}")
    try:
        token = base45.b45decode(text[len(PREFIX) :])
        stream = io.BytesIO(token)
        tag = cbor2.load(stream)
        trailing = stream.read(1)
        protected, unprotected, payload, _signature = tag.value
        header = cbor2.loads(protected)
        claims = cbor2.loads(payload)
        subject, key_id = claims[Claim.SUB], header.get(4, unprotected.get(4, b""))
    except Exception as error:
        raise CodeRefused(Reason.CODE_DAMAGED, f"is not a COSE_Sign1 with claims: {error!r:.80}") from error
    if tag.tag != 18 or trailing or not isinstance(claims, dict) or not isinstance(header, dict):
        raise CodeRefused(Reason.CODE_DAMAGED, "is not a tagged COSE_Sign1")
    algorithm = header.get(1)
    if type(algorithm) is not int or algorithm != ES256:  # CBOR has numbers that raise when compared
        raise CodeRefused(Reason.CODE_UNSUPPORTED, f"algorithm {algorithm!r:.20} is not ES256")
    if 2 in header:  # "crit": what must be understood here is not (RFC 9052, section 3.1)
        raise CodeRefused(Reason.CODE_UNSUPPORTED, "has critical header parameters")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or not isinstance(key_id, bytes):
        raise CodeRefused(Reason.CODE_DAMAGED, "sub or kid is malformed")
    kind = CodeKind.PASS if key_id else CodeKind.PERSONAL
    return Claimed(kind, subject, key_id.hex(), token, claims)


def verify(claimed: Claimed, key: EllipticCurvePublicKey) -> Code:
    """`claimed` as a Code if `key` signed it and its claims have the right types. Raises: CodeRefused."""
    try:
        cose_key = COSEKey.from_pem(public_pem(key), kid=bytes.fromhex(claimed.key_id), alg="ES256")
        COSE.new().decode(claimed.token, cose_key)
    except (CWTError, ValueError, TypeError) as error:
        raise CodeRefused(Reason.CODE_FORGED, "signature does not verify") from error
    claims = claimed.claims
    try:
        return Code(
            kind=claimed.kind,
            subject=claimed.subject,
            digest=hashlib.sha256(claimed.token).hexdigest(),
            issued_at=_time(claims, Claim.IAT, needed=claimed.kind is CodeKind.PERSONAL),
            not_before=_time(claims, Claim.NBF),
            expires_at=_time(claims, Claim.EXP, needed=claimed.kind is CodeKind.PASS),
            issuer=claimed.key_id,
            pass_kind=PassKind(claims[Claim.PASS_KIND]) if claimed.kind is CodeKind.PASS else None,
            places=_places(claims.get(Claim.PLACES, [])),
            declaration=_declaration(claims.get(Claim.DECLARATION)),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise CodeRefused(Reason.CODE_DAMAGED, f"a claim is malformed: {error!r:.80}") from error


def _time(claims: Mapping[int, Any], claim: Claim, *, needed: bool = False) -> int | None:
    value = claims.get(claim)
    if value is None and not needed:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
        raise ValueError(f"claim {claim} is not a time")
    return value


def _places(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_PLACES or not all(isinstance(p, str) for p in value):
        raise ValueError("places is not a list of names")
    return tuple(value)


def _declaration(value: Any) -> Declaration | None:
    if value is None:
        return None
    temperature, symptoms, contact = value
    if temperature is not None and (type(temperature) is not int or not 300 <= temperature <= 450):
        raise ValueError("declared temperature is not in tenths of a degree")
    if type(symptoms) is not int or not 0 <= symptoms < 32 or not isinstance(contact, bool):
        raise ValueError("declared symptoms or contact are malformed")
    return Declaration(temperature, Symptom(symptoms), contact)


def key_id(key: EllipticCurvePublicKey) -> str:
    """The id of an issuer's key: the first 8 bytes of SHA-256 over its compressed point, as hex."""
    return hashlib.sha256(compressed(key)).digest()[:8].hex()


def compressed(key: EllipticCurvePublicKey) -> bytes:
    """The 33 bytes of a P-256 public key (SEC 1, section 2.3.3, compressed)."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def from_compressed(point: bytes) -> EllipticCurvePublicKey:
    """The P-256 public key in 33 bytes. Raises: ValueError when they are no point of the curve."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
