"""The samples that belong to the body in view now, and what they say together.

Whoever steps up is never given what was measured of the one before: the window starts anew when the surface
or the distance jumps, when nothing could be a face, and after a gap. The median keeps one odd sample from
counting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

from hw.thermal_sensor import Sample

JUMP = (
    0.8  # degrees Celsius; noise and movement of one forehead stay below, background to forehead is far above
)
STEP = 200  # mm; nobody moves so far between two samples
GAP = 1.0  # seconds without a sample: nobody knows who stands there now
_APART = 0.05  # seconds between samples that are kept: a fast sensor must not fill the memory


@dataclass(frozen=True, slots=True)
class View:
    """What the samples of one body say together: medians, of the values that are known.

    at: monotonic seconds of the newest. Units as in `hw.thermal_sensor.Sample`; seconds: first to last
    sample.
    """

    at: float
    surface: float | None
    ambient: float | None
    distance_mm: int | None
    area: float | None
    samples: int
    seconds: float


class Window:
    """Keeps the samples of the last `seconds` seconds that belong together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: deque[Sample] = deque()
        self._newest: Sample | None = None

    def add(self, sample: Sample) -> None:
        """Learn the next sample; samples come in the order in which they were taken."""
        if sample.surface is None or self._is_another(sample):
            self._kept.clear()
        self._newest = sample
        if not self._kept or sample.at - self._kept[-1].at >= _APART:
            self._kept.append(sample)
        while sample.at - self._kept[0].at > self._seconds:
            self._kept.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._newest = None

    @property
    def view(self) -> View | None:
        """What the kept samples say; None when there is none."""
        if self._newest is None:
            return None
        distance = _middle([sample.distance_mm for sample in self._kept])
        return View(
            at=self._newest.at,
            surface=_middle([sample.surface for sample in self._kept]),
            ambient=_middle([sample.ambient for sample in self._kept]),
            distance_mm=None if distance is None else round(distance),
            area=_middle([sample.area for sample in self._kept]),
            samples=0 if self._newest.surface is None else len(self._kept),
            seconds=self._kept[-1].at - self._kept[0].at,
        )

    def _is_another(self, sample: Sample) -> bool:
        """Whether `sample` may be of somebody else than those before."""
        last = self._newest
        if last is None or last.surface is None or sample.at - last.at > GAP:
            return True
        before = _middle([kept.surface for kept in self._kept])
        if before is None or sample.surface is None or abs(sample.surface - before) > JUMP:
            return True
        both = last.distance_mm is not None and sample.distance_mm is not None
        return both and abs((sample.distance_mm or 0) - (last.distance_mm or 0)) > STEP


def _middle(values: list[float | None] | list[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
