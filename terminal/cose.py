"""COSE_Sign1 (RFC 9052) with CWT claims (RFC 8392): from bytes to what was signed, and by whom.

Shared by all three codes. Only what a signature covers is ever looked at: the unprotected header names no
key and no algorithm here. Nothing in this module signs, knows a person, or reads a clock.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cwt import COSE, COSEKey
from cwt.exceptions import CWTError

from config.errors import CampusgateError
from config.keys import public_pem
from terminal.reasons import Reason

ES256 = -7  # RFC 9053, section 2.1
EDDSA = -8  # RFC 9053, section 2.2
_NAMES = {ES256: "ES256", EDDSA: "EdDSA"}
_SIGN1 = 18  # CBOR tag
_ALG, _CRIT, _KID = 1, 2, 4  # header parameters, RFC 9052, section 3.1


class CodeRefused(CampusgateError, ValueError):
    """Raised when a text is no campus code or its signature is not the right one; `reason` says which."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A COSE_Sign1 taken apart, not yet verified. key_id: as hex; "" when its header names none."""

    algorithm: int
    key_id: str
    claims: Mapping[int, Any]
    protected: bytes
    payload: bytes
    signature: Any

    @property
    def digest(self) -> str:
        """SHA-256, as hex, of the bytes that the signature is over (RFC 9052, section 4.4).

        So one code has one digest: an ECDSA signature has a twin that verifies as well, and the unprotected
        header is anybody's, but neither is in these bytes.
        """
        structure = cbor2.dumps(["Signature1", self.protected, b"", self.payload])
        return hashlib.sha256(structure).hexdigest()


def take_apart(token: bytes, *, algorithm: int) -> Signed:
    """The parts of `token`, which must say that it is signed with `algorithm`. Raises: CodeRefused."""
    try:
        stream = io.BytesIO(token)
        tag = cbor2.load(stream)
        trailing = stream.read(1)
        protected, unprotected, payload, signature = tag.value
        header, claims = cbor2.loads(protected), cbor2.loads(payload)
        well_formed = tag.tag == _SIGN1 and not trailing
    except Exception as error:
        raise CodeRefused(Reason.CODE_DAMAGED, f"is not a COSE_Sign1 with claims: {error!r:.80}") from error
    if not well_formed or not all(isinstance(part, dict) for part in (header, unprotected, claims)):
        raise CodeRefused(Reason.CODE_DAMAGED, "is not a tagged COSE_Sign1 with maps in it")
    named = header.get(_ALG)
    if type(named) is not int or named != algorithm:  # CBOR has numbers that raise when compared
        raise CodeRefused(
            Reason.CODE_UNSUPPORTED, f"algorithm {named!r:.20} is not {_NAMES[algorithm]} ({algorithm})"
        )
    if _CRIT in header:  # what must be understood here is not
        raise CodeRefused(Reason.CODE_UNSUPPORTED, "has critical header parameters")
    key_id = header.get(_KID, b"")
    if not isinstance(key_id, bytes) or _KID in unprotected:
        # Whose key it is decides what kind of code it is: unsigned bytes must not choose that.
        raise CodeRefused(Reason.CODE_DAMAGED, "kid is malformed or outside of the protected header")
    return Signed(algorithm, key_id.hex(), claims, protected, payload, signature)


def check(signed: Signed, key: EllipticCurvePublicKey | Ed25519PublicKey) -> None:
    """Do nothing if `key` signed `signed`. Raises: CodeRefused."""
    # Rebuilt without the unprotected header, so that the library acts on nothing in it.
    parts = [signed.protected, {}, signed.payload, signed.signature]
    try:
        cose_key = COSEKey.from_pem(
            public_pem(key), kid=bytes.fromhex(signed.key_id), alg=_NAMES[signed.algorithm]
        )
        COSE.new().decode(cbor2.dumps(cbor2.CBORTag(_SIGN1, parts)), cose_key)
    except (CWTError, ValueError, TypeError) as error:
        raise CodeRefused(Reason.CODE_FORGED, "signature does not verify") from error
