"""Every setting in force, with its value and where that comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SettingsError
from config.reference import every_setting
from config.shown import Shown, shown

TEXT = """
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "https://central.school.example/"
[sync]
batch_records = 1000
poll_seconds = 2
[relay]
pin = 27
"""


def of(text: str, **central: object) -> dict[str, Shown]:
    overlay = {key.replace("__", "."): value for key, value in central.items()}
    return {line.key: line for line in shown(text, overlay, source="gate.toml", base=Path("/etc"))}


def test_each_setting_is_shown_once_with_its_value_and_origin() -> None:
    lines = of(TEXT, sync__poll_seconds=1, sync__roster_seconds=5)
    assert list(lines) == list(every_setting())
    origins = {key: (line.value, line.origin) for key, line in lines.items()}
    assert origins["relay.pin"] == (27, "file")
    assert origins["relay.safe_state"] == ("secure", "default")
    assert origins["sync.batch_records"] == (1000, "file")  # the default, but somebody wants it so
    assert origins["sync.poll_seconds"] == (1, "central")
    assert origins["sync.roster_seconds"] == (5, "central")
    assert origins["inputs.tamper"] == (None, "default")
    assert origins["central.url"] == ("https://central.school.example", "file")


def test_what_is_allowed_and_the_default_are_shown_beside() -> None:
    pin = of(TEXT)["relay.pin"]
    assert (pin.default, pin.allowed, pin.required) == (17, "whole number: 0 to 27", False)
    assert of(TEXT)["device.name"].required
    assert all(line.description and line.allowed for line in of(TEXT).values())


def test_what_central_must_not_set_is_not_shown_as_its() -> None:
    lines = of(TEXT, relay__pin=4, sync__batch_records=0)
    assert (lines["relay.pin"].value, lines["relay.pin"].origin) == (27, "file")
    assert (lines["sync.batch_records"].value, lines["sync.batch_records"].origin) == (1000, "file")


def test_settings_that_are_not_valid_are_said_to_be_so() -> None:
    with pytest.raises(SettingsError, match=r"gate\.toml: relay\.pin: 99"):
        of(TEXT.replace("27", "99"))


def test_no_setting_is_a_secret() -> None:
    words = ("password", "secret", "token", "passphrase")
    assert not [key for key in every_setting() if any(word in key for word in words)]
