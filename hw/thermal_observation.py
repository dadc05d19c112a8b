"""What is known of a thermal sensor and the body before it, judged: from samples and failures to a Reading.

No thread, no device and no clock: it is told what happened and when, and asked for the reading at a moment.
The order of judgement is that of what the person can mend: step nearer first, then nothing but the sensor is
left.

Too far, in three ways: a sensor that knows the distance says so (`thermal.max_distance_mm`); an array sees
the face fill too little of its view (`thermal.min_area`); a sensor of one point without either sees face and
background mixed, so its surface is below what skin has but clearly above the surroundings. A forehead fresh
from the frost looks the same: either way there is no temperature yet, and waiting or stepping nearer gives
one.
"""

from __future__ import annotations

import math

from config.settings_thermal import ThermalSettings
from hw.forehead import COLDEST, WARMEST, body_temperature
from hw.thermal import PLAUSIBLE, STALE_AFTER, Reading, ThermalState, degrees
from hw.thermal_drift import AmbientShock, PopulationDrift
from hw.thermal_sensor import Sample
from hw.thermal_window import View, Window

SKIN = PLAUSIBLE.start / 10  # degrees Celsius: below, it is no forehead that fills the view
HOTTEST = (PLAUSIBLE.stop - 1) / 10
_CLEARLY = 2.0  # degrees Celsius above the surroundings: something warm is in view


class Observation:
    """Everything known of one sensor. `settings` says what is too far, too fast and how to compensate."""

    def __init__(self, settings: ThermalSettings) -> None:
        self._settings = settings
        self._window = Window(settings.window_seconds)
        self._shock = AmbientShock(settings.ambient_rate)
        self._people = PopulationDrift(settings.drift_people)
        self._remarks: tuple[str, ...] = ()
        self._absent = "the sensor is being opened"
        self._failure = ""

    @property
    def sentence(self) -> str:
        """What is wrong with the sensor now, "" when nothing is."""
        return self._absent or self._failure or self._drift() or self._air()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the sensor said of itself when it was opened."""
        return self._remarks

    def opened(self, remarks: tuple[str, ...]) -> None:
        """The sensor is there."""
        self._absent, self._remarks = "", remarks

    def took(self, sample: Sample) -> None:
        """The sensor has measured."""
        if not all(math.isfinite(value) for value in (sample.surface, sample.ambient) if value is not None):
            self.failed("driver failed: gave a temperature that is no number")
            return
        self._failure = ""
        self._window.add(sample)
        if sample.ambient is not None:
            self._shock.add(sample.ambient, sample.at)

    def failed(self, sentence: str) -> None:
        """It gave nothing, but is not known to be gone; what it gave before counts until it is stale."""
        if self._absent:
            self._absent = sentence
        else:
            self._failure = sentence

    def lost(self, sentence: str) -> None:
        """It is gone. What comes back may be another sensor, and another person."""
        self._absent, self._failure, self._remarks = sentence, "", ()
        self._window.clear()
        self._shock.clear()

    def note(self, reading: Reading) -> None:
        """Learn the reading with which one person was judged, for telling drift; once a person."""
        decidegrees = reading.decidegrees
        if reading.state is ThermalState.DRIFTING and reading.surface is not None:
            # While drifting nobody is given a number, but only numbers can tell that it is over.
            ambient = None if reading.ambient is None else reading.ambient / 10
            decidegrees = self._body(reading.surface / 10, ambient)
        if decidegrees is not None and decidegrees in PLAUSIBLE:
            self._people.note(decidegrees)

    def reading(self, now: float) -> Reading:
        """The reading at monotonic second `now`."""
        view = self._window.view
        if self._absent:
            return Reading(ThermalState.ABSENT)
        if view is None or now - view.at > STALE_AFTER:
            return Reading(ThermalState.STALE)
        state, decidegrees = self._judged(view)
        return Reading(
            state,
            decidegrees,
            view.at,
            surface=_tenths(view.surface),
            ambient=_tenths(self._surroundings(view.ambient)),
            samples=view.samples,
            seconds=view.seconds,
            distance_mm=view.distance_mm,
            area=view.area,
        )

    def _judged(self, view: View) -> tuple[ThermalState, int | None]:
        if view.surface is None or view.surface > HOTTEST:
            return ThermalState.IMPLAUSIBLE, None
        if view.distance_mm is not None and view.distance_mm > self._settings.max_distance_mm:
            return ThermalState.TOO_FAR, None
        if view.area is not None and view.area < self._settings.min_area:
            return ThermalState.TOO_FAR, None
        if view.surface < SKIN:
            mixed = view.ambient is not None and view.surface - view.ambient >= _CLEARLY
            return (ThermalState.TOO_FAR if mixed else ThermalState.IMPLAUSIBLE), None
        decidegrees = self._body(view.surface, self._surroundings(view.ambient))
        if decidegrees not in PLAUSIBLE:
            return ThermalState.IMPLAUSIBLE, None
        if self._drift():
            return ThermalState.DRIFTING, None
        return ThermalState.OK, decidegrees

    def _body(self, surface: float, ambient: float | None) -> int | None:
        """The body temperature behind `surface`, tenths of a degree; None where it cannot be told."""
        skin = surface + self._settings.offset
        if self._settings.compensation == "none":
            return _tenths(skin)
        if ambient is None:
            return None
        return _tenths(body_temperature(skin, ambient, self._settings.heat_balance))

    def _surroundings(self, ambient: float | None) -> float | None:
        """The air around the person, by the sensor's own temperature."""
        return None if ambient is None else ambient + self._settings.ambient_offset

    def _drift(self) -> str:
        if self._shock.drifting:
            return (
                f"drifting: its own temperature moved by {self._shock.moved:.1f} degrees within a minute;"
                " shield it from draughts and from the warmth of the case, and let it settle"
            )
        if self._people.drifting:
            middle = degrees(round(self._people.median or 0))
            return (
                f"drifting: the last {self._settings.drift_people} people had {middle} in the median; clean"
                " its lens, then set thermal.offset by a trusted thermometer"
            )
        return ""

    def _air(self) -> str:
        """Why the air forbids compensation, "" when it does not."""
        view = self._window.view
        around = self._surroundings(view.ambient) if view else None
        if self._settings.compensation == "none" or around is None or COLDEST <= around <= WARMEST:
            return ""
        return (
            f"the air has {around:.1f} degrees: forehead skin tells nothing of the body outside {COLDEST:.0f}"
            f" to {WARMEST:.0f}; heat or shade the place, or set thermal.ambient_offset if its case"
            " is the cause"
        )


def _tenths(value: float | None) -> int | None:
    return None if value is None else round(value * 10)
