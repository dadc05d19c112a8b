"""Making campus codes: what phone app, card printer and reception do. No terminal imports this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cwt import COSE, COSEKey

from terminal.codes import PREFIX, Claim, PassKind, key_id
from terminal.cose import ES256
from terminal.declaration import Declaration


def personal_code(
    key: EllipticCurvePrivateKey,
    subject: str,
    issued_at: int,
    declaration: Declaration | None = None,
    *,
    audience: str = "",
) -> str:
    """The text of a personal code, as the phone app makes it. issued_at: Unix seconds.

    audience: the only place it is good for, as the app has it from the device code there; any when empty.
    """
    claims: dict[int, Any] = {Claim.SUB: subject, Claim.IAT: issued_at}
    if audience:
        claims[Claim.AUD] = audience
    if declaration:
        health = [declaration.decidegrees, int(declaration.symptoms), declaration.contact]
        claims[Claim.DECLARATION] = health
    return _signed(key, {1: ES256}, claims)


def pass_code(
    key: EllipticCurvePrivateKey,
    subject: str,
    kind: PassKind,
    *,
    not_before: int,
    expires_at: int,
    places: tuple[str, ...] = (),
    issuer: str = "",
) -> str:
    """The text of a pass, as an issuer makes it. Times are Unix seconds; no places means any place."""
    claims: dict[int, Any] = {Claim.SUB: subject, Claim.NBF: not_before, Claim.EXP: expires_at}
    claims[Claim.PASS_KIND] = str(kind)
    if issuer:
        claims[Claim.ISS] = issuer
    if places:
        claims[Claim.PLACES] = list(places)
    return _signed(key, {1: ES256, 4: bytes.fromhex(key_id(key.public_key()))}, claims)


def _signed(key: EllipticCurvePrivateKey, header: Mapping[int, Any], claims: Mapping[int, Any]) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    payload = cbor2.dumps({int(claim): value for claim, value in claims.items()})
    token = COSE.new().encode(payload, COSEKey.from_pem(pem, alg="ES256"), protected=dict(header))
    return PREFIX + str(base45.b45encode(token), "ascii")
