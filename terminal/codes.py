"""Campus codes: QR text -> a verified Code, or a named refusal.

A code is a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052) signed with ES256, in base45 (RFC 9285) behind the
prefix "CC1:". A *personal* code carries no key id and is signed by the person's own phone key; a *pass*
carries the key id of an issuer. Nothing here mints a code (a terminal never does) or looks at a clock, a
place or a roster: `parse` says who a code claims to be, the caller finds the key, `verify` says whether it
is true. CODES.md specifies the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import base45
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.cose import ES256, CodeRefused, Signed, check, take_apart
from terminal.declaration import Declaration
from terminal.reasons import Reason

PREFIX = "CC1:"
MAX_TEXT = 1024  # characters; a personal code has about 157, a pass about 220
MAX_SUBJECT = 64  # characters
MAX_PLACE = 64  # characters
MAX_PLACES = 32


class Claim(IntEnum):
    """Claim keys: RFC 8392 section 4, then ours from the range for private use (below -65536)."""

    ISS = 1
    SUB = 2
    AUD = 3
    EXP = 4
    NBF = 5
    IAT = 6
    DECLARATION = -65537  # [tenths of a degree Celsius or null, symptom flags, contact]
    PASS_KIND = -65538
    PLACES = -65539
    PLACE = -65540  # of a device code


class CodeKind(StrEnum):
    """What sort of code: made by the person's phone, or handed out by an issuer."""

    PERSONAL = "personal"
    PASS = "pass"  # noqa: S105 - not a password


class PassKind(StrEnum):
    """What a pass is printed on, and for whom."""

    CARD = "card"
    VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a code says of itself, not yet verified: enough to find the key that must have signed it."""

    kind: CodeKind
    subject: str
    signed: Signed

    @property
    def key_id(self) -> str:
        """Of the issuer, for a pass; "" for a personal code."""
        return self.signed.key_id

    @property
    def claims(self) -> Mapping[int, Any]:
        """The claims as they came, of any type."""
        return self.signed.claims


@dataclass(frozen=True, slots=True)
class Code:
    """A code whose signature is verified. Times are Unix seconds, UTC.

    digest: of the signed bytes, so it names this very code. audience: the only place it may be shown at, as
    whoever made it said; "" for any.
    """

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
    audience: str = ""


def parse(text: str) -> Claimed:
    """Who the code `text` claims to be. Raises: CodeRefused."""
    if not text.startswith(PREFIX):
        raise CodeRefused(Reason.CODE_FOREIGN, f"does not start with {PREFIX}")
    if len(text) > MAX_TEXT:
        raise CodeRefused(Reason.CODE_OVERSIZE, f"{len(text)} characters; at most {MAX_TEXT}")
    try:
        token = base45.b45decode(text[len(PREFIX) :])
    except Exception as error:
        raise CodeRefused(Reason.CODE_DAMAGED, f"is not base45: {error!r:.80}") from error
    signed = take_apart(token, algorithm=ES256)
    subject = signed.claims.get(Claim.SUB)
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
        raise CodeRefused(Reason.CODE_DAMAGED, "sub is malformed")
    return Claimed(CodeKind.PASS if signed.key_id else CodeKind.PERSONAL, subject, signed)


def verify(claimed: Claimed, key: EllipticCurvePublicKey) -> Code:
    """`claimed` as a Code if `key` signed it and its claims have the right types. Raises: CodeRefused."""
    check(claimed.signed, key)
    claims = claimed.claims
    said = claims.get(Claim.DECLARATION)
    try:
        return Code(
            kind=claimed.kind,
            subject=claimed.subject,
            digest=claimed.signed.digest,
            issued_at=_time(claims, Claim.IAT, needed=claimed.kind is CodeKind.PERSONAL),
            not_before=_time(claims, Claim.NBF),
            expires_at=_time(claims, Claim.EXP, needed=claimed.kind is CodeKind.PASS),
            issuer=claimed.key_id,
            pass_kind=PassKind(claims[Claim.PASS_KIND]) if claimed.kind is CodeKind.PASS else None,
            places=_places(claims.get(Claim.PLACES, [])),
            declaration=None if said is None else Declaration.from_list(said),
            audience=place_name(claims[Claim.AUD]) if Claim.AUD in claims else "",
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


def place_name(value: Any) -> str:
    """`value` if it can be the name of a place. Raises: ValueError."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_PLACE:
        raise ValueError("is not the name of a place")
    return value


def _places(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_PLACES or not all(isinstance(p, str) for p in value):
        raise ValueError("places is not a list of names")
    return tuple(value)


def key_id(key: EllipticCurvePublicKey) -> str:
    """The id of an issuer's key: the first 8 bytes of SHA-256 over its compressed point, as hex."""
    return hashlib.sha256(compressed(key)).digest()[:8].hex()


def compressed(key: EllipticCurvePublicKey) -> bytes:
    """The 33 bytes of a P-256 public key (SEC 1, section 2.3.3, compressed)."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def from_compressed(point: bytes) -> EllipticCurvePublicKey:
    """The P-256 public key in 33 bytes. Raises: ValueError when they are no point of the curve."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
