"""A person as the roster knows them, one line of JSON each, and how much of a name a gate may show."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a person's number may look like: it goes into file names, codes and JSON unescaped."""


class PersonKind(StrEnum):
    """Whom the regulation covers (R1)."""

    STUDENT = "student"
    STAFF = "staff"
    WORKER = "worker"
    VISITOR = "visitor"


class Status(StrEnum):
    """Whether a person's code opens anything at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the roster. keys: compressed P-256 points (33 bytes each) of the person's phones."""

    subject: str
    name: str
    kind: PersonKind
    status: Status = Status.ACTIVE
    keys: tuple[bytes, ...] = ()

    def to_line(self) -> bytes:
        """The person's roster line, without its end; `sub` comes first, so that a lookup need not parse."""
        document = {
            "sub": self.subject,
            "name": self.name,
            "kind": str(self.kind),
            "status": str(self.status),
            "keys": [base64.urlsafe_b64encode(key).decode("ascii") for key in self.keys],
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_line(cls, line: bytes) -> Person:
        """The person in a roster line. Raises: ValueError when it is malformed."""
        try:
            document: dict[str, Any] = json.loads(line)
            return cls(
                subject=document["sub"],
                name=document["name"],
                kind=PersonKind(document["kind"]),
                status=Status(document["status"]),
                keys=tuple(base64.urlsafe_b64decode(key) for key in document["keys"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"malformed roster line: {error!r:.80}") from error


def find_line(shard: bytes, subject: str) -> bytes | None:
    """The line of `subject` in a shard (lines end with a newline), or None.

    Only whole lines match: `subject` has no character that JSON escapes, so its bytes stand as they are.
    """
    start = shard.find(b'{"sub":"%s",' % subject.encode())
    if start < 0 or (start > 0 and shard[start - 1 : start] != b"\n"):
        return None
    end = shard.find(b"\n", start)
    return shard[start:end] if end >= 0 else None


def masked(name: str) -> str:
    """`name` as a gate may show it: "张伟" gives "张*", "Li Wei" gives "L*** W***"."""
    if not name:
        return ""
    if name.isascii():
        return " ".join(f"{word[0]}***" for word in name.split())
    return name[0] + "*" * (len(name) - 1)
