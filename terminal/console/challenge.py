"""Challenge and response: how staff who carry no password log in, by the school's maintenance key.

The console shows a challenge, DEVICE.NONCE in one word; `campusgate answer` signs it on a laptop, without a
network; the response (see response.py) is good once, within ten minutes. The nonce is followed by four bytes
of SHA-256 over device and nonce, so that a slip in copying by hand is seen where it is made.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError
from terminal.console import crockford
from terminal.console.attempts import boot_time
from terminal.console.response import Response, ResponseRefused, verify_response

GOOD_FOR = 600.0  # seconds
_NONCE_BYTES, _CHECK_BYTES = 16, 4  # 20 bytes are 32 characters of base 32
_SHOWN_FOR = 300.0  # seconds: whoever copies it has as many again
_KEPT = 16  # challenges, to tell a late or second answer from a strange one
_MAX_TEXT = 256  # characters
_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class ChallengeRefused(CampusgateError, ValueError):
    """Raised when a text is no challenge, or was not copied right."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a console asks to have signed."""

    device: str
    nonce: bytes

    @property
    def text(self) -> str:
        """It as one word."""
        return f"{self.device}.{crockford.encode(self.nonce + self._check)}"

    @property
    def _check(self) -> bytes:
        return hashlib.sha256(f"{self.device}.".encode() + self.nonce).digest()[:_CHECK_BYTES]

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """The challenge that `text` is; case and blanks do not count. Raises: ChallengeRefused."""
        device, _, encoded = "".join(text[:_MAX_TEXT].split()).lower().partition(".")
        try:
            data = crockford.decode(encoded)
        except ValueError:
            data = b""
        found = cls(device, data[:_NONCE_BYTES])
        if not _DEVICE.fullmatch(device) or len(data) != _NONCE_BYTES + _CHECK_BYTES:
            raise ChallengeRefused(
                f"{text!r:.80}: is no challenge; it looks like {cls('north-gate-1', bytes(16)).text}"
            )
        if data[_NONCE_BYTES:] != found._check:
            raise ChallengeRefused(f"{text!r:.80}: was not copied right; look for one wrong character")
        return found


@dataclass(slots=True)
class _Issued:
    challenge: Challenge
    uptime: float
    used: bool = False


class Challenges:
    """The challenges of one console, in memory: a restart forgets them. uptime: gives seconds since boot."""

    def __init__(self, device: str, *, uptime: Callable[[], float] = boot_time) -> None:
        self._device, self._uptime = device, uptime
        self._issued: list[_Issued] = []

    def current(self) -> Challenge:
        """The challenge to show now: the last one, unless it was used or has been shown for five minutes."""
        now = self._uptime()
        if self._issued:
            last = self._issued[-1]
            if not last.used and now - last.uptime < _SHOWN_FOR:
                return last.challenge
        challenge = Challenge(self._device, secrets.token_bytes(_NONCE_BYTES))
        self._issued = [*self._issued[1 - _KEPT :], _Issued(challenge, now)]
        return challenge

    def answered(self, text: str, key: Ed25519PublicKey) -> Response:
        """The response in `text`, which uses its challenge up. Raises: ResponseRefused."""
        response = verify_response(text, key)
        if response.device != self._device:
            raise ResponseRefused(f"answers a challenge of {response.device!r:.80}, not of {self._device}")
        issued = next((one for one in self._issued if one.challenge.nonce == response.nonce), None)
        if issued is None:
            raise ResponseRefused("answers no challenge of this console; answer the one that it shows now")
        if issued.used:
            raise ResponseRefused("was used already; answer the challenge that is shown now")
        if self._uptime() - issued.uptime > GOOD_FOR:
            raise ResponseRefused(f"came after {GOOD_FOR / 60:.0f} minutes; answer the challenge shown now")
        issued.used = True
        return response
