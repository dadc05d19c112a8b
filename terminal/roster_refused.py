"""Why a roster is refused: every failure of opening one has one reason, which staff and central are told."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root

from config.errors import CampusgateError
from terminal.reasons import Reason

_BY_ERROR = (
    (ExpiredMetadataError, Reason.ROSTER_EXPIRED),
    (BadVersionNumberError, Reason.ROSTER_ROLLED_BACK),
    (DownloadLengthMismatchError, Reason.ROSTER_OVERSIZE),
    (DownloadHTTPError, Reason.ROSTER_MISSING),
    (FileNotFoundError, Reason.ROSTER_MISSING),
)


class RosterRefused(CampusgateError, ValueError):
    """Raised when roster or policy are missing, altered, expired or rolled back; `reason` says which."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


def refusal(error: Exception, mirror: Path, trust: Path) -> RosterRefused:
    """What `error`, raised while opening the roster on `mirror`, is called."""
    if isinstance(error, RosterRefused):
        return error
    timestamp = b""
    if isinstance(error, UnsignedMetadataError):  # only then is it surely a file that ends, and no device
        with contextlib.suppress(OSError), (mirror / "metadata" / "timestamp.json").open("rb") as file:
            timestamp = file.read(65_536)
    return RosterRefused(reason_of(error, timestamp, trust), f"{mirror}: {error}")


def reason_of(error: Exception, timestamp: bytes, trust: Path) -> Reason:
    """What `error` is called, which python-tuf's client raised over that timestamp.json."""
    if isinstance(error, UnsignedMetadataError) and _signed_by_strangers(timestamp, trust):
        return Reason.ROSTER_WRONG_KEYS
    return next((reason for kind, reason in _BY_ERROR if isinstance(error, kind)), Reason.ROSTER_ALTERED)


def _signed_by_strangers(timestamp: bytes, trust: Path) -> bool:
    """Whether no signature of timestamp.json even claims a key of the trusted root.

    Only that file's signature can fail: it pins the digest of the next, and so on. An altered file still
    names the right key.
    """
    try:
        root = Metadata[Root].from_file(str(trust / "root.json")).signed
        document = json.loads(timestamp)
        claimed = {signature["keyid"] for signature in document["signatures"]}
    except Exception:  # noqa: BLE001 - whatever it is, it names no key
        return False
    return bool(claimed) and not claimed & set(root.roles["timestamp"].keyids)
