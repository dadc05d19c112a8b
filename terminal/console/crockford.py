"""Base 32 after Douglas Crockford (https://www.crockford.com/base32.html): for texts that go through hands.

No I, L, O or U is written; when read, I and L are taken for 1, O for 0; case, blanks and dashes do not count.
"""

from __future__ import annotations

import base64

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_RFC4648 = str.maketrans(ALPHABET, _RFC4648)
_FROM_RFC4648 = str.maketrans(_RFC4648, ALPHABET)
_READ = str.maketrans("ILO", "110", "-")


def plain(text: str) -> str:
    """`text` without what does not count."""
    return "".join(text.split()).upper().translate(_READ)


def encode(data: bytes) -> str:
    """`data`, a multiple of 5 bytes, 8 characters for each 5."""
    return base64.b32encode(data).decode("ascii").translate(_FROM_RFC4648)


def decode(text: str) -> bytes:
    """What `encode` was given. Raises: ValueError."""
    digits = plain(text)
    if not set(digits) <= set(ALPHABET):
        raise ValueError("holds other characters than those of base 32")
    return base64.b32decode(digits.translate(_TO_RFC4648))
