"""A person as the roster knows them, one line of JSON each, and how much of a name a gate may show."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal
from unicodedata import east_asian_width

from terminal.declaration import Declaration

SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a person's number may look like: it goes into file names, codes and JSON unescaped."""


NameDisplay = Literal["masked", "family", "hidden", "full"]
"""How much of a name a gate shows: see `shown`."""

# Family names of two characters, the commonest of 百家姓; every other Chinese family name has one.
_COMPOUND = frozenset(
    re.findall(
        "..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容"
        "仲孙钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐"
        "段干百里呼延东郭南门羊舌微生梁丘左丘东门西门第五",
    )
)


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
    ISOLATED = "isolated"  # told to isolate (R22): lifted by whoever said so
    REVOKED = "revoked"  # for good: no import brings them back


@dataclass(frozen=True, slots=True)
class Absence:
    """An absence reported in advance (R12): check-ins in it may be made up until `make_up_until`.

    start, end, make_up_until: Unix seconds.
    """

    start: int
    end: int
    make_up_until: int


@dataclass(frozen=True, slots=True)
class Declared:
    """A health declaration that central has of the person. day: the school's date, such as "2026-11-24".

    declaration: at central alone. A roster line says only `well`: whoever steals a terminal, or reads the
    static files, learns of no symptom.
    """

    day: str
    declaration: Declaration | None = None
    told_well: bool = True

    @property
    def well(self) -> bool:
        """Whether the person was declared well."""
        return self.declaration.well if self.declaration else self.told_well


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the roster.

    keys: compressed P-256 points (33 bytes each) of the person's phones. valid_from, valid_until: Unix
    seconds, from the first until just before the second; None has no bound. groups: the policy's names of
    the groups that the person is a member of.
    """

    subject: str
    name: str
    kind: PersonKind
    status: Status = Status.ACTIVE
    keys: tuple[bytes, ...] = ()
    valid_from: int | None = None
    valid_until: int | None = None
    groups: tuple[str, ...] = ()
    absences: tuple[Absence, ...] = ()
    declared: Declared | None = None

    def to_line(self) -> bytes:
        """The person's roster line, without its end; `sub` comes first, so that a lookup need not parse."""
        document: dict[str, Any] = {
            "sub": self.subject,
            "name": self.name,
            "kind": str(self.kind),
            "status": str(self.status),
            "keys": [base64.urlsafe_b64encode(key).decode("ascii") for key in self.keys],
        }
        if self.valid_from is not None:
            document["from"] = self.valid_from
        if self.valid_until is not None:
            document["until"] = self.valid_until
        if self.groups:
            document["groups"] = list(self.groups)
        if self.absences:
            document["absent"] = [[one.start, one.end, one.make_up_until] for one in self.absences]
        if self.declared:
            document["declared"] = [self.declared.day, self.declared.well]
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
                valid_from=_time(document.get("from")),
                valid_until=_time(document.get("until")),
                groups=_names(document.get("groups", [])),
                absences=tuple(_absence(*one) for one in document.get("absent", [])),
                declared=_declared(document.get("declared")),
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


def _time(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError("from or until is not a time")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("groups are not a list of names")
    return tuple(value)


def _absence(*times: Any) -> Absence:
    if len(times) != 3 or not all(type(time) is int for time in times):
        raise ValueError("absent is not three times")
    return Absence(*times)


def _declared(value: Any) -> Declared | None:
    if value is None:
        return None
    day, well = value
    if type(well) is not bool:
        raise ValueError("declared is not a day and whether the person is well")
    return Declared(date.fromisoformat(day).isoformat(), told_well=well)


def shown(name: str, how: NameDisplay) -> str:
    """`name` as a gate shows it under a policy of `how`.

    "masked" gives "张*" and "L*** W***"; "family" gives "欧阳", and of a name in other letters the last word
    (a single word stays masked); "hidden" gives ""; "full" gives all of it.
    """
    if how == "hidden":
        return ""
    if how == "full":
        return name
    if how == "family":
        words = name.split()
        if len(words) > 1:
            return words[-1]
        if words and "\u3400" <= words[0][0] <= "\u9fff" and len(words[0]) > 1:
            return words[0][:2] if words[0][:2] in _COMPOUND and len(words[0]) > 2 else words[0][0]
    return masked(name)


def masked(name: str) -> str:
    """`name` as a gate may show it: "张伟" gives "张*", "José García" gives "J*** G***"."""
    if not name:
        return ""
    if not any(east_asian_width(char) in "WF" for char in name):
        return " ".join(f"{word[0]}***" for word in name.split())
    return name[0] + "*" * (len(name) - 1)
