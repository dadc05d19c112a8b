"""Two lights and a buzzer for people at the gate: a signal is shown at once and ends by itself.

gpiozero on lgpio on a Pi, gpiozero's own mock pins elsewhere, as for the relay. Time is given to it, so
nobody waits for a signal to end; a pin that fails is logged and never holds up who shows something.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import gpiozero
from gpiozero.exc import GPIOZeroError

from config.settings import IndicatorSettings
from hw.errors import IndicatorError
from hw.relay import pin_factory

log = logging.getLogger(__name__)

Span = tuple[float, float]

_LIT = (0.0, 3.0)  # seconds: as long as an answer stays on the screen
_BEEP = 0.12  # seconds


@dataclass(frozen=True, slots=True)
class Signal:
    """When each output is on: from and until, in seconds since the signal began."""

    green: tuple[Span, ...] = ()
    red: tuple[Span, ...] = ()
    buzzer: tuple[Span, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return max((end for _, end in (*self.green, *self.red, *self.buzzer)), default=0.0)


ALLOW = Signal(green=(_LIT,), buzzer=((0.0, _BEEP),))
REFUSE = Signal(red=(_LIT,), buzzer=((0.0, _BEEP), (2 * _BEEP, 3 * _BEEP)))
LIGHTS = Signal(green=((0.0, 1.0),), red=((1.0, 2.0),))
"""For a test: one after the other, so that crossed wires are seen."""
BUZZER = Signal(buzzer=((0.0, 0.2), (0.4, 0.6), (0.8, 1.6)))
"""For a test: short, short, long, which no answer is."""


@dataclass(frozen=True, slots=True)
class PinLevel:
    """A pin as it is now. pin: GPIO number (BCM). level: of the wire, 1 high, 0 low."""

    name: str
    pin: int
    level: int


class Indicators:
    """The lights and the buzzer that the settings name; call `tick` often. Raises: IndicatorError."""

    def __init__(self, settings: IndicatorSettings, factory: gpiozero.Factory | None = None) -> None:
        pins = {"green": settings.green, "red": settings.red, "buzzer": settings.buzzer}
        self.pins: Mapping[str, int] = {name: pin for name, pin in pins.items() if pin is not None}
        self._outputs: dict[str, gpiozero.DigitalOutputDevice] = {}
        self._signal, self._begun = Signal(), 0.0
        self._failed = False
        made = (factory or pin_factory()) if self.pins else None
        for name, pin in self.pins.items():
            try:
                self._outputs[name] = gpiozero.DigitalOutputDevice(pin, pin_factory=made)
            except (GPIOZeroError, OSError) as error:
                self.close()
                raise IndicatorError(f"indicators.{name} {pin}: cannot be claimed: {error}") from error

    def show(self, signal: Signal, now: float) -> None:
        """Begin `signal` in the place of the one before. now: monotonic seconds."""
        self._signal, self._begun = signal, now
        self.tick(now)

    def tick(self, now: float) -> None:
        """Switch on and off what is due. now: monotonic seconds. Never raises."""
        since = now - self._begun
        try:
            for name, output in self._outputs.items():
                due = any(start <= since < end for start, end in getattr(self._signal, name))
                if bool(output.value) != due:
                    output.value = due
            self._failed = False
        except (GPIOZeroError, OSError) as error:
            if not self._failed:
                log.error("lights and buzzer: %s", error)
            self._failed = True

    def levels(self) -> tuple[PinLevel, ...]:
        """Every output as it is now, read back from its pin."""
        return tuple(
            PinLevel(f"indicators.{name}", self.pins[name], int(output.pin.state))
            for name, output in self._outputs.items()
        )

    def close(self) -> None:
        """Switch all off and give the pins back."""
        for output in self._outputs.values():
            output.off()
            output.close()
        self._outputs.clear()
