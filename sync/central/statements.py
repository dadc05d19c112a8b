"""Central's statement key, and signing with it (see terminal/statement.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cwt import COSE, COSEKey

from config.keys import load_private, private_pem, save_private
from terminal.cose import EDDSA
from terminal.statement import (
    AUDIENCE,
    DIGEST,
    ISSUED_AT,
    KIND,
    NONCE,
    THROUGH,
    Statement,
    StatementKind,
)


class Statements:
    """Signs statements with the key in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """Make the key, unless there is one. Raises: OSError."""
        if not self._path.exists():
            save_private(self._path, Ed25519PrivateKey.generate())

    def public_key(self) -> Ed25519PublicKey:
        """What terminals verify with. Raises: KeyFileError."""
        return self._key().public_key()

    def sign(self, statement: Statement) -> bytes:
        """`statement` as a CWT. Raises: KeyFileError."""
        claims: dict[int | str, Any] = {
            AUDIENCE: statement.device,
            ISSUED_AT: statement.issued_at,
            KIND: str(statement.kind),
        }
        if statement.nonce:
            claims[NONCE] = statement.nonce
        if statement.kind is StatementKind.RECEIPT:
            claims |= {THROUGH: statement.receipt.through, DIGEST: statement.receipt.digest}
        key = COSEKey.from_pem(private_pem(self._key()), alg="EdDSA")
        return bytes(COSE.new().encode(cbor2.dumps(claims), key, protected={1: EDDSA}))

    def _key(self) -> Ed25519PrivateKey:
        return load_private(self._path, Ed25519PrivateKey)
