"""Whether a sensor that seems to work is to be believed: two kinds of drift, told from what it has said.

Quick: a sensor whose own temperature changes sees its own warming or cooling case. The data sheet of the
MLX90614 (section "Accuracy") guarantees its accuracy only in thermal equilibrium and under isothermal
conditions; a door opened in winter or a sensor just plugged in is neither. Slow: a lens that fogs or a part
that ages moves everybody's temperature, and the median of many people is known better than any sensor.
Nothing here corrects a reading: a sensor that drifts is to be looked at by a person.
"""

from __future__ import annotations

from collections import deque
from statistics import median

_LOOK_BACK = 60.0  # seconds
_EVERY = 1.0  # second: how often the ambient temperature is remembered
_SMOOTH = 5  # samples: one wrong one is not a shock

# Healthy people: 36.6 to 36.7 degrees by mouth and in the armpit, standard deviation 0.4 (M. Protsiv et al.,
# eLife 9 (2020) e49555; A. Chen et al., IJERPH 19 (2022) 15883). The median of 40 has a standard error under
# 0.1 degree, so 0.6 away is the sensor, and still notices it before a fever of 37.3 would look well or the
# well feverish.
USUAL = 366  # tenths of a degree
ASTRAY = 6  # further away than this: drifting
BACK = 5  # within this: no longer; the gap keeps the state from flapping


class AmbientShock:
    """Whether the ambient temperature moved by more than `rate` degrees within the last minute."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._newest: deque[float] = deque(maxlen=_SMOOTH)
        self._past: deque[tuple[float, float]] = deque()  # at, degrees

    def add(self, ambient: float, at: float) -> None:
        """Learn the ambient temperature in degrees Celsius at monotonic second `at`."""
        self._newest.append(ambient)
        if not self._past or at - self._past[-1][0] >= _EVERY:
            self._past.append((at, median(self._newest)))
        while at - self._past[0][0] > _LOOK_BACK:
            self._past.popleft()

    @property
    def moved(self) -> float:
        """By how many degrees it moved within the last minute, highest to lowest."""
        values = [ambient for _, ambient in self._past]
        return max(values) - min(values) if values else 0.0

    @property
    def drifting(self) -> bool:
        """True while the sensor is not in equilibrium."""
        return self.moved > self._rate

    def clear(self) -> None:
        """Forget all: another sensor, or the same after a pause."""
        self._newest.clear()
        self._past.clear()


class PopulationDrift:
    """Whether the median of the last `people` persons is where the median of people is."""

    def __init__(self, people: int) -> None:
        self._last: deque[int] = deque(maxlen=people)
        self._drifting = False

    def note(self, decidegrees: int) -> None:
        """Learn one person's body temperature in tenths of a degree. Once a person."""
        self._last.append(decidegrees)
        middle = self.median
        if middle is not None:
            self._drifting = abs(middle - USUAL) > (BACK if self._drifting else ASTRAY)

    @property
    def median(self) -> float | None:
        """Of the last persons, in tenths of a degree; None until there were enough."""
        return median(self._last) if len(self._last) == self._last.maxlen else None

    @property
    def drifting(self) -> bool:
        """True from when the median leaves the band until it is back."""
        return self._drifting
