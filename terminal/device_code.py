"""The device code: what the terminal's own screen shows for phones to scan (R15), and how central checks it.

It is a CWT in a COSE_Sign1 signed with the device's Ed25519 key, in a URL: which device, at which place, at
what time. It says where somebody is, and opens nothing: no gate takes a code that is signed with EdDSA, so a
stolen terminal still mints neither a personal code nor a pass. CODES.md specifies the format.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey

from config.errors import KeyFileError
from config.keys import private_pem
from config.settings import Settings
from hw.clock import Moment
from terminal.codes import Claim, place_name
from terminal.cose import EDDSA, CodeRefused, check, take_apart
from terminal.provision import device_key
from terminal.reasons import Reason

log = logging.getLogger(__name__)

RENEW_AFTER = 30  # seconds that one code stays on the screen
FRESH = 90  # seconds: on the screen, and then the person reads, fills in and submits
SKEW = 30  # seconds between the clocks of terminal and central
MAX_URL = 1024  # characters
MAX_DEVICE = 63  # characters, as a device's name may have


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A device code whose signature is verified. issued_at: Unix seconds. digest: of the signed bytes."""

    device: str
    place: str
    issued_at: int
    digest: str


class DeviceCodes:
    """The codes of one terminal, made as they are needed.

    url: what each begins with. key: gives the device's key; asked each time, since the key may be renewed.
    """

    def __init__(self, url: str, *, device: str, place: str, key: Callable[[], Ed25519PrivateKey]) -> None:
        self._url, self._device, self._place, self._key = url, device, place, key
        self._text, self._issued_at = "", 0

    @classmethod
    def of(cls, settings: Settings) -> DeviceCodes | None:
        """Those that `settings` ask for, if they do."""
        url, device = settings.screen.device_code_url, settings.device
        if url is None:
            return None
        return cls(url, device=device.name, place=device.place, key=lambda: device_key(settings))

    def current(self, now: Moment) -> str:
        """The code to show now; "" while the clock is not trusted: it would vouch for a wrong time.

        Also "" when there is no key to sign it with. Never raises.
        """
        at = int(now.wall.timestamp())
        if not now.trusted:
            self._text = ""
        elif not self._text or not 0 <= at - self._issued_at < RENEW_AFTER:  # a clock that is set renews it
            self._text, self._issued_at = self._made(at), at
        return self._text

    def _made(self, at: int) -> str:
        try:
            key = self._key()
        except KeyFileError as error:
            log.error("no device code: %s", error)
            return ""
        return device_code(self._url, device=self._device, place=self._place, issued_at=at, key=key)


def device_code(url: str, *, device: str, place: str, issued_at: int, key: Ed25519PrivateKey) -> str:
    """The text of a device code: `url`, then the token in base64url. issued_at: Unix seconds."""
    claims = {int(Claim.ISS): device, int(Claim.IAT): issued_at, int(Claim.PLACE): place}
    header = {1: EDDSA, 4: bytes.fromhex(device_key_id(key.public_key()))}
    cose_key = COSEKey.from_pem(private_pem(key), alg="EdDSA")
    token = COSE.new().encode(cbor2.dumps(claims), cose_key, protected=header)
    return url + base64.urlsafe_b64encode(token).decode("ascii").rstrip("=")


def verify_device_code(
    text: str,
    keys: Callable[[str], Iterable[Ed25519PublicKey]],
    *,
    now: int,
    fresh: int = FRESH,
    skew: int = SKEW,
) -> DeviceCode:
    """The device code in `text`, a URL or the token alone, if it is genuine and fresh. For central.

    keys: gives the keys that are trusted now for a device's name, none if it is not. now: Unix seconds;
    fresh and skew: seconds.
    Raises: CodeRefused.
    """
    if len(text) > MAX_URL:
        raise CodeRefused(Reason.CODE_OVERSIZE, f"{len(text)} characters; at most {MAX_URL}")
    signed = take_apart(_token(text), algorithm=EDDSA)
    try:
        device = _device_name(signed.claims[Claim.ISS])
        place = place_name(signed.claims[Claim.PLACE])
        issued_at = _time(signed.claims[Claim.IAT])
    except (KeyError, ValueError) as error:
        raise CodeRefused(Reason.CODE_DAMAGED, f"a claim is malformed: {error!r:.80}") from error
    key = next((one for one in keys(device) if signed.key_id == device_key_id(one)), None)
    if key is None:
        raise CodeRefused(Reason.CODE_ISSUER_UNKNOWN, f"{device} has no key {signed.key_id or '(none)'}")
    check(signed, key)
    if issued_at - now > skew:
        raise CodeRefused(Reason.CODE_FUTURE, f"made {issued_at - now} s from now")
    if now - issued_at > fresh + skew:
        raise CodeRefused(Reason.CODE_STALE, f"made {now - issued_at} s ago")
    return DeviceCode(device, place, issued_at, signed.digest)


def device_key_id(key: Ed25519PublicKey) -> str:
    """The id of a device's key: the first 8 bytes of SHA-256 over its 32 bytes, as hex."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()[:8].hex()


def _token(text: str) -> bytes:
    """The bytes behind the last "#" or "=" of a URL: base64url has neither, once its padding is left out."""
    encoded = text[max(text.rfind("#"), text.rfind("=")) + 1 :]
    if not encoded or not encoded.isascii() or not encoded.replace("-", "").replace("_", "").isalnum():
        raise CodeRefused(Reason.CODE_FOREIGN, "holds no base64url")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError as error:
        raise CodeRefused(Reason.CODE_DAMAGED, "is not base64url") from error


def _time(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError("iat is not a time")
    return value


def _device_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_DEVICE:
        raise ValueError("iss is not the name of a device")
    return value
