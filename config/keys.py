"""Key files: PEM on disk, 0600, made once, never printed.

Private keys are PKCS #8 (RFC 5958), public ones SubjectPublicKeyInfo (RFC 5280). A private key that others
may read is refused rather than used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from config.errors import KeyFileError
from config.files import private_directory, write_atomic

PrivateKey = Ed25519PrivateKey | X25519PrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | X25519PublicKey | EllipticCurvePublicKey

K = TypeVar("K", Ed25519PrivateKey, X25519PrivateKey, EllipticCurvePrivateKey)
P = TypeVar("P", Ed25519PublicKey, X25519PublicKey, EllipticCurvePublicKey)


def new_p256() -> EllipticCurvePrivateKey:
    """A fresh ES256 key: P-256 (FIPS 186-5), the curve phone key stores and WebCrypto have."""
    return generate_private_key(SECP256R1())


def save_private(path: Path, key: PrivateKey) -> None:
    """Write `key` to `path` as PEM, readable by its owner alone.

    Raises: KeyFileError when `path` exists (a key is never overwritten); OSError.
    """
    if path.exists():
        raise KeyFileError(f"{path}: a key is already here; remove it by hand if it must be replaced")
    private_directory(path.parent)
    write_atomic(path, private_pem(key).encode(), mode=0o600)


def load_private(path: Path, kind: type[K]) -> K:
    """The private key at `path`.

    Raises: KeyFileError when it is missing, is readable by others, or is not a key of `kind`.
    """
    try:
        mode = path.stat().st_mode & 0o777
        data = path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot be read ({error.strerror}); provision this machine first"
        ) from error
    if mode & 0o077:
        raise KeyFileError(f"{path}: mode {mode:04o} lets others read a private key; run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path}: is not a PEM private key") from error
    if not isinstance(key, kind):
        raise KeyFileError(f"{path}: holds a key of another kind than {kind.__name__}")
    return key


def private_pem(key: PrivateKey) -> str:
    """`key` as PEM text, for a library that takes nothing else: never to be shown or logged."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def public_pem(key: PublicKey) -> str:
    """`key` as PEM text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def parse_public(pem: str, kind: type[P], *, source: str) -> P:
    """The public key in the PEM text `pem`; `source` names it in an error.

    Raises: KeyFileError when it is not a public key of `kind`.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{source}: is not a PEM public key") from error
    if not isinstance(key, kind):
        raise KeyFileError(f"{source}: holds a key of another kind than {kind.__name__}")
    return key


def load_public(path: Path, kind: type[P]) -> P:
    """The public key in the PEM file `path`. Raises: KeyFileError."""
    try:
        pem = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read; provision this machine first") from error
    return parse_public(pem, kind, source=str(path))
