"""Central's receipt as the two processes share it: a small file that the sync daemon writes, atomically.

It says up to which sequence central has everything, and the digest of that record, so that a receipt for
records that were never sent is seen to be false. It also remembers which later records central has already.
A checksum tells a number that the disk altered: it would pass for records that are gone from the journal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from config.files import write_atomic
from terminal.events import FIRST_DIGEST


@dataclass(frozen=True, slots=True)
class Span:
    """Central has the records `first` to `through`, whose digest is `digest`, ahead of others."""

    first: int
    through: int
    digest: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Central has all records up to and including sequence `through`, whose digest is `digest`.

    ahead: what it has beyond a hole after that, in order.
    """

    through: int = 0
    digest: str = FIRST_DIGEST
    ahead: tuple[Span, ...] = ()

    @property
    def count(self) -> int:
        """How many records central has."""
        return self.through + sum(span.through - span.first + 1 for span in self.ahead)

    def lacking(self, newest: int) -> int:
        """How many records of a journal up to `newest` central lacks: all, if this is of another journal."""
        beyond = max([self.through, *(span.through for span in self.ahead)]) > newest
        return newest if beyond else newest - self.count

    def advanced(self, through: int, digest: str, live: Span | None = None) -> Receipt:
        """The receipt after central's answer; `live` is the span that it has just told of.

        A span that touches another, or what is contiguous, would have been joined with it if central had
        both: so the one that the answer does not speak of is forgotten, and sent again.
        """
        spans = [
            span
            for span in self.ahead
            if not live or span.through < live.first - 1 or span.first > live.through + 1
        ]
        spans = sorted([*spans, *([live] if live else [])], key=lambda span: span.first)
        return Receipt(through, digest, tuple(span for span in spans if span.first > through + 1))

    def without_ahead(self) -> Receipt:
        """The same without the spans: their records are sent again."""
        return replace(self, ahead=())

    def save(self, path: Path) -> None:
        """Write it to `path`, durably. Raises: OSError."""
        document = asdict(self)
        document["sha256"] = _checksum(document)
        write_atomic(path, json.dumps(document).encode(), mode=0o640)

    @classmethod
    def load(cls, path: Path) -> Receipt:
        """The receipt at `path`; the empty one when there is none or it is damaged.

        Forgetting a receipt costs only that records are sent again, which central recognises.
        """
        try:
            document = json.loads(path.read_bytes())
            through, digest = document["through"], document["digest"]
            if not _is_sequence(through) or len(bytes.fromhex(digest)) != 32:
                return cls()
            # Earlier versions wrote none.
            if "sha256" in document and document.pop("sha256") != _checksum(document):
                return cls()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return cls()
        return cls(through, digest, _ahead(document.get("ahead", []), through))


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _ahead(spans: Any, through: int) -> tuple[Span, ...]:
    """The spans in a receipt file, which come after `through` with holes between; none if any is bad."""
    ahead: list[Span] = []
    try:
        for document in spans:
            span = Span(document["first"], document["through"], document["digest"])
            sound = _is_sequence(span.first) and _is_sequence(span.through)
            if not sound or not through + 1 < span.first <= span.through:
                return ()
            if len(bytes.fromhex(span.digest)) != 32:
                return ()
            ahead.append(span)
            through = span.through
    except (KeyError, TypeError, ValueError):
        return ()
    return tuple(ahead)


def _is_sequence(number: object) -> bool:
    return type(number) is int and 0 <= number < 2**63
