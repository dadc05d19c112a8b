"""The sampler: whatever a sensor does, reading returns at once with a state, and what is mended is found."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from config.settings_thermal import ThermalSettings
from hw.errors import BusError, ThermalAbsent, ThermalGarbage
from hw.thermal import STALE_AFTER, Thermal, ThermalState, Watched, note
from hw.thermal_sampler import ThermalSampler
from hw.thermal_sensor import Sample
from tests.hw.thermal_rig import RETRY, comes_to, reaches
from tests.sim.processes import wait_until

SETTINGS = ThermalSettings(
    retry_seconds=RETRY, driver="mlx90614", path=None, address=None, port=None, pattern=None
)


class Scripted:
    """A sensor that does in each sample what `act` does with the number of the sample."""

    interval = 0.005

    def __init__(self, act: Callable[[int], Sample], remarks: tuple[str, ...] = ()):
        self._act, self.remarks = act, remarks
        self.samples, self.closed = 0, 0

    def sample(self) -> Sample:
        self.samples += 1
        return self._act(self.samples - 1)

    def close(self) -> None:
        self.closed += 1


def good(_number: int = 0) -> Sample:
    return Sample(time.monotonic(), 34.4, 22.0)


def _raise(error: BaseException) -> Sample:
    raise error


@pytest.fixture
def run() -> Iterator[Callable[..., ThermalSampler]]:
    """Runs a sampler over an opener, closed at the end of the test."""
    samplers = []

    def start(
        opener: Callable[[], object], settings: ThermalSettings = SETTINGS, **more: object
    ) -> ThermalSampler:
        samplers.append(ThermalSampler(opener, settings, **more))
        return samplers[-1]

    yield start
    for sampler in samplers:
        sampler.close()


def test_a_good_sensor_is_read_with_how_long_it_measured(run: Callable[..., ThermalSampler]):
    sampler = run(lambda: Scripted(good, ("odd but works",)))
    assert wait_until(lambda: sampler.read().seconds > 0.3, 30)
    reading = sampler.read()
    assert (reading.state, reading.decidegrees, reading.ambient) == (ThermalState.OK, 368, 220)
    assert reading.samples >= 3
    assert time.monotonic() - reading.measured_at < 1
    assert (sampler.sentence, sampler.remarks) == ("", ("odd but works",))


@pytest.mark.parametrize(
    "error",
    [
        BusError("noise"),
        ThermalGarbage("nonsense"),
        OSError(5, "I/O"),
        ValueError(),
        KeyError("x"),
        MemoryError(),
    ],
)
def test_a_failure_between_good_samples_is_not_noticed_at_the_gate(
    error: Exception, run: Callable[..., ThermalSampler]
):
    sampler = run(lambda: Scripted(lambda i: _raise(error) if i % 3 == 2 else good()))
    comes_to(sampler, ThermalState.OK)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert sampler.read().state is ThermalState.OK
        time.sleep(0.01)


def test_failures_without_end_open_the_sensor_anew_and_become_stale_never_a_number(
    run: Callable[..., ThermalSampler],
):
    opened = []

    def opener() -> Scripted:
        opened.append(Scripted(lambda i: good() if len(opened) == 1 and i < 5 else _raise(BusError("noise"))))
        return opened[-1]

    sampler = run(opener)
    comes_to(sampler, ThermalState.OK)
    assert reaches(sampler, ThermalState.STALE)
    assert sampler.read().decidegrees is None
    assert sampler.sentence == "noise"
    assert len(opened) >= 3
    assert [sensor.closed for sensor in opened[:-1]] == [1] * (len(opened) - 1), "a device was not given back"


def test_a_sensor_that_is_unplugged_is_absent_at_once_and_found_when_it_is_back(
    run: Callable[..., ThermalSampler],
):
    plugged = threading.Event()
    plugged.set()

    def opener() -> Scripted:
        if not plugged.is_set():
            raise ThermalAbsent("plug it in")
        return Scripted(lambda _: good() if plugged.is_set() else _raise(ThermalAbsent("was unplugged")))

    sampler = run(opener)
    for _ in range(3):
        comes_to(sampler, ThermalState.OK)
        plugged.clear()
        assert reaches(sampler, ThermalState.ABSENT, STALE_AFTER / 2), (
            "an unplugged sensor still had a number"
        )
        assert wait_until(lambda: sampler.sentence == "plug it in", 30)
        plugged.set()


@pytest.mark.parametrize("error", [RuntimeError("driver bug"), ImportError("no module"), ZeroDivisionError()])
def test_a_driver_that_raises_anything_while_opening_is_tried_again(
    error: Exception, run: Callable[..., ThermalSampler]
):
    openings = iter([error, error])

    def opener() -> Scripted:
        failure = next(openings, None)
        if failure:
            raise failure
        return Scripted(good)

    comes_to(run(opener), ThermalState.OK)


def test_a_sensor_that_never_opens_says_why_and_takes_no_core(run: Callable[..., ThermalSampler]):
    tries = []

    def opener() -> Scripted:
        tries.append(1)
        raise RuntimeError("firmware missing")

    sampler = run(opener)
    assert wait_until(lambda: "RuntimeError: firmware missing" in sampler.sentence, 30)
    assert sampler.read().state is ThermalState.ABSENT
    before = len(tries)
    time.sleep(0.5)
    assert len(tries) - before <= 0.5 / RETRY + 2


def test_a_sensor_that_hangs_is_stale_by_the_clock_and_reading_does_not_wait(
    run: Callable[..., ThermalSampler],
):
    held = threading.Event()
    now = [1000.0]

    def act(number: int) -> Sample:
        if number:
            held.wait(20)
        return Sample(now[0], 34.4, 22.0)

    sampler = run(lambda: Scripted(act), clock=lambda: now[0])
    comes_to(sampler, ThermalState.OK)
    now[0] += STALE_AFTER + 0.01
    started = time.monotonic()
    assert sampler.read().state is ThermalState.STALE
    assert time.monotonic() - started < 0.1
    held.set()


def test_a_close_that_fails_does_not_end_the_sampler(run: Callable[..., ThermalSampler]):
    class Clinging(Scripted):
        def close(self) -> None:
            raise OSError(9, "Bad file descriptor")

    opened = []

    def opener() -> Clinging:
        opened.append(1)
        return Clinging(lambda _: good() if len(opened) > 2 else _raise(ThermalAbsent("gone")))

    comes_to(run(opener), ThermalState.OK)


def test_closing_gives_the_device_back_and_ends_the_thread(run: Callable[..., ThermalSampler]):
    sensor = Scripted(good)
    sampler = run(lambda: sensor)
    comes_to(sampler, ThermalState.OK)
    sampler.close()
    assert sensor.closed == 1
    taken = sensor.samples
    time.sleep(0.1)
    assert sensor.samples == taken


def test_what_the_gate_notes_reaches_the_sensor_and_others_need_not_care(run: Callable[..., ThermalSampler]):
    sampler: Thermal = run(
        lambda: Scripted(lambda _: Sample(time.monotonic(), 31.5, 22.0)),
        SETTINGS.model_copy(update={"drift_people": 10}),
    )
    assert isinstance(sampler, Watched)
    reading = comes_to(sampler, ThermalState.OK)
    for _ in range(10):
        note(sampler, reading)
    assert sampler.read().state is ThermalState.DRIFTING

    class Plain:
        def read(self) -> None: ...

        def close(self) -> None: ...

    note(Plain(), reading)
