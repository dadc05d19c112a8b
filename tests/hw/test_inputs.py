"""The tamper switch on mock pins, and the simulated keypad."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from config.errors import SettingsError
from hw.errors import InputError, UnknownDriver
from hw.inputs import SETTLED_AFTER, TamperSwitch
from hw.keypad import NoKeypad, open_keypad
from tests.hw.conftest import MakeSettings

PIN = 4


@pytest.fixture
def factory() -> MockFactory:
    return MockFactory()


def test_a_case_that_is_opened_says_so_once_it_has_settled(factory: MockFactory) -> None:
    switch = TamperSwitch(PIN, factory)
    factory.pin(PIN).drive_low()
    assert not switch.opened(0.0)
    factory.pin(PIN).drive_high()
    assert switch.open
    assert not switch.opened(1.0), "a contact bounces"
    assert switch.opened(1.0 + 2 * SETTLED_AFTER)
    assert not switch.opened(2.0), "told once"
    factory.pin(PIN).drive_low()
    assert not switch.opened(3.0)
    assert not switch.opened(3.0 + 2 * SETTLED_AFTER)
    factory.pin(PIN).drive_high()
    assert not switch.opened(4.0)
    assert switch.opened(4.0 + 2 * SETTLED_AFTER)
    switch.close()


def test_a_bounce_is_no_opening(factory: MockFactory) -> None:
    switch = TamperSwitch(PIN, factory)
    for step in range(20):
        factory.pin(PIN).drive_high() if step % 2 else factory.pin(PIN).drive_low()
        assert not switch.opened(step * 2 * SETTLED_AFTER)
    switch.close()


def test_a_case_that_is_open_at_the_start_or_a_cut_wire_counts_as_opened(factory: MockFactory) -> None:
    switch = TamperSwitch(PIN, factory)  # pulled up: nothing holds the pin down
    assert not switch.opened(0.0)
    assert switch.opened(2 * SETTLED_AFTER)
    switch.close()


def test_a_pin_that_is_taken_is_named(factory: MockFactory) -> None:
    switch = TamperSwitch(PIN, factory)
    with pytest.raises(InputError, match=r"inputs\.tamper 4"):
        TamperSwitch(PIN, factory)
    switch.close()


def test_the_pins_of_relay_and_switch_must_differ(make_settings: MakeSettings) -> None:
    with pytest.raises(SettingsError, match=r"relay\.pin and inputs\.tamper are both 17"):
        make_settings(inputs={"tamper": 17})
    assert make_settings(inputs={"tamper": 4}).inputs.tamper == 4


def test_what_is_appended_to_the_file_was_pressed(make_settings: MakeSettings, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keypad = open_keypad(make_settings(keypad={"driver": "simulated", "path": "keys"}))
    assert keypad.read() == ""
    file.write_bytes(b"*S1")
    assert keypad.read() == "*S1"
    assert keypad.read() == ""
    with file.open("ab") as more:
        more.write(b"2\r\xff")
    assert keypad.read() == "2\r"
    file.write_bytes(b"*")
    assert keypad.read() == "*", "a new file begins anew"
    file.unlink()
    assert keypad.read() == ""
    keypad.close()


def test_what_was_pressed_before_the_start_is_not_pressed_again(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_bytes(b"*T1\r")
    assert open_keypad(make_settings(keypad={"driver": "simulated", "path": "keys"})).read() == ""


def test_a_keypad_that_does_not_exist_is_refused_by_name(make_settings: MakeSettings) -> None:
    assert isinstance(open_keypad(make_settings()), NoKeypad)
    assert NoKeypad(make_settings()).read() == ""
    with pytest.raises(UnknownDriver, match="none, simulated"):
        open_keypad(make_settings(keypad={"driver": "theremin"}))
    with pytest.raises(SettingsError, match=r"needs keypad\.path"):
        make_settings(keypad={"driver": "simulated"})
