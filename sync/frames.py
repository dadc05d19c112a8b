"""The records file: a terminal's sealed records on a USB stick, in signed frames that hang together.

UTF-8 text in lines, each a JSON object in canonical form (RFC 8785) and ended by a line feed (JSON Lines):

    {"device":"north-gate-1","first":1,"format":"campusgate-records","version":1}
    {"events":[{...},{...}],"jws":"eyJhbGciOiJFZERTQSIs..c2lnbmF0dXJl"}
    {"events":[],"jws":"..."}

The first line is the header; `first` is the sequence number that the first frame begins with. Every other
line is a frame. Its `events` are a CloudEvents batch, as in a POST to /v1/batches (see protocol.py), in order
and without gaps from frame to frame. Its `jws` is the device's signature over that array: a JWS in compact
serialisation with detached content (RFC 7515, appendix F) that is not encoded (RFC 7797), by EdDSA with
Ed25519 (RFC 8037). So what is signed is the protected header in base64url, a full stop, and the array in
canonical form. The protected header is, also in canonical form,

    {"alg":"EdDSA","b64":false,"crit":["b64"],"frame":1,"kid":"north-gate-1","previous":"...","typ":...}

frame: the frame's number, from 1. previous: SHA-256 as hex of the line before, without its line feed; for
the first frame that is the header. So no frame can be dropped, moved, repeated or put into another file. typ:
"campusgate-records". A frame without events is the end: nothing follows it. A file without an end was cut
off; its whole frames are good.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.errors import CampusgateError
from sync.protocol import MAX_BODY, batch_body, decode_base64url, encode_base64url
from terminal.events import Event, canonical, parse_event

FORMAT, VERSION = "campusgate-records", 1
MAX_HEADER = 512  # bytes
MAX_LINE = MAX_BODY + 4096  # bytes, of a frame


class FrameError(CampusgateError, ValueError):
    """Raised when a line of a records file is not what its device wrote there."""


class Torn(FrameError):
    """Raised when a records file ends in the middle of a line."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One verified frame. number: from 1. ends_at: bytes of the file up to its end. key: what signed it."""

    number: int
    events: tuple[Event, ...]
    ends_at: int
    key: Ed25519PublicKey

    @property
    def is_end(self) -> bool:
        """Whether nothing follows it."""
        return not self.events


@dataclass(frozen=True, slots=True)
class Link:
    """What the next frame continues: its number, and the digest of the line before it."""

    number: int
    previous: str


def first_line(device: str, first: int) -> tuple[bytes, Link]:
    """The first line of a file of `device` that begins with the record `first`, and what continues it."""
    line = canonical({"format": FORMAT, "version": VERSION, "device": device, "first": first}).encode()
    return line + b"\n", Link(1, _digest(line))


class FrameWriter:
    """Makes the frames of `device`'s file, one after the other. link: what the first of them continues."""

    def __init__(self, device: str, key: Ed25519PrivateKey, link: Link) -> None:
        self._device, self._key, self._link = device, key, link

    def frame(self, events: Sequence[Event]) -> bytes:
        """The next frame; without events, the end."""
        protected = _protected(self._device, self._link)
        payload = batch_body(events)
        signature = self._key.sign(protected.encode() + b"." + payload)
        line = _line(payload, f"{protected}..{encode_base64url(signature)}")
        self._link = Link(self._link.number + 1, _digest(line))
        return line + b"\n"


class FrameReader:
    """The records file in `source`, read once from its start, holding one frame at a time.

    Raises: FrameError when it does not begin with a header; Torn when it ends within that.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        line = _whole_line(source, MAX_HEADER, "the header")
        try:
            header = json.loads(line)
            self.device, self.first = str(header["device"]), int(header["first"])
            made, self.link = first_line(self.device, self.first)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FrameError("does not begin with the header of a campusgate records file") from error
        if made[:-1] != line or self.first < 1:
            raise FrameError(f"its header is not that of a {FORMAT} file of version {VERSION}")
        self.size = len(line) + 1
        """Bytes up to the end of what was read and verified."""

    def frames(self, keys: Sequence[Ed25519PublicKey]) -> Iterator[Frame]:
        """The frames, each verified with one of `keys`, up to the end of the file.

        Raises: FrameError at the first line that is no frame, or is not the next; Torn when the file is cut
        off within a line. What was given before is good.
        """
        ended, following = False, self.first
        while line := self._source.readline(MAX_LINE + 1):
            if ended:
                raise FrameError("something follows its end")
            if not line.endswith(b"\n"):
                raise _unended(line, f"frame {self.link.number}", MAX_LINE)
            frame = self._verified(line[:-1], keys)
            for event in frame.events:
                if event.device != self.device or event.first > following or event.sequence < following:
                    raise FrameError(f"frame {frame.number} does not go on with record {following}")
                following = event.sequence + 1
            self.size = frame.ends_at
            self.link = Link(frame.number + 1, _digest(line[:-1]))
            ended = frame.is_end
            yield frame

    def _verified(self, line: bytes, keys: Sequence[Ed25519PublicKey]) -> Frame:
        number = self.link.number
        try:
            document = json.loads(line)
            jws = str(document["jws"])
            events = tuple(parse_event(item) for item in document["events"])
            protected, _, encoded = jws.partition("..")
            signature = decode_base64url(encoded)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FrameError(f"frame {number} is not a frame ({type(error).__name__})") from error
        payload = batch_body(events)
        if protected != _protected(self.device, self.link) or _line(payload, jws) != line:
            raise FrameError(f"frame {number} was altered, moved or repeated, or one before it is missing")
        for key in keys:
            try:
                key.verify(signature, protected.encode() + b"." + payload)
            except InvalidSignature:
                continue
            return Frame(number, events, self.size + len(line) + 1, key)
        raise FrameError(f"frame {number} is not signed by {self.device}")


def _whole_line(source: BinaryIO, limit: int, what: str) -> bytes:
    line = source.readline(limit + 1)
    if not line.endswith(b"\n"):
        raise _unended(line, what, limit)
    return line[:-1]


def _unended(line: bytes, what: str, limit: int) -> FrameError:
    if len(line) > limit:
        return FrameError(f"{what} is longer than {limit} bytes")
    return Torn(f"is cut off within {what}")


def _protected(device: str, link: Link) -> str:
    header: dict[str, Any] = {"alg": "EdDSA", "b64": False, "crit": ["b64"], "typ": FORMAT}
    header |= {"kid": device, "frame": link.number, "previous": link.previous}
    return encode_base64url(canonical(header).encode())


def _line(payload: bytes, jws: str) -> bytes:
    return b'{"events":' + payload + b',"jws":' + json.dumps(jws).encode() + b"}"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
