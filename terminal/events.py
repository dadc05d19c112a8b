"""Events: the envelope of a record as it lies on disk and travels, which anyone may read.

An event is a CloudEvents 1.0 JSON event in canonical form (RFC 8785) with extension attributes of ours. Each
carries the SHA-256 digest of the one before, so that a missing, moved or altered one is seen. What happened
is inside, sealed (see records.py).

One kind has nothing inside: LOST stands in the place of records that a damaged disk took for good. It says
which (`lostfrom` to `id`), and the chain goes on after it with the digest that the next record names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from config.errors import CampusgateError
from hw.clock import Source

SCAN = "campusgate.scan.v1"
VIOLATION = "campusgate.violation.v1"
COMMAND = "campusgate.command.v1"
MAINTENANCE = "campusgate.maintenance.v1"
DAMAGE = "campusgate.damage.v1"
LOST = "campusgate.lost.v1"
TYPES = frozenset({SCAN, VIOLATION, COMMAND, MAINTENANCE, DAMAGE, LOST})
CLOCKS = frozenset({"", *map(str, Source)})
FIRST_DIGEST = "0" * 64
_SOURCE = "urn:campusgate:device:"


class RecordError(CampusgateError, ValueError):
    """Raised when an event is malformed or its data cannot be opened."""


@dataclass(frozen=True, slots=True)
class Event:
    """A sealed record in its envelope, and the digest that the next one carries.

    first: the first sequence number that it stands for: its own, but for LOST. resumes: for LOST, the
    `previous` of the record after it, "" when there was none. sealed: empty for LOST. clock: what vouched for
    the time (hw.clock.Source). boot: names the boot. uptime: milliseconds since it began, suspend included
    (CLOCK_BOOTTIME). LOST has none of the three, nor have the records of earlier versions.
    """

    type: str
    device: str
    sequence: int
    previous: str
    time: datetime
    clock_trusted: bool
    sealed: bytes
    text: str  # canonical JSON, exactly what is digested
    first: int
    resumes: str = ""
    clock: str = ""
    boot: str = ""
    uptime: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, as hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def bounds_clock(self) -> bool:
        """Whether the clock cannot be before this; not if staff set it, whose mistakes must be mendable."""
        return self.clock_trusted and self.clock != Source.STAFF

    @property
    def raises_floor(self) -> bool:
        """Whether the terminal's own clock cannot be before this.

        Not what a console hands over: it may be of days ago, and records since then bound the clock better.
        """
        return self.bounds_clock and self.type != MAINTENANCE

    @property
    def chained(self) -> str:
        """The digest that the next record must carry as its `previous`."""
        return self.resumes or self.digest

    def fits(self, sequence: int, digest: str) -> bool:
        """Whether `digest` is what the record `sequence`, which this is or stands for, may have.

        Of lost records only the digest that the next one names is known; without a next one, none.
        """
        if not self.first <= sequence <= self.sequence:
            return False
        if self.type != LOST or digest == self.digest:
            return digest == self.digest
        return sequence < self.sequence or self.resumes in ("", digest)


def source(device: str) -> str:
    """The CloudEvents `source` of a device's records."""
    return _SOURCE + device


def rfc3339(time: datetime) -> str:
    """The aware `time` in UTC with milliseconds (RFC 3339)."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lost(
    device: str, first: int, last: int, *, previous: str, resumes: str, at: datetime, trusted: bool
) -> Event:
    """The event that stands for the records `first` to `last` of `device`, which no longer exist.

    previous: digest of record `first` - 1. resumes: as in `Event`. at, trusted: when it was found out.
    """
    document = {
        "specversion": "1.0",
        "id": str(last),
        "source": source(device),
        "type": LOST,
        "time": rfc3339(at),
        "clocktrusted": trusted,
        "previous": previous,
        "lostfrom": str(first),
    }
    return parse_event(canonical(document | ({"resumes": resumes} if resumes else {})))


def parse_event(data: str | Mapping[str, Any]) -> Event:
    """The event in JSON text or an already parsed object. Raises: RecordError naming the field."""
    try:
        document = orjson.loads(data) if isinstance(data, str) else data
        for key, value in document.items():
            if not key.isascii() or not isinstance(value, (str, bool)):
                raise RecordError("an event holds nothing but texts, true and false, under ASCII names")
        if document["specversion"] != "1.0" or document["type"] not in TYPES:
            raise RecordError(f"specversion must be 1.0 and type one of {', '.join(sorted(TYPES))}")
        name = document["source"].removeprefix(_SOURCE)
        sequence = _number(document["id"])
        if not name or name == document["source"] or sequence < 1:
            raise RecordError("source or id are not a device and a sequence number from 1")
        if not _is_digest(document["previous"]) or not isinstance(document["clocktrusted"], bool):
            raise RecordError("previous must be a SHA-256 in hex and clocktrusted true or false")
        time = datetime.fromisoformat(document["time"])
        if time.tzinfo is None:
            raise RecordError("time has no offset from UTC (RFC 3339)")
        is_lost = document["type"] == LOST
        first = _number(document["lostfrom"]) if is_lost else sequence
        resumes = document.get("resumes", "") if is_lost else ""
        if not 1 <= first <= sequence or (resumes and not _is_digest(resumes)):
            raise RecordError("lostfrom must be a sequence number up to id, and resumes a SHA-256 in hex")
        boot, uptime = document.get("boot", ""), document.get("uptime")
        if boot != "" and not re.fullmatch("[0-9a-f]{16}", boot):
            raise RecordError("boot must be 16 hex digits")
        milliseconds = None if uptime is None else _number(uptime)
        if milliseconds is not None and not 0 <= milliseconds < 2**63:
            raise RecordError("uptime must be milliseconds, less than 2^63")
        clock = document.get("clock", "")
        if clock not in CLOCKS:
            raise RecordError(f"clock must be one of {', '.join(Source)}")
        text = canonical(document)  # refuses half a character, for which no digest is defined
        return Event(
            type=document["type"],
            device=name,
            sequence=sequence,
            previous=document["previous"],
            time=time.astimezone(UTC),
            clock_trusted=document["clocktrusted"],
            sealed=b"" if is_lost else base64.b64decode(document["data_base64"], validate=True),
            text=text,
            first=first,
            resumes=resumes,
            clock=str(clock),
            boot=boot,
            uptime=milliseconds,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"not a campusgate event: {error!r:.100}") from error


def canonical(document: Mapping[str, Any]) -> str:
    """Canonical JSON (RFC 8785) of strings, booleans, whole numbers below 2^53 and ASCII keys: for those,
    sorting by code point and the shortest escapes are what the RFC asks. Raises: TypeError for half a
    character, and for a number of more than 64 bits."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def _number(text: str) -> int:
    number = int(text)
    if str(number) != text:
        raise RecordError(f"{text!r:.40} is not a sequence number")
    return number


def _is_digest(text: str) -> bool:
    return len(text) == 64 and len(bytes.fromhex(text)) == 32
