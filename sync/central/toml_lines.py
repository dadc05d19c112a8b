"""Where things stand in a TOML file: the line of every key, table and element, which tomllib does not tell.

It reads text that tomllib has accepted and so need not judge it: it only has to know where a value ends.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

Key = str | int

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_OTHER_VALUE = re.compile(r"[^,\]}#\n]*")


@dataclass(slots=True)
class Spot:
    """Where a key, a table or an element of an array stands. below: what is in it.

    An array of tables stands at its first table, and each of its tables at its own.
    """

    source: str
    line: int
    below: dict[Key, Spot] = field(default_factory=dict)

    def find(self, path: Iterable[Key]) -> Spot:
        """The spot that `path` leads to, as far as it is written: what is missing stands at its table."""
        spot = self
        for key in path:
            found = spot.below.get(key)
            if found is None:
                break
            spot = found
        return spot


def locate(text: str, source: str) -> Spot:
    """The whole of `text`, which must be TOML that tomllib accepts. source: the file's name, for messages."""
    return _Reader(text.replace("\r\n", "\n"), source).document()


class _Reader:
    """Goes through the text once, from left to right."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> Spot:
        root = Spot(self._source, 1)
        table = root
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._takes("[["):
                table = self._array_table(root)
                self._at += 2
            elif self._takes("["):
                table = self._table(root)
                self._at += 1
            else:
                self._pair(table)
            self._skip(_BLANK)
        return root

    def _table(self, root: Spot) -> Spot:
        line, keys = self._line(), self._keys()
        spot = root
        for key in keys:
            spot = self._into(spot, key, line)
        return spot

    def _array_table(self, root: Spot) -> Spot:
        line, (*keys, last) = self._line(), self._keys()
        spot = root
        for key in keys:
            spot = self._into(spot, key, line)
        array = spot.below.setdefault(last, Spot(self._source, line))
        return array.below.setdefault(len(array.below), Spot(self._source, line))

    def _into(self, spot: Spot, key: str, line: int) -> Spot:
        """What a header's `key` means in `spot`: of an array of tables, its last one."""
        below = spot.below.setdefault(key, Spot(self._source, line)).below
        if below and all(isinstance(each, int) for each in below):
            return below[len(below) - 1]
        return spot.below[key]

    def _pair(self, table: Spot) -> None:
        line, keys = self._line(), self._keys()
        spot = table
        for key in keys:
            spot = spot.below.setdefault(key, Spot(self._source, line))
        self._takes("=")
        self._skip(_SPACE)
        self._value(spot)

    def _value(self, spot: Spot) -> None:
        if self._takes("["):
            self._skip(_BLANK)
            while not self._takes("]"):
                element = spot.below[len(spot.below)] = Spot(self._source, self._line())
                self._value(element)
                self._separator()
        elif self._takes("{"):
            self._skip(_BLANK)
            while not self._takes("}"):
                self._pair(spot)
                self._separator()
        else:
            self._skip(_STRING if self._text[self._at] in "\"'" else _OTHER_VALUE)

    def _separator(self) -> None:
        self._skip(_BLANK)
        self._takes(",")
        self._skip(_BLANK)

    def _keys(self) -> list[str]:
        """A key, dotted or not, with the blanks around it."""
        keys = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                quoted = self._skip(_STRING)
                keys.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                keys.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if not self._takes("."):
                return keys

    def _takes(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"{self._source}:{self._line()}: is no TOML that tomllib accepts")
        self._at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1
