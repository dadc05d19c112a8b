"""A thermal sensor kept alive: a thread that opens it, samples it, and tries again, so that reading never
waits.

What is wrong is a state with a sentence, never an exception for the reader. What the samples mean is judged
elsewhere (`hw.thermal_observation`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from config.errors import CampusgateError
from config.settings_thermal import ThermalSettings
from hw.errors import ThermalAbsent
from hw.thermal import Reading
from hw.thermal_observation import Observation
from hw.thermal_sensor import Sensor

log = logging.getLogger(__name__)

_FAILURES = 5  # in a row; then the device is opened anew: one that came back may need it
_PAUSE = 0.05  # seconds after a failure: noise on a bus passes quickly, and a core is not to be taken


class ThermalSampler:
    """Runs the sensor that `opener` opens until closed. It is a `hw.thermal.Thermal`.

    clock: monotonic seconds, the one by which the sensor dates its samples.
    """

    def __init__(
        self,
        opener: Callable[[], Sensor],
        settings: ThermalSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opener, self._retry, self._clock = opener, settings.retry_seconds, clock
        self._observation = Observation(settings)
        self._lock = threading.Lock()  # held for microseconds: never while a device is asked
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="thermal", daemon=True)
        self._thread.start()

    @property
    def sentence(self) -> str:
        """What is wrong with the sensor now, and what to do; "" when nothing is."""
        with self._lock:
            return self._observation.sentence

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd though it works."""
        with self._lock:
            return self._observation.remarks

    def read(self) -> Reading:
        """See `hw.thermal.Thermal.read`; a sensor that hangs is stale by the clock."""
        with self._lock:
            return self._observation.reading(self._clock())

    def note(self, reading: Reading) -> None:
        """Learn the reading with which one person was judged, once a person."""
        with self._lock:
            self._observation.note(reading)

    def close(self) -> None:
        """Stop sampling and let the sensor go; waits at most three seconds for one that hangs."""
        self._stop.set()
        self._thread.join(3.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with contextlib.closing(self._opener()) as sensor:
                    with self._lock:
                        self._observation.opened(sensor.remarks)
                    log.info("thermal sensor opened")
                    self._watch(sensor)
            except ThermalAbsent as error:
                self._told(str(error), gone=True)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; the gate goes on
                self._told(_sentence(error))
            self._stop.wait(self._retry)

    def _watch(self, sensor: Sensor) -> None:
        """Sample until told to stop.

        Raises: the last error when it was too many in a row, or ThermalAbsent.
        """
        failures = 0
        while not self._stop.is_set():
            try:
                sample = sensor.sample()
            except ThermalAbsent:
                raise
            except Exception as error:
                failures += 1
                if failures >= _FAILURES:
                    raise
                self._told(_sentence(error))
                self._stop.wait(_PAUSE)
                continue
            failures = 0
            with self._lock:
                self._observation.took(sample)
            if sensor.interval:
                self._stop.wait(sensor.interval)

    def _told(self, sentence: str, *, gone: bool = False) -> None:
        """Remember what went wrong, and log it once, not every second."""
        with self._lock:
            before = self._observation.sentence
            if gone:
                self._observation.lost(sentence)
            else:
                self._observation.failed(sentence)
        if before != sentence:
            log.warning("thermal sensor: %s", sentence)


def _sentence(error: Exception) -> str:
    """An error as a sentence: ours are sentences already."""
    return (
        str(error)
        if isinstance(error, CampusgateError)
        else f"driver failed: {type(error).__name__}: {error}"
    )
