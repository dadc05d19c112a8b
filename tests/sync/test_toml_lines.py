"""Lines of a TOML file: for any document, every value is found on the line where it is written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sync.central.toml_lines import Key, locate

_NAMES = st.text("ab-_", min_size=1, max_size=3) | st.sampled_from(["a.b", "x y", "键", 'q"', "#", "[", "="])
_NOISE = st.sampled_from(["", "", "\n", "# a [comment] = 'x'\n", "\n\n", '  # """\n'])


class Writer:
    """Writes a made-up document in a made-up style; every value in it is told apart by its number."""

    def __init__(self, data: st.DataObject) -> None:
        self._data, self.count = data, 0

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._data.draw(strategy)

    def value(self) -> str:
        self.count += 1
        mark = f"<{self.count}>"
        return str(
            self.draw(
                st.sampled_from(
                    [
                        f'"{mark}"',
                        f"'{mark}'",
                        f'"{mark} \\" ] # }}"',
                        f"'{mark} ] \\'",
                        f'"""{mark}\n[x]\ny = 1 "" \\""""',
                        f"'''{mark}\n]]'' '''",
                        f'"""{mark}"""""',
                    ]
                )
            )
        )

    def key(self) -> str:
        name = self.draw(_NAMES)
        return name if name.strip("ab-_") == "" else json.dumps(name, ensure_ascii=False)

    def keys(self, most: int) -> list[str]:
        names = self.draw(st.lists(_NAMES, max_size=most, unique=True))
        return [n if n.strip("ab-_") == "" else json.dumps(n, ensure_ascii=False) for n in names]

    def anything(self, depth: int) -> str:
        style = self.draw(st.sampled_from(["value", "value", "array", "inline"])) if depth else "value"
        if style == "value":
            return self.value()
        if style == "inline":
            pairs = [f"{key} = {self.anything(depth - 1)}" for key in self.keys(3)]
            return "{" + ", ".join(pairs) + "}"
        gap = self.draw(st.sampled_from(["", "\n", "\n # ], }\n  "]))
        elements = [self.anything(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
        return "[" + gap + f",{gap}".join(elements) + gap + "]"

    def body(self) -> str:
        lines = []
        for key in self.keys(3):
            dotted = f"{key} . {self.key()}" if self.draw(st.booleans()) else key
            lines.append(f"{self.draw(_NOISE)}{dotted} = {self.anything(2)} # end\n")
        return "".join(lines)

    def document(self) -> str:
        text = self.body()
        for key in self.keys(3):
            name = f"t{key}" if not key.startswith('"') else f'"t{key[1:]}'
            if self.draw(st.booleans()):
                text += f"[ {name}.sub ]\n{self.body()}[{name}]\n{self.draw(_NOISE)}"
            else:
                for _ in range(self.draw(st.integers(1, 3))):
                    text += f"[[{name}]]\n{self.body()}[{name}.below]\n{self.body()}"
                    text += f"[[{name}.more]]\n{self.body()}" * self.draw(st.integers(0, 1))
        return text


def leaves(value: Any, path: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], str]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        if isinstance(each, dict | list):
            yield from leaves(each, (*path, key))
        else:
            yield (*path, key), each


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_value_of_any_document_is_found_on_its_line(data: st.DataObject) -> None:
    writer = Writer(data)
    text = writer.document()
    if data.draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()  # two keys of one name: tomllib judges, nobody asks for lines then
    found = locate(text, "f.toml")
    lines = text.split("\n")
    for path, value in leaves(document):
        mark = value[: value.index(">") + 1]
        spot = found
        for key in path:
            spot = spot.below[key]
        assert mark in lines[spot.line - 1], (path, spot.line)


WRITTEN = """\
top = 1

[places.north-gate]   # a comment
name_zh = "北门"
accepts = [
    "personal",
    "card",
]
entry = [ { kinds = ["staff"] },
          { groups = [], hours = { from = "06:00", to = "07:00" } },
        ]

[[timetable.lessons]]
course = "A"
[[timetable.lessons]]
course = '''B
'''
hours.from = "08:00"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("places",), 3),
        (("places", "north-gate", "name_zh"), 4),
        (("places", "north-gate", "accepts", 1), 7),
        (("places", "north-gate", "entry", 1, "groups"), 10),
        (("places", "north-gate", "name_en"), 3),
        (("timetable", "lessons", 0), 13),
        (("timetable", "lessons", 1, "course"), 16),
        (("timetable", "lessons", 1, "hours", "from"), 18),
        (("timetable", "lessons", 7), 13),
        (("nothing", "here"), 1),
    ],
)
def test_what_is_missing_stands_where_it_would_have_to_be_written(path: tuple[Key, ...], line: int) -> None:
    assert tomllib.loads(WRITTEN)
    assert locate(WRITTEN, "f.toml").find(path).line == line
