"""Key files: readable by their owner alone, of the kind that is expected, never overwritten, never quoted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from config.errors import KeyFileError
from config.keys import load_private, load_public, new_p256, parse_public, public_pem, save_private

KINDS = {
    Ed25519PrivateKey: Ed25519PrivateKey.generate,
    X25519PrivateKey: X25519PrivateKey.generate,
    EllipticCurvePrivateKey: new_p256,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "device.pem"
    save_private(path, Ed25519PrivateKey.generate())
    return path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_saved_key_comes_back_as_it_was_and_only_its_owner_can_read_it(kind: type, tmp_path: Path) -> None:
    path, key = tmp_path / "keys" / "k.pem", KINDS[kind]()
    save_private(path, key)
    assert public_pem(load_private(path, kind).public_key()) == public_pem(key.public_key())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777, 0o610])
def test_a_key_that_others_can_read_is_refused_with_the_remedy(mode: int, file: Path) -> None:
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o} .*chmod 600"):
        load_private(file, Ed25519PrivateKey)


def test_a_key_is_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(KeyFileError, match="already here"):
        save_private(file, Ed25519PrivateKey.generate())
    assert file.read_bytes() == before


def test_a_key_of_another_kind_is_refused(file: Path) -> None:
    with pytest.raises(KeyFileError, match="another kind than X25519PrivateKey"):
        load_private(file, X25519PrivateKey)
    pem = public_pem(load_private(file, Ed25519PrivateKey).public_key())
    with pytest.raises(KeyFileError, match="here: holds a key of another kind than X25519PublicKey"):
        parse_public(pem, X25519PublicKey, source="here")


def encrypted(file: Path) -> bytes:
    key = load_private(file, Ed25519PrivateKey)
    secrecy = serialization.BestAvailableEncryption(b"x")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secrecy)


UNKNOWN_KIND = b"-----BEGIN PRIVATE KEY-----\nMAsCAQAwBgYEKgMEBQ==\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("how", ["empty", "garbage", "cut", "encrypted", "public", "unknown kind"])
def test_what_is_no_private_key_is_refused_without_quoting_it(how: str, file: Path) -> None:
    data = file.read_bytes()
    secret = data.splitlines()[1].decode()
    file.write_bytes(
        {
            "empty": b"",
            "garbage": bytes(range(256)),
            "cut": data[: len(data) // 2],
            "encrypted": encrypted(file),
            "public": public_pem(load_private(file, Ed25519PrivateKey).public_key()).encode(),
            "unknown kind": UNKNOWN_KIND,
        }[how]
    )
    with pytest.raises(KeyFileError, match=r"device\.pem: is not a PEM private key") as caught:
        load_private(file, Ed25519PrivateKey)
    assert secret[10:] not in str(caught.value)


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"k\.pem: cannot be read .*provision"):
        load_private(tmp_path / "k.pem", Ed25519PrivateKey)
    with pytest.raises(KeyFileError, match=r"k\.pem: cannot be read"):
        load_public(tmp_path / "k.pem", Ed25519PublicKey)


@pytest.mark.parametrize("data", [b"", b"\xff", "北".encode(), b"-----BEGIN PUBLIC KEY-----\n"])
def test_a_public_key_file_that_is_none_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.pem"
    path.write_bytes(data)
    with pytest.raises(KeyFileError, match=r"p\.pem"):
        load_public(path, Ed25519PublicKey)


def test_no_error_ever_holds_the_text_of_a_key(file: Path) -> None:
    secret = file.read_text("ascii").splitlines()[1]
    for mode, kind in ((0o644, Ed25519PrivateKey), (0o600, X25519PrivateKey)):
        file.chmod(mode)
        with pytest.raises(KeyFileError) as caught:
            load_private(file, kind)
        assert secret not in str(caught.value)
