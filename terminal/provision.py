"""Provisioning: the files that make a machine one particular terminal, and the trust it starts from.

Keys are made here, on the terminal, and the private ones never leave it. What comes from central is public:
the TUF root of trust and the key that records are sealed to.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from config.errors import KeyFileError
from config.files import private_directory, sync_directory, write_atomic
from config.keys import load_private, load_public, parse_public, public_pem, save_private
from config.settings import Settings

_DEVICE_KEY = "device.pem"
_NEXT_KEY = "device-next.pem"  # offered to central, not yet in use
_STATE_KEY = "state.key"
_CENTRAL_KEY = "central-records.pub.pem"
_ROOT = "root.json"

MAINTENANCE_KEY = "maintenance.pub.pem"
"""The public key of the school's maintenance key, among the keys; without it nobody logs in by key."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a provisioned terminal holds: its state key, and central's public key and root of trust."""

    state_key: bytes
    central_key: X25519PublicKey
    root: bytes


def provision(
    settings: Settings, *, central_key_pem: str, root: bytes, maintenance_key_pem: str | None = None
) -> str:
    """Make this machine the terminal of `settings`; the PEM of its public key, for central to register.

    What is already here is kept, so that running it again changes nothing but central's side.
    maintenance_key_pem: of the school's maintenance key, an Ed25519 public key, if it has one.
    Raises: KeyFileError when a key is not what it should be, or when this machine trusts another central or
    maintenance key already; OSError.
    """
    parse_public(central_key_pem, X25519PublicKey, source="central's record key")
    if maintenance_key_pem is not None:
        parse_public(maintenance_key_pem, Ed25519PublicKey, source="the maintenance key")
    directory = private_directory(settings.keys)
    if not (directory / _DEVICE_KEY).exists():
        save_private(directory / _DEVICE_KEY, Ed25519PrivateKey.generate())
    if not (directory / _STATE_KEY).exists():
        write_atomic(directory / _STATE_KEY, secrets.token_bytes(32), mode=0o600)
    for name, trusted in ((_CENTRAL_KEY, central_key_pem.encode()), (_ROOT, root)):
        changed_by = f"this machine trusts another central; remove {directory} to change it"
        _keep(directory / name, trusted, changed_by)
    if maintenance_key_pem is not None:
        path = directory / MAINTENANCE_KEY
        changed_by = "this machine trusts another maintenance key; remove that file to change it"
        _keep(path, maintenance_key_pem.encode(), changed_by)
    return public_pem(device_key(settings).public_key())


def _keep(path: Path, trusted: bytes, otherwise: str) -> None:
    if not path.exists():
        write_atomic(path, trusted, mode=0o600)
    elif path.read_bytes() != trusted:
        raise KeyFileError(f"{path}: {otherwise}")


def is_provisioned(settings: Settings) -> bool:
    """Whether this machine has a device key."""
    return (settings.keys / _DEVICE_KEY).exists()


def forget_keys(settings: Settings, *, but_device_key: bool) -> None:
    """Remove the keys, accounts and trust of a terminal that was never finished. Raises: OSError."""
    if settings.keys.exists():
        for path in settings.keys.iterdir():
            if not but_device_key or path.name != _DEVICE_KEY:
                path.unlink()
        sync_directory(settings.keys)


def device_key(settings: Settings) -> Ed25519PrivateKey:
    """This terminal's own key, which signs batches. Raises: KeyFileError."""
    return load_private(settings.keys / _DEVICE_KEY, Ed25519PrivateKey)


def has_next_key(settings: Settings) -> bool:
    """Whether a new device key was made that is not yet in use."""
    return (settings.keys / _NEXT_KEY).exists()


def next_key(settings: Settings) -> Ed25519PrivateKey:
    """The device key to come, made when there is none yet. Raises: KeyFileError, OSError."""
    path = settings.keys / _NEXT_KEY
    if not path.exists():
        save_private(path, Ed25519PrivateKey.generate())
    return load_private(path, Ed25519PrivateKey)


def adopt_next_key(settings: Settings) -> None:
    """Put the next device key in place of the present one, durably and at once. Raises: OSError."""
    (settings.keys / _NEXT_KEY).replace(settings.keys / _DEVICE_KEY)
    sync_directory(settings.keys)


def discard_next_key(settings: Settings) -> None:
    """Forget the next device key."""
    (settings.keys / _NEXT_KEY).unlink(missing_ok=True)


def trust(settings: Settings) -> Trust:
    """What this terminal trusts. Raises: KeyFileError when it is not provisioned."""
    state_key, root = (_bytes(settings.keys / name) for name in (_STATE_KEY, _ROOT))
    if len(state_key) != 32:
        raise KeyFileError(f"{settings.keys / _STATE_KEY}: is not 32 bytes; provision this terminal again")
    return Trust(state_key, load_public(settings.keys / _CENTRAL_KEY, X25519PublicKey), root)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot be read ({error.strerror}); see `campusgate terminal init`"
        ) from error
