"""The roles of the repository and their keys: who may sign, and signing with whatever is here.

Which keys count is for root.json (and, for "recent", targets.json) to say. This directory may hold older
and newer ones besides, and none at all of the root role when that is kept on other machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.metadata import Metadata

from config.errors import CampusgateError, KeyFileError
from config.files import private_directory
from config.keys import load_private, save_private
from terminal.roster_layout import RECENT_ROLE

TOP_ROLES = ("root", "targets", "snapshot", "timestamp")
ROLES = (*TOP_ROLES, RECENT_ROLE)


class PublishError(CampusgateError):
    """Raised when the repository cannot be published as asked; the message says what to do."""


def public_key(key: Ed25519PublicKey) -> SSlibKey:
    """`key` as TUF knows it, under TUF's own key id."""
    return SSlibKey.from_crypto(key)


class RoleKeys:
    """The private role keys in `directory`, named tuf-ROLE-ID.pem."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def make(self, role: str) -> Key:
        """A new key for `role`; those before stay. Raises: KeyFileError, OSError."""
        private_directory(self._directory)
        key = Ed25519PrivateKey.generate()
        public = public_key(key.public_key())
        save_private(self._directory / f"tuf-{role}-{public.keyid[:12]}.pem", key)
        return public

    def here(self, role: str) -> dict[str, CryptoSigner]:
        """The keys of `role` that are here, by key id. Raises: KeyFileError."""
        files = sorted(self._directory.glob(f"tuf-{role}-*.pem")) + sorted(
            self._directory.glob(f"tuf-{role}.pem")
        )
        signers = [CryptoSigner(load_private(file, Ed25519PrivateKey)) for file in files]
        return {signer.public_key.keyid: signer for signer in signers}

    def drop(self, role: str, but: Iterable[str]) -> None:
        """Remove the keys of `role` here whose ids are not among `but`. Raises: OSError."""
        kept = {keyid[:12] for keyid in but}
        for file in self._directory.glob(f"tuf-{role}-*.pem"):
            if file.stem.rpartition("-")[2] not in kept:
                file.unlink()

    def sign(self, role: str, metadata: Metadata[Any], keyids: Iterable[str]) -> bytes:
        """`metadata` as bytes, signed by every key of `keyids` that is here.

        Raises: KeyFileError when none is.
        """
        here = self.here(role)
        signers = [here[keyid] for keyid in dict.fromkeys(keyids) if keyid in here]
        if not signers:
            raise KeyFileError(f"{self._directory}/tuf-{role}-*.pem: no key that may sign {role!r} is here")
        metadata.signatures.clear()
        for signer in signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()
