"""Issuer keys: one signs passes, and those that signed before stay published until they are retired.

Only the signing key's private half is kept. keys/issuer.pem: that key. issuers/KID.pem: the public halves of
earlier ones.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from config.errors import CampusgateError
from config.files import sync_directory, write_atomic
from config.keys import load_private, load_public, new_p256, private_pem, public_pem, save_private
from terminal.codes import key_id


class IssuerError(CampusgateError, ValueError):
    """Raised when the key to retire is unknown, or is the one that signs."""


class Issuers:
    """The issuer keys of one central."""

    def __init__(self, signing: Path, earlier: Path) -> None:
        self._signing, self._earlier = signing, earlier

    def create(self) -> None:
        """Make the first key. Raises: KeyFileError when there is one; OSError."""
        save_private(self._signing, new_p256())

    def signing_key(self) -> EllipticCurvePrivateKey:
        """The key that signs passes. Raises: KeyFileError."""
        return load_private(self._signing, EllipticCurvePrivateKey)

    def published(self) -> list[EllipticCurvePublicKey]:
        """Every key whose passes terminals take, the signing one first. Raises: KeyFileError."""
        signing = self.signing_key().public_key()
        earlier = {
            kid: load_public(path, EllipticCurvePublicKey) for kid, path in sorted(self._files().items())
        }
        earlier.pop(key_id(signing), None)  # cut off between the two steps of `rotate`
        return [signing, *earlier.values()]

    def rotate(self) -> tuple[str, str]:
        """Sign with a new key; the key ids of the old and the new. Raises: KeyFileError, OSError."""
        old, new = self.signing_key().public_key(), new_p256()
        self._earlier.mkdir(exist_ok=True)
        write_atomic(self._earlier / f"{key_id(old)}.pem", public_pem(old).encode())
        write_atomic(self._signing, private_pem(new).encode(), mode=0o600)
        return key_id(old), key_id(new.public_key())

    def retire(self, kid: str) -> None:
        """Publish the key `kid` no more. Raises: IssuerError, KeyFileError, OSError."""
        if kid == key_id(self.signing_key().public_key()):
            raise IssuerError(f"{kid} signs passes now; make another first: campusgate central rotate-issuer")
        path = self._files().get(kid)
        if path is None:
            raise IssuerError(f"no issuer key has the id {kid}: {', '.join(self._files()) or 'none is old'}")
        path.unlink()
        sync_directory(self._earlier)

    def _files(self) -> dict[str, Path]:
        return {path.stem: path for path in self._earlier.glob("*.pem")} if self._earlier.exists() else {}
