"""Documents as text: every value is there, within the width, and nothing in it steers a screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from terminal.console.render import cells, fitted, harmless, lines, table, text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


def test_names_stand_to_the_left_and_what_is_nested_is_indented() -> None:
    assert list(
        lines({"device": "g1", "clock": {"trusted": True}, "faults": ["a", "b"], "fault_detail": ""})
    ) == [
        "device        g1",
        "clock:",
        "  trusted  yes",
        "faults:",
        "  a",
        "  b",
        "fault detail  -",
    ]


def test_a_table_lines_up_wide_characters() -> None:
    rows = list(table([{"name": "北门", "n": 1}, {"name": "x", "n": 22}]))
    assert rows == ["name  n", "北门  1", "x     22"]


def test_long_lines_are_broken_at_blanks_and_indented() -> None:
    broken = fitted("key  " + "word " * 30, 40)
    assert len(broken) > 3
    assert all(len(line) < 40 for line in broken)
    assert broken[1].startswith("    word")


def test_control_characters_do_not_reach_the_screen() -> None:
    assert harmless("a\x1b[2Jb\x07") == "a?[2Jb?"


@given(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=4), st.integers(20, 200))
def test_any_document_fits_any_screen(document: dict[str, object], width: int) -> None:
    for line in lines(document):
        for part in fitted(harmless(line), width):
            assert cells(part) <= width


def test_a_mapping_in_a_line_is_told_and_an_empty_one_is_a_dash() -> None:
    assert text({"version": 3, "done_by": {"user": "li.wei"}}) == "version 3, done by user li.wei"
    assert text({}) == text([]) == text(None) == "-"
