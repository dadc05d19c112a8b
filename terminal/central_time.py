"""The time that central signed, as the sync daemon leaves it in clock.json, and when it may be used.

The file holds the statement, the nonce that it answers, and when by CLOCK_BOOTTIME of which boot it came. The
terminal believes the statement alone: it checks the signature with the keys of its own verified roster. Of
another boot, or before what is certainly past, it is refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError
from hw.clock import Anchor, Basis, Source
from terminal.statement import StatementKind, StatementRefused, verify_statement

MAX_ROUND_TRIP = 2.0  # seconds; a later answer says too little
NONCE_BYTES = 16
MAX_FILE = 4096  # bytes
_WITHIN = 0.5  # seconds: a statement names the second, not when in it


class TimeRefused(CampusgateError, ValueError):
    """Raised when an offered time must not be used; says why."""


def offered(statement: bytes, nonce: bytes, *, boot: str, sent: float, received: float) -> bytes:
    """The contents of clock.json. sent, received: uptimes in seconds."""
    document = {
        "statement": base64.b64encode(statement).decode("ascii"),
        "nonce": base64.b64encode(nonce).decode("ascii"),
        "boot": boot,
        "uptime": round((sent + received) / 2, 6),
        "uncertainty": round((received - sent) / 2, 6),
    }
    return json.dumps(document).encode()


def anchor(
    data: bytes, keys: Sequence[Ed25519PublicKey], *, device: str, boot: str, uptime: float, floor: datetime
) -> Anchor:
    """The time in `data`, the contents of clock.json, if it is central's and may be used in this boot.

    boot, uptime: of now. floor: a time that is certainly past. Raises: TimeRefused.
    """
    try:
        document = json.loads(data)
        statement = base64.b64decode(document["statement"], validate=True)
        nonce = base64.b64decode(document["nonce"], validate=True)
        of_boot, at = str(document["boot"]), float(document["uptime"])
        half = float(document["uncertainty"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise TimeRefused(f"is damaged: {error!r:.80}") from error
    if len(nonce) != NONCE_BYTES or not 0 <= half <= MAX_ROUND_TRIP / 2 or not at >= 0:
        raise TimeRefused("is damaged: nonce, uptime or uncertainty are none")
    if not boot or of_boot != boot or at > uptime:
        raise TimeRefused("is of another boot")
    try:
        said = verify_statement(statement, keys, kind=StatementKind.TIME, device=device, nonce=nonce)
        time = datetime.fromtimestamp(said.issued_at, UTC) + timedelta(seconds=_WITHIN)
        found = Anchor(time, Basis(Source.CENTRAL, boot, at), half + _WITHIN)
        now = found.at(uptime)
    except (StatementRefused, ValueError, OverflowError, OSError) as error:
        raise TimeRefused(str(error)) from error
    if now < floor:
        raise TimeRefused(f"says {now:%Y-%m-%d %H:%M} UTC, before {floor:%Y-%m-%d %H:%M}, which is past")
    return found
