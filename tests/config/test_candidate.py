"""Editing settings: one key changes, and everything else stays as somebody wrote it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.candidate import changes, difference, with_value, without
from config.errors import SettingsError
from config.reference import every_setting
from config.settings import parse_settings

GATE = """\
# The gate at the north road.
[device]  # its name is on the door
name = "north-gate-1"   # as in the plan
place = "north-gate"

[central]
url = "https://central.school.example"
# Rewired in March:
[relay]
pin = 4 # was 17
active_high = false
"""
LAYOUTS = {
    "tables": GATE,
    "no newline at the end": GATE.rstrip("\n"),
    "inline tables": """\
device = {name = "g", place = "p"} # one
central = {url = "https://c.example"}
relay = {pin = 4}""",
    "dotted keys": """\
device.name = "g" # one
central.url = "https://c.example"
device.place = "p" # two
relay.pin = 4""",
    "Windows lines": GATE.replace("\n", "\r\n"),
    "odd spacing": """\
  [ device ]
\tname="g"#one
  place   =   'p'
[central]
url="https://c.example"


[relay]
pin=4""",
}


def put(text: str, key: str, value: str) -> str:
    return with_value(text, key, value, source="candidate")


def take(text: str, key: str) -> str:
    return without(text, key, source="candidate")


def wrong(key: str, value: str, text: str = GATE) -> str:
    with pytest.raises(SettingsError) as caught:
        put(text, key, value)
    return str(caught.value)


def comments(text: str) -> list[str]:
    """What follows a #; no string here holds one."""
    return sorted(line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


def test_a_value_is_changed_in_its_place_and_its_comment_stays() -> None:
    assert put(GATE, "relay.pin", "27") == GATE.replace("pin = 4 # was 17", "pin = 27 # was 17")


def test_a_new_key_goes_into_its_table_and_a_new_table_to_the_end() -> None:
    text = put(put(GATE, "device.name", "south"), "thermal.driver", "mlx90614")
    assert text == GATE.replace("north-gate-1", "south") + '\n[thermal]\ndriver = "mlx90614"\n'
    assert put(GATE, "relay.safe_state", "safe") == GATE + 'safe_state = "safe"\n'


def test_a_key_is_taken_out_with_its_line_and_its_comment_stays() -> None:
    assert take(GATE, "relay.active_high") == GATE.replace("active_high = false\n", "")
    assert take(GATE, "relay.pin") == GATE.replace("pin = 4 # was 17", "# was 17")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_however_a_file_is_laid_out_it_can_be_edited(layout: str) -> None:
    text = LAYOUTS[layout]
    edited = take(put(put(text, "relay.pin", "5"), "sync.poll_seconds", "2"), "device.place")
    before, after = tomllib.loads(text), tomllib.loads(edited)
    before["relay"]["pin"], before["sync"] = 5, {"poll_seconds": 2}
    del before["device"]["place"]
    assert after == before
    assert comments(edited) == comments(text)


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("device.name", "south", "south"),
        ("device.name", '"south"', "south"),
        ("device.name", "17", "17"),
        ("relay.active_high", "false", False),
        ("relay.pin", "0x11", 17),
        ("sync.poll_seconds", "2", 2),
        ("camera.device", "1", 1),
        ("camera.device", "/dev/video0", "/dev/video0"),
        ("camera.format", "YUYV", "YUYV"),
        ("console.group", "campus", "campus"),
        ("thermal.pattern", r"T=(?P<celsius>[0-9.]+) C", r"T=(?P<celsius>[0-9.]+) C"),
        ("storage.state", "[[[[[[[[[[[[[[[[[[[[[[[[[" * 99, "[[[[[[[[[[[[[[[[[[[[[[[[[" * 99),
        ("storage.state", "2026-11-25", "2026-11-25"),
        ("storage.state", 'a"b\\c', 'a"b\\c'),
        ("storage.state", "北门", "北门"),
    ],
)
def test_a_value_is_toml_or_a_bare_word_where_text_is_wanted(key: str, value: str, stored: object) -> None:
    table, _, name = key.partition(".")
    found = tomllib.loads(put(GATE, key, value))[table][name]
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("relay.pin", "28", "relay.pin: 28 is not allowed: .*; it takes whole number: 0 to 27"),
        ("relay.pin", "abc", "relay.pin: 'abc' is not allowed: .*integer.*0 to 27"),
        ("relay.pin", "true", "relay.pin: True is not allowed"),
        ("relay.safe_state", "open", 'relay.safe_state: \'open\' .*one of "secure", "safe"'),
        ("sync.poll_seconds", "nan", "sync.poll_seconds: nan .*0.05 to 60"),
        ("device.name", "North Gate", "device.name: 'North Gate' .*it is the terminal's name.*lower-case"),
        ("device.name", "\ud800", "device.name: .*is not allowed"),
        (
            "central.url",
            "https://a:s3cret@c.example",
            r"central.url: 'https://\*\*\*@c.example' is not allowed",
        ),
        ("relay.pinn", "4", "'relay.pinn': unknown key; there are: relay.pin, relay.active_high"),
        ("relais.pin", "4", r"'relais.pin': unknown key; there are: device\.\*, central\.\*"),
        ("relay", "4", "'relay': unknown key; there are: relay.pin"),
        ("", "4", "'': unknown key"),
        ("relay.pin.x", "4", "unknown key"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(key: str, value: str, said: str) -> None:
    found = wrong(key, value)
    assert re.search(said, found), found
    assert "s3cret" not in found
    assert found.startswith("candidate: ")


def test_keys_that_belong_together_are_set_one_after_the_other() -> None:
    text = put(GATE, "camera.driver", "folder")
    with pytest.raises(SettingsError, match=r"driver 'folder' needs camera\.path"):
        parse_settings(text, source="candidate", base=Path())
    parse_settings(put(text, "camera.path", "pictures"), source="candidate", base=Path())


def test_a_mistake_made_by_hand_is_mended_by_taking_it_out() -> None:
    text = GATE + "pinn = 4\n[relais]\npin = 3\n"
    mended = take(take(text, "relay.pinn"), "relais")
    assert tomllib.loads(mended) == tomllib.loads(GATE)
    assert "is not a table; unset camera first" in wrong("camera.width", "640", "camera = 3\n" + GATE)
    assert take("camera = 3\n" + GATE, "camera") == GATE


@pytest.mark.parametrize("key", ["inputs.tamper", "relay.safe_state", "x", "", ".", "relay.pin.x", "门"])
def test_what_is_not_there_cannot_be_taken_out(key: str) -> None:
    with pytest.raises(SettingsError, match="is not set here"):
        take(GATE, key)


def test_a_whole_table_is_not_taken_out() -> None:
    with pytest.raises(SettingsError, match="relay: is a table; name a key of it: pin, active_high"):
        take(GATE, "relay")


@pytest.mark.parametrize("text", ["[device", "a = 1\na = 2", "\x00", f"a = {'[' * 20_000}"])
def test_what_is_not_toml_is_not_edited(text: str) -> None:
    for edit in (lambda: put(text, "relay.pin", "4"), lambda: take(text, "a")):
        with pytest.raises(SettingsError, match="candidate: is not TOML"):
            edit()


def test_changes_are_told_by_key_with_defaults_for_what_is_absent() -> None:
    after = take(put(put(GATE, "relay.pin", "27"), "inputs.tamper", "4"), "relay.active_high")
    assert changes(GATE, after) == {
        "inputs.tamper": (None, 4),
        "relay.active_high": (False, True),
        "relay.pin": (4, 27),
    }
    assert changes(GATE, GATE + "# a comment") == {}
    assert changes("[broken", "x = 2026-11-25\n") == {"x": (None, "2026-11-25")}


def test_setting_what_is_the_default_anyway_changes_nothing() -> None:
    assert changes(GATE, put(GATE, "relay.safe_state", "secure")) == {}


def test_the_difference_is_a_unified_diff_without_secrets() -> None:
    secret = GATE.replace("https://", "https://gate:s3cret@")
    lines = difference(secret, put(GATE, "relay.pin", "27"), "campusgate.toml")
    assert lines[:2] == ["--- campusgate.toml", "+++ campusgate.toml (candidate)"]
    assert "-pin = 4 # was 17" in lines
    assert "+pin = 27 # was 17" in lines
    assert '-url = "https://***@central.school.example"' in lines
    assert difference(GATE, GATE, "campusgate.toml") == []


@contextmanager
def named(key: str) -> Iterator[None]:
    """Every problem is a line that names the text and `key`."""
    try:
        yield
    except SettingsError as error:
        lines = error.problems
        wrong = [line for line in lines if not line.startswith("candidate: ") or key not in line]
        if wrong:
            pytest.fail(f"{key}: {wrong}")
        raise


VALUES = st.one_of(
    st.sampled_from(
        ["4", "17", "true", "safe", "serial", "/dev/serial0", "https://c.example", "gate", "1.5"]
    ),
    st.text(st.characters(exclude_characters="#"), max_size=12),
    st.integers().map(str),
)
STEPS = st.lists(
    st.tuples(st.sampled_from([*every_setting(), "relay", "x.y", "relay.pinn"]), st.none() | VALUES),
    max_size=8,
)


@given(st.sampled_from(sorted(LAYOUTS)), STEPS)
def test_any_edits_give_settings_that_are_valid_or_named_errors_and_lose_no_comment(
    layout: str, steps: list[tuple[str, str | None]]
) -> None:
    text = LAYOUTS[layout]
    expected = tomllib.loads(text)
    for key, value in steps:
        table, _, name = key.partition(".")
        before = text
        edit = partial(take, text, key) if value is None else partial(put, text, key, value)
        with suppress(SettingsError), named(key):
            text = edit()
        if text == before:
            continue
        if value is None:
            del expected[table][name]
        else:
            expected.setdefault(table, {})[name] = tomllib.loads(text)[table][name]
    assert {k: v for k, v in tomllib.loads(text).items() if v} == {k: v for k, v in expected.items() if v}
    assert comments(text) == comments(LAYOUTS[layout])
    with suppress(SettingsError), named(""):
        parse_settings(text, source="candidate", base=Path())
