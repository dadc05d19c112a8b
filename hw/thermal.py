"""The thermal sensor: what temperature it sees now, or why it sees none.

A reading is never older than two seconds and never a guess: absent, stale, implausible, too far and drifting
are states of their own. Temperatures are integers in tenths of a degree Celsius (R18: one decimal), so that
37.3 is 37.3 everywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from config.settings import Settings
from hw.drivers import load_driver

STALE_AFTER = 2.0  # seconds
PLAUSIBLE = range(300, 451)  # tenths of a degree Celsius: what living skin can have


class ThermalState(StrEnum):
    """Whether there is a temperature, and if not, why."""

    OK = "ok"
    NONE = "none"  # this terminal has no sensor
    ABSENT = "absent"
    STALE = "stale"  # it is there, but nothing good came for two seconds
    IMPLAUSIBLE = "implausible"  # no living skin has that, or it cannot be compensated
    TOO_FAR = "too-far"
    DRIFTING = "drifting"  # it measures, but what it says is not to be believed


@dataclass(frozen=True, slots=True)
class Reading:
    """What the sensor says.

    decidegrees: body temperature in tenths of a degree Celsius, compensated; None unless state is OK.
    measured_at: `time.monotonic()` seconds of the newest sample. surface: tenths of a degree, the skin as the
    sensor saw it, before offset and compensation. ambient: tenths of a degree, the sensor's surroundings.
    samples, seconds: how many were taken together, and the time from the first to the last of them (R17).
    distance_mm: to the face, if the sensor knows. area: share of the sensor's view that the face fills, 0 to
    1 (arrays). All but state are None or 0 where they are not known.
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
    """Tenths of a degree as degrees Celsius to one decimal ("36.5", "-0.5"); "" for None."""
    if decidegrees is None:
        return ""
    whole, tenth = divmod(abs(decidegrees), 10)
    return f"{'-' if decidegrees < 0 else ''}{whole}.{tenth}"


class Thermal(Protocol):
    """What every thermal driver is: constructed from settings, then asked for the reading now."""

    def read(self) -> Reading:
        """The reading now; never waits longer than a few milliseconds, never raises."""

    def close(self) -> None:
        """Let the device go."""


@runtime_checkable
class Watched(Protocol):
    """What drivers of real sensors (`hw.thermal_sampler`) are besides, and a package's own may be.

    sentence: what is wrong now, and what to do, "" when nothing is. remarks: what is odd though it works.
    """

    @property
    def sentence(self) -> str: ...

    @property
    def remarks(self) -> tuple[str, ...]: ...

    def note(self, reading: Reading) -> None:
        """Learn the reading with which one person was judged: once a person, for telling drift."""


def note(thermal: Thermal, reading: Reading) -> None:
    """Tell `thermal` the reading of one person, if it is of the kind that learns from it."""
    if isinstance(thermal, Watched):
        thermal.note(reading)


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

    It is body temperature: nothing is compensated. Further lines may say `ambient 21.0`, `distance_mm 400`,
    `area 0.2`, `samples 10` and `seconds 2.5`. The simulated campus writes the file; an absent file is an
    absent sensor, other text a broken one.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.thermal.path or "")
        self._max_distance = settings.thermal.max_distance_mm

    def read(self) -> Reading:
        """See `Thermal.read`."""
        try:
            reading = _told(self._path)
        except OSError:
            return Reading(ThermalState.ABSENT)
        except (ValueError, OverflowError):
            return Reading(ThermalState.IMPLAUSIBLE)
        if reading.distance_mm is not None and reading.distance_mm > self._max_distance:
            return Reading(ThermalState.TOO_FAR, distance_mm=reading.distance_mm)
        return reading

    def close(self) -> None:
        """Nothing is held."""


def _told(path: Path) -> Reading:
    """The reading that the file at `path` tells. Raises: OSError, ValueError, OverflowError."""
    first, *more = path.read_text("ascii").strip().split("\n")
    reading = judged(round(float(first) * 10), time.monotonic())
    said = dict(line.split() for line in more)
    if set(said) - {"ambient", "distance_mm", "area", "samples", "seconds"}:
        raise ValueError(f"{path}: says something unknown")
    if reading.state is not ThermalState.OK:
        return reading
    return Reading(
        ThermalState.OK,
        reading.decidegrees,
        reading.measured_at,
        surface=reading.decidegrees,
        ambient=round(float(said["ambient"]) * 10) if "ambient" in said else None,
        samples=int(said.get("samples", 1)),
        seconds=float(said.get("seconds", 0)),
        distance_mm=int(said["distance_mm"]) if "distance_mm" in said else None,
        area=float(said["area"]) if "area" in said else None,
    )
