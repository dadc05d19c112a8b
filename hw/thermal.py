"""The thermal sensor: what temperature it sees now, or why it sees none.

A reading is never older than two seconds and never a guess: absent, stale and implausible are states of
their own. Temperatures are integers in tenths of a degree Celsius (R18: one decimal), so that 37.3 is
37.3 everywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from config.settings import Settings
from hw.drivers import load_driver

STALE_AFTER = 2.0  # seconds
PLAUSIBLE = range(300, 451)  # tenths of a degree Celsius: what living skin can have


class ThermalState(StrEnum):
    """Whether there is a temperature, and if not, why."""

    OK = "ok"
    NONE = "none"  # this terminal has no sensor
    ABSENT = "absent"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"
    TOO_FAR = "too-far"
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the sensor says.

    decidegrees: tenths of a degree Celsius, None unless state is OK. measured_at: `time.monotonic()` seconds.
    """

    state: ThermalState
    decidegrees: int | None = None
    measured_at: float = 0.0
    surface: int | None = None
    ambient: int | None = None
    samples: int = 0
    seconds: float = 0.0
    distance_mm: int | None = None
    area: float | None = None

    @property
    def celsius(self) -> str:
        """The temperature to one decimal ("36.5"), or "" when there is none."""
        return degrees(self.decidegrees)


def degrees(decidegrees: int | None) -> str:
    """Tenths of a degree as degrees Celsius to one decimal ("36.5"); "" for None. Bodies are above zero."""
    return "" if decidegrees is None else f"{decidegrees // 10}.{decidegrees % 10}"


class Thermal(Protocol):
    """What every thermal driver is: constructed from settings, then asked for the reading now."""

    def read(self) -> Reading:
        """The reading now; never waits longer than a few milliseconds, never raises."""

    def close(self) -> None:
        """Let the device go."""


def open_thermal(settings: Settings) -> Thermal:
    """The sensor that `settings.thermal` names. Raises: UnknownDriver."""
    thermal: Thermal = load_driver("thermal", settings.thermal.driver)(settings)
    return thermal


def judged(decidegrees: int, measured_at: float) -> Reading:
    """A reading of `decidegrees`, judged for age and plausibility."""
    if time.monotonic() - measured_at > STALE_AFTER:
        return Reading(ThermalState.STALE)
    if decidegrees not in PLAUSIBLE:
        return Reading(ThermalState.IMPLAUSIBLE)
    return Reading(ThermalState.OK, decidegrees, measured_at)


class NoThermal:
    """A terminal without a thermal sensor."""

    def __init__(self, settings: Settings) -> None:
        del settings

    def read(self) -> Reading:
        """Always the state "none"."""
        return Reading(ThermalState.NONE)

    def close(self) -> None:
        """Nothing is held."""


class SimulatedThermal:
    """Reads the temperature in view from the file `thermal.path`: degrees Celsius as text, such as 36.5.

    The simulated campus writes the file; an absent file is an absent sensor, other text a broken one.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.thermal.path or "")

    def read(self) -> Reading:
        """See `Thermal.read`."""
        try:
            decidegrees = round(float(self._path.read_text("ascii")) * 10)
        except OSError:
            return Reading(ThermalState.ABSENT)
        except (ValueError, OverflowError):
            return Reading(ThermalState.IMPLAUSIBLE)
        return judged(decidegrees, time.monotonic())

    def close(self) -> None:
        """Nothing is held."""
