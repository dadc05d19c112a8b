"""Lights and buzzer on mock pins: what each signal does to the wires, and when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from gpiozero.exc import PinSetInput
from gpiozero.pins.mock import MockFactory, MockPin
from hypothesis import given
from hypothesis import strategies as st

from config.settings import IndicatorSettings
from hw.errors import IndicatorError
from hw.indicators import ALLOW, BUZZER, LIGHTS, REFUSE, Indicators, Signal

SETTINGS = IndicatorSettings(green=5, red=6, buzzer=13)


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    made = MockFactory()
    yield made
    made.reset()


@pytest.fixture
def indicators(factory: MockFactory) -> Iterator[Indicators]:
    made = Indicators(SETTINGS, factory)
    yield made
    made.close()


def on(factory: MockFactory) -> str:
    """The names of what is on."""
    pins = {"green": 5, "red": 6, "buzzer": 13}
    return " ".join(name for name, pin in pins.items() if factory.pin(pin).state)


def played(indicators: Indicators, factory: MockFactory, signal: Signal) -> list[str]:
    """What is on, one after the other, while `signal` is shown from the second 100 on."""
    indicators.show(signal, 100.0)
    seen = [on(factory)]
    for tenth in range(1, 40):
        indicators.tick(100.0 + tenth / 10)
        seen.append(on(factory))
    return [seen[0], *(now for before, now in pairwise(seen) if now != before)]


@pytest.mark.parametrize(
    ("signal", "steps"),
    [
        (ALLOW, ["green buzzer", "green", ""]),
        (REFUSE, ["red buzzer", "red", "red buzzer", "red", ""]),
        (LIGHTS, ["green", "red", ""]),
        (BUZZER, ["buzzer", "", "buzzer", "", "buzzer", ""]),
    ],
)
def test_each_signal_is_told_apart_by_light_and_by_sound_and_ends_by_itself(
    indicators: Indicators, factory: MockFactory, signal: Signal, steps: list[str]
) -> None:
    assert played(indicators, factory, signal) == steps


def test_the_next_answer_takes_the_place_of_the_one_before(
    indicators: Indicators, factory: MockFactory
) -> None:
    indicators.show(ALLOW, 10.0)
    indicators.show(REFUSE, 10.05)
    assert on(factory) == "red buzzer"


def test_what_is_not_fitted_is_left_out(factory: MockFactory) -> None:
    only = Indicators(IndicatorSettings(buzzer=13), factory)
    only.show(REFUSE, 0.0)
    assert on(factory) == "buzzer"
    assert only.pins == {"buzzer": 13}
    only.close()
    none = Indicators(IndicatorSettings(), factory)
    none.show(ALLOW, 0.0)
    assert none.levels() == ()
    none.close()


def test_all_is_off_when_it_is_closed(factory: MockFactory) -> None:
    indicators = Indicators(SETTINGS, factory)
    indicators.show(REFUSE, 0.0)
    pins = [factory.pin(number) for number in (6, 13)]
    indicators.close()
    assert [pin.states[-1].state for pin in pins] == [False, False]


def test_the_levels_are_those_of_the_pins(indicators: Indicators) -> None:
    indicators.show(ALLOW, 0.0)
    assert [(one.name, one.pin, one.level) for one in indicators.levels()] == [
        ("indicators.green", 5, 1),
        ("indicators.red", 6, 0),
        ("indicators.buzzer", 13, 1),
    ]


def test_a_pin_that_is_taken_is_named_and_the_others_are_given_back(factory: MockFactory) -> None:
    holder = Indicators(IndicatorSettings(red=6), factory)
    with pytest.raises(IndicatorError, match=r"indicators\.red 6: cannot be claimed"):
        Indicators(SETTINGS, factory)
    holder.close()
    Indicators(SETTINGS, factory).close()


def test_a_pin_that_fails_is_logged_once_and_holds_nobody_up(
    indicators: Indicators, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PinSetInput("the wire is gone")

    with monkeypatch.context() as broken:
        broken.setattr(MockPin, "_set_state", refuse)
        for now in (0.0, 0.1, 0.2):
            indicators.show(ALLOW, now)
    assert caplog.text.count("the wire is gone") == 1


@given(signal=st.sampled_from([ALLOW, REFUSE, LIGHTS, BUZZER]), late=st.floats(0, 1e6))
def test_after_its_seconds_nothing_of_a_signal_is_left(signal: Signal, late: float) -> None:
    factory = MockFactory()
    indicators = Indicators(SETTINGS, factory)
    indicators.show(signal, 0.0)
    indicators.tick(signal.seconds + late)
    assert on(factory) == ""
    indicators.close()
