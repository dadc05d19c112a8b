"""The test vectors of CODES.md: fixed keys, fixed times, and one code for each way to be taken or refused.

`python -m tests.terminal.make_vectors` writes terminal/codes-vectors.json. Codes are built here from plain
CBOR and signed by RFC 6979, which draws no random numbers: the same run gives the same bytes. The keys are
known to everybody and are of no use but here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.codes import compressed, key_id
from terminal.device_code import device_key_id

FILE = Path(__file__).parents[2] / "terminal" / "codes-vectors.json"
AT = 1_793_700_000  # 2026-11-03T08:40:00Z
GATE, LIBRARY, STRICT, CARDS = "north-gate", "library", "dormitory-2", "annex"
SUBJECT, DEVICE, URL = "S20240001", "north-gate-1", "https://school.example/c#"
FRESH, SKEW = 60, 90
KEYS: dict[str, EllipticCurvePrivateKey | Ed25519PrivateKey] = {
    "person": derive_private_key(0x1001, SECP256R1()),
    "stranger": derive_private_key(0x1002, SECP256R1()),
    "issuer": derive_private_key(0x1003, SECP256R1()),
    "device": Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
    "other-device": Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64))),
}


def kid(name: str) -> bytes:
    """The key id of the key `name`."""
    key = KEYS[name]
    text = device_key_id(key.public_key()) if isinstance(key, Ed25519PrivateKey) else key_id(key.public_key())
    return bytes.fromhex(text)


def token(signer: str, claims: Any, header: Any = None, unprotected: Any = None) -> bytes:
    """A COSE_Sign1 over `claims`, signed by the key `signer` with the header that its kind of code has."""
    key = KEYS[signer]
    if header is None:
        header = {"issuer": {1: -7, 4: kid("issuer")}}.get(signer, {1: -7})
        header = {1: -8, 4: kid(signer)} if isinstance(key, Ed25519PrivateKey) else header
    protected, payload = cbor2.dumps(header), cbor2.dumps(claims)
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(structure)
    else:
        r, s = decode_dss_signature(key.sign(structure, ECDSA(SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return bytes(cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected or {}, payload, signature])))


def personal(at: int = AT, sub: str = SUBJECT, **more: Any) -> dict[int, Any]:
    """Claims of a personal code. more: aud, declaration."""
    names = {"aud": 3, "declaration": -65537}
    return {2: sub, 6: at} | {names[name]: value for name, value in more.items()}


def card(start: int = AT - 3600, end: int = AT + 3600, kind: str = "card", **more: Any) -> dict[int, Any]:
    """Claims of a pass. more: iss, places, aud."""
    names = {"iss": 1, "aud": 3, "places": -65539}
    return {2: SUBJECT, 5: start, 4: end, -65538: kind} | {names[n]: value for n, value in more.items()}


def shown(at: int = AT, device: str = DEVICE, place: Any = GATE) -> dict[int, Any]:
    """Claims of a device code."""
    return {1: device, 6: at, -65540: place}


def vectors() -> list[dict[str, Any]]:
    """All of them, in the order of the document."""
    from tests.terminal.vector_cases import cases

    made = []
    for name, reason, text, cose, situation in cases():
        vector = {
            "name": name,
            "kind": situation.pop("code"),
            "text": text,
            "cose": cose.hex() if cose else None,
        }
        vector |= _parts(cose) if cose and situation.pop("parts", True) else {}
        vector |= {"at": AT, "place": GATE, "last_issued_at": None, "clock_trusted": True} | situation
        made.append(vector | {"result": "taken" if reason == "ok" else "refused", "reason": reason})
    return made


def _parts(cose: bytes) -> dict[str, Any]:
    protected, _unprotected, payload, _signature = cbor2.loads(cose).value
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    return {
        "header": _shown(cbor2.loads(protected)),
        "claims": _shown(cbor2.loads(payload)),
        "digest": hashlib.sha256(structure).hexdigest(),
    }


def _shown(value: Any) -> Any:
    """CBOR as JSON can say it: keys as texts, bytes as hex."""
    if isinstance(value, dict):
        return {str(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else value


def code_text(cose: bytes) -> str:
    """A token as the text of a personal code or pass."""
    return "CC1:" + base45.b45encode(cose).decode()


def url_text(cose: bytes) -> str:
    """A token as the text of a device code."""
    return URL + base64.urlsafe_b64encode(cose).decode().rstrip("=")


def document() -> dict[str, Any]:
    """The whole file."""
    keys = {}
    for name, key in KEYS.items():
        if isinstance(key, Ed25519PrivateKey):
            private, kind = key.private_bytes_raw(), "Ed25519"
            public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            private, kind = key.private_numbers().private_value.to_bytes(32, "big"), "P-256"
            public = compressed(key.public_key())
        keys[name] = {"type": kind, "private": private.hex(), "public": public.hex(), "kid": kid(name).hex()}
    return {
        "about": "Test vectors of CODES.md. Bytes are hex, times Unix seconds. Keys for nothing but tests.",
        "keys": keys,
        "people": {SUBJECT: {"keys": ["person"], "status": "active"}},
        "issuers": ["issuer"],
        "devices": {DEVICE: "device"},
        "policy": {"fresh_seconds": FRESH, "skew_seconds": SKEW, "untrusted_clock": "refuse"},
        "device_code_policy": {"fresh_seconds": 90, "skew_seconds": 30},
        "places": {
            GATE: {"accepts": ["personal", "card", "visitor"]},
            LIBRARY: {"accepts": ["personal", "card"]},
            STRICT: {"accepts": ["personal", "card"], "requires_bound": True},
            CARDS: {"accepts": ["card"]},
        },
        "vectors": vectors(),
    }


def dump() -> str:
    """The file's text."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(dump(), "utf-8")


if __name__ == "__main__":
    main()
