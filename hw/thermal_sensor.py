"""A sensor as the sampler sees it: something that blocks until it has measured once, and says what it saw.

Drivers of real parts are one such class each; they neither retry nor judge: who holds them
(`hw.thermal_sampler`) does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement.

    at: `time.monotonic()` seconds. surface, ambient: degrees Celsius, as the sensor says them; surface is
    None when an array sees nothing that could be a face, ambient when the sensor does not know it.
    distance_mm, area: as in `hw.thermal.Reading`.
    """

    at: float
    surface: float | None
    ambient: float | None = None
    distance_mm: int | None = None
    area: float | None = None


class Sensor(Protocol):
    """What the sampler runs. Constructing it opens the device (raises: ThermalAbsent, BusError).

    interval: seconds to wait between two samples; 0 when `sample` itself waits for the next one.
    remarks: one sentence for each thing that is odd though it works.
    """

    interval: float
    remarks: tuple[str, ...]

    def sample(self) -> Sample:
        """The next measurement, within about a second.

        Raises: ThermalAbsent when the device is gone; BusError, ThermalGarbage when it may do better next
        time.
        """

    def close(self) -> None:
        """Let the device go. A closed sensor is not asked again."""
