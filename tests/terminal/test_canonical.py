"""Canonical JSON of events: byte for byte what Python's own encoder makes, which records were digested by."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terminal.events import RecordError, canonical, parse_event

_NAMES = st.text(st.characters(max_codepoint=127), min_size=1)
_VALUES = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())


@given(st.dictionaries(_NAMES, _VALUES))
@example({"every": "".join(map(chr, range(0x100))), "line": "\u2028\u2029\ufeff\uffff", "far": "\U0001f4a5"})
@example({'"\\/\x7f\x00': True, "b": False, "B": "<&>'"})
def test_canonical_json_is_what_it_always_was(document: dict[str, str | bool]) -> None:
    expected = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert canonical(document) == expected


@pytest.mark.parametrize("half", ['"\\ud800"', '"\\udc00x"'])
def test_half_a_character_is_no_event(half: str) -> None:
    for data in (f'{{"specversion":{half}}}', {"specversion": json.loads(half)}):
        with pytest.raises(RecordError):
            parse_event(data)
