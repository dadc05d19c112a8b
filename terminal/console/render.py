"""Documents as lines of text for a screen of a certain width."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_INDENT = "  "


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """`document` with a line for each value: names to the left, what is nested indented."""
    width = max((len(_name(key)) for key, value in document.items() if not _nested(value)), default=0)
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            yield f"{_name(key)}:"
            yield from (_INDENT + line for line in lines(value))
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
            yield f"{_name(key)}:"
            yield from (_INDENT + line for line in table(value))
        elif isinstance(value, (list, tuple)) and value:
            yield f"{_name(key)}:"
            yield from (_INDENT + text(item) for item in value)
        else:
            yield f"{_name(key):<{width}}  {text(value)}"


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Rows with the same keys as columns under their names."""
    shown = [{key: text(value) for key, value in row.items()} for row in rows]
    keys = list(dict.fromkeys(key for row in shown for key in row))
    widths = {key: max(cells(_name(key)), *(cells(row.get(key, "")) for row in shown)) for key in keys}
    yield "  ".join(_padded(_name(key), widths[key]) for key in keys).rstrip()
    for row in shown:
        yield "  ".join(_padded(row.get(key, ""), widths[key]) for key in keys).rstrip()


def text(value: object) -> str:
    """One value in words."""
    match value:
        case Mapping() if value:  # before {}, which stands for any mapping
            return ", ".join(f"{_name(key)} {text(item)}" for key, item in value.items())
        case None | "" | [] | {}:
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case float():
            return f"{value:.10g}"
    return str(value)


def fitted(line: str, width: int) -> list[str]:
    """`line` broken at blanks so that each part fits into `width` cells; what goes on is indented."""
    if cells(line) < width:
        return [line]
    indent = len(line) - len(line.lstrip()) + 4
    # A wide character takes two cells: textwrap counts characters, so such a line gets half the room.
    room = width - 1 if line.isascii() else max(8, (width - 1) // 2)
    broken = textwrap.wrap(
        line, room, subsequent_indent=" " * min(indent, room // 2), drop_whitespace=True,
        break_on_hyphens=False, replace_whitespace=False,
    )  # fmt: skip
    return broken or [""]


def cells(line: str) -> int:
    """How many columns `line` takes (Unicode Standard Annex 11: wide characters take two)."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def harmless(line: str) -> str:
    """`line` without control characters, so that nothing in a record or a log steers the client's screen."""
    return "".join(char if char.isprintable() else "?" for char in line)


def _nested(value: object) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def _name(key: str) -> str:
    return key.replace("_", " ")


def _padded(line: str, width: int) -> str:
    return line + " " * (width - cells(line))
