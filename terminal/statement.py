"""Central's signed statements: the time, and what it has received, for when no connection vouches for it.

A statement is a CWT (RFC 8392) in COSE_Sign1 (RFC 9052) with EdDSA, signed by the statement key that the
roster's manifest names. Claims: aud (3) the device, iat (6) Unix seconds, cti (7) the nonce that the device
asked with, if it asked; and under text names "kind", and what that kind says: for a receipt "through" and
"digest".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError
from terminal.cose import EDDSA, CodeRefused, check, take_apart
from terminal.receipt import Receipt

AUDIENCE, ISSUED_AT, NONCE = 3, 6, 7  # RFC 8392, section 3.1
KIND, THROUGH, DIGEST = "kind", "through", "digest"
MAX_STATEMENT = 1024  # bytes


class StatementKind(StrEnum):
    """What a statement is about."""

    TIME = "time"
    RECEIPT = "receipt"


class StatementRefused(CampusgateError, ValueError):
    """Raised when a statement is malformed, is not central's, or is for another device or purpose."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What central says. issued_at: Unix seconds. receipt: for the kind RECEIPT."""

    kind: StatementKind
    device: str
    issued_at: int
    nonce: bytes = b""
    receipt: Receipt = field(default_factory=Receipt)


def verify_statement(
    token: bytes, keys: Sequence[Ed25519PublicKey], *, kind: StatementKind, device: str, nonce: bytes = b""
) -> Statement:
    """The statement in `token`, if one of `keys` signed it for `device` and this purpose.

    nonce: what it must answer; a statement that nobody asked for has none. Raises: StatementRefused.
    """
    if len(token) > MAX_STATEMENT:
        raise StatementRefused(f"{len(token)} bytes; at most {MAX_STATEMENT} are a statement")
    try:
        signed = take_apart(token, algorithm=EDDSA)
        for key in keys:
            try:
                check(signed, key)
                break
            except CodeRefused:
                continue
        else:
            raise StatementRefused("is not signed by central's statement key")
    except CodeRefused as refused:
        raise StatementRefused(f"is no signed statement ({refused})") from refused
    claims: Mapping[int | str, Any] = dict(signed.claims.items())
    try:
        found = Statement(
            StatementKind(claims[KIND]),
            str(claims[AUDIENCE]),
            int(claims[ISSUED_AT]),
            bytes(claims.get(NONCE, b"")),
            Receipt(int(claims[THROUGH]), str(claims[DIGEST])) if THROUGH in claims else Receipt(),
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise StatementRefused(f"its claims are malformed: {error!r:.80}") from error
    if (found.kind, found.device, found.nonce) != (kind, device, nonce):
        raise StatementRefused(f"is a {found.kind} for {found.device!r}, or answers something else")
    return found
