"""The relay on mock pins: the wire's level at every step, for both safe states and both polarities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from config.settings import RelaySettings
from hw.errors import RelayError
from hw.relay import Relay, on_gpio_machine, pin_factory

PIN = 17


@dataclass(frozen=True)
class Wiring:
    """How a gate is wired, and the wire's level without power on the coil, locked, and released."""

    safe_state: str
    active_high: bool
    off: int
    locked: int
    released: int

    @property
    def settings(self) -> RelaySettings:
        return RelaySettings(pin=PIN, active_high=self.active_high, safe_state=self.safe_state)


WIRINGS = [
    Wiring("secure", active_high=True, off=0, locked=0, released=1),
    Wiring("secure", active_high=False, off=1, locked=1, released=0),
    Wiring("safe", active_high=True, off=0, locked=1, released=0),
    Wiring("safe", active_high=False, off=1, locked=0, released=1),
]
IDS = ["fail-secure", "fail-secure, active low", "fail-safe", "fail-safe, active low"]


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    """Mock pins of this test alone."""
    made = MockFactory()
    yield made
    made.reset()


@pytest.fixture
def pin(factory: MockFactory) -> MockPin:
    """The relay's wire."""
    return factory.pin(PIN)


@pytest.fixture(params=WIRINGS, ids=IDS)
def wiring(request: pytest.FixtureRequest) -> Wiring:
    """Each way to wire a gate."""
    return request.param


def test_is_locked_from_the_moment_it_is_claimed(factory: MockFactory, pin: MockPin, wiring: Wiring):
    relay = Relay(wiring.settings, factory)
    assert (pin.function, pin.state) == ("output", wiring.locked)
    assert not relay.released


@pytest.mark.parametrize("level_before", [0, 1])
def test_starting_never_drives_another_level_whatever_the_wire_had(
    factory: MockFactory,
    pin: MockPin,
    wiring: Wiring,
    level_before: int,
    monkeypatch: pytest.MonkeyPatch,
):
    (pin.drive_high if level_before else pin.drive_low)()
    driven = []
    whole = MockPin._change_state

    def noted(self: MockPin, value: int) -> bool:
        driven.append((self.function, int(value)))
        return whole(self, value)

    monkeypatch.setattr(MockPin, "_change_state", noted)
    Relay(wiring.settings, factory)
    assert {level for function, level in driven if function == "output"} <= {wiring.locked}
    assert pin.state == wiring.locked


def test_releases_and_locks_as_often_as_asked(factory: MockFactory, pin: MockPin, wiring: Wiring):
    relay = Relay(wiring.settings, factory)
    for _ in range(3):
        relay.release()
        assert (pin.state, relay.released) == (wiring.released, True)
        relay.release()
        assert pin.state == wiring.released
        relay.lock()
        assert (pin.state, relay.released) == (wiring.locked, False)
        relay.lock()
        assert pin.state == wiring.locked


@pytest.mark.parametrize("released", [True, False], ids=["released", "locked"])
def test_closing_takes_the_power_off_the_coil_and_gives_the_pin_back(
    factory: MockFactory, pin: MockPin, wiring: Wiring, released: bool
):
    relay = Relay(wiring.settings, factory)
    if released:
        relay.release()
    relay.close()
    assert int(pin.states[-1].state) == wiring.off
    assert pin.function == "input"
    assert not Relay(wiring.settings, factory).released, "the pin cannot be claimed again"


def test_without_power_a_fail_secure_gate_is_locked_and_a_fail_safe_one_released(wiring: Wiring):
    resting = wiring.locked if wiring.safe_state == "secure" else wiring.released
    assert wiring.off == resting


def test_a_pin_that_is_taken_is_an_error_that_names_it_and_disturbs_nobody(
    factory: MockFactory, pin: MockPin
):
    first = Relay(WIRINGS[0].settings, factory)
    first.release()
    with pytest.raises(RelayError, match=r"relay\.pin 17: cannot be claimed"):
        Relay(WIRINGS[0].settings, factory)
    assert (pin.state, first.released) == (1, True)


def test_a_pin_that_cannot_be_opened_is_an_error_that_says_why(
    factory: MockFactory, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_arguments: object, **_named: object) -> MockPin:
        raise OSError(13, "Permission denied: /dev/gpiochip0")

    monkeypatch.setattr(MockFactory, "pin", refuse)
    with pytest.raises(RelayError, match=r"relay\.pin 17: cannot be claimed: .*Permission denied"):
        Relay(WIRINGS[0].settings, factory)


def test_without_a_raspberry_pi_pins_are_mock_pins():
    assert not on_gpio_machine()
    assert isinstance(pin_factory(), MockFactory)
