"""The answer to a console's challenge: who the holder of the school's maintenance key says is at the line.

A CWT (RFC 8392) in COSE_Sign1 (RFC 9052) with EdDSA, in base64url. Claims: sub (2) the name of the member of
the staff, aud (3) the device, cti (7) the challenge's nonce, and under text names "kind": "login" and "role".
It tells no time: a laptop's clock may be wrong, and the nonce makes it good for one use.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cwt import COSE, COSEKey

from config.errors import CampusgateError
from config.keys import private_pem
from terminal.console.roles import Role
from terminal.cose import EDDSA, CodeRefused, check, take_apart
from terminal.statement import AUDIENCE, KIND, NONCE

MAX_RESPONSE = 1024  # characters
MAX_NAME = 64  # characters
_SUBJECT = 2  # RFC 8392, section 3.1
_ROLE, _LOGIN = "role", "login"


class ResponseRefused(CampusgateError, ValueError):
    """Raised when a response is malformed, is not signed by the key, or answers something else."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is signed. name: of the member of the staff, for the records."""

    device: str
    nonce: bytes
    name: str
    role: Role

    def __post_init__(self) -> None:
        # It is shown on terminals and kept in records: no control characters.
        if not 1 <= len(self.name) <= MAX_NAME or not self.name.isprintable() or not self.name.strip():
            raise ResponseRefused(f"a name has 1 to {MAX_NAME} characters that can be seen")


def sign_response(response: Response, key: Ed25519PrivateKey) -> str:
    """`response` as text, signed with the maintenance key."""
    claims: dict[int | str, Any] = {
        _SUBJECT: response.name,
        AUDIENCE: response.device,
        NONCE: response.nonce,
        KIND: _LOGIN,
        _ROLE: str(response.role),
    }
    cose_key = COSEKey.from_pem(private_pem(key), alg="EdDSA")
    token = COSE.new().encode(cbor2.dumps(claims), cose_key, protected={1: EDDSA})
    return base64.urlsafe_b64encode(token).decode("ascii").rstrip("=")


def verify_response(text: str, key: Ed25519PublicKey) -> Response:
    """The response in `text`, if `key` signed it. Blanks and line ends from pasting do not count.

    Whether it answers what was asked is for the caller. Raises: ResponseRefused.
    """
    if len(text) > MAX_RESPONSE:
        raise ResponseRefused(f"{len(text)} characters; at most {MAX_RESPONSE} are a response")
    encoded = "".join(text.split())
    try:
        token = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars="-_", validate=True)
        signed = take_apart(token, algorithm=EDDSA)
    except (ValueError, CodeRefused) as error:
        raise ResponseRefused("is no response of `campusgate answer`; was all of it pasted?") from error
    try:
        check(signed, key)
    except CodeRefused as refused:
        raise ResponseRefused("is not signed by the school's maintenance key") from refused
    claims: dict[int | str, Any] = dict(signed.claims.items())
    if claims.get(KIND) != _LOGIN:
        raise ResponseRefused("is signed for another purpose than to log in")
    parts = [claims.get(claim) for claim in (AUDIENCE, NONCE, _SUBJECT, _ROLE)]
    device, nonce, name, role = parts
    if not (isinstance(device, str) and isinstance(nonce, bytes) and isinstance(name, str)):
        raise ResponseRefused("its claims are malformed")
    if not isinstance(role, str) or role not in set(Role):
        raise ResponseRefused(f"its role is none of {', '.join(Role)}")
    return Response(device, nonce, name, Role(role))
