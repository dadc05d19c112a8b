"""The MLX90640 by its registers: the real package computes degrees out of what the simulated part holds."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings_thermal import ThermalSettings
from hw.errors import BusError, ThermalAbsent, ThermalGarbage
from hw.simulated_i2c import NACK, NOISE, STUCK, SimulatedBus
from hw.simulated_mlx90640 import SimulatedMlx90640
from hw.thermal import ThermalState
from hw.thermal_mlx90640 import ADDRESS, Mlx90640, Mlx90640Thermal
from tests.hw.conftest import MakeSettings
from tests.hw.thermal_rig import comes_to, quick, reaches

SETTINGS = ThermalSettings.model_validate({"driver": "mlx90640"})
NEAR = 0.15  # degrees: the part's own resolution is 0.1


class Hasty:
    """A clock by which each look is a twentieth of a second later: half a picture is ready in a few looks."""

    def __init__(self, step: float = 0.05) -> None:
        self.now, self._step = 0.0, step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def hasty_chip(ambient: float = 22.0) -> SimulatedMlx90640:
    return SimulatedMlx90640(ambient, clock=Hasty())


def bus_of(chip: SimulatedMlx90640) -> SimulatedBus:
    return SimulatedBus({ADDRESS: chip})


@pytest.fixture
def run(make_settings: MakeSettings) -> Iterator[Callable[..., Mlx90640Thermal]]:
    """Runs the driver on a bus, closed at the end of the test."""
    drivers = []

    def start(bus: SimulatedBus, **more: Any) -> Mlx90640Thermal:
        drivers.append(Mlx90640Thermal(quick(make_settings, "mlx90640", **more), bus.open))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


def test_a_scene_in_degrees_comes_back_through_registers_and_calibration():
    chip = hasty_chip()
    rows, columns = np.indices((24, 32))
    chip.scene = 20 + rows * 0.5 + columns * 0.4
    sensor = Mlx90640(SETTINGS, bus_of(chip).open)
    picture, ambient = sensor._picture()
    assert np.abs(picture - chip.scene).max() < NEAR
    assert ambient == pytest.approx(22.0, abs=0.05)


@settings(max_examples=15)
@given(st.floats(30.3, 44.5), st.floats(5, 29))
def test_whatever_face_before_whatever_room_is_measured(surface: float, ambient: float):
    chip = hasty_chip(ambient)
    chip.face(surface)
    sample = Mlx90640(SETTINGS, bus_of(chip).open).sample()
    assert sample.surface == pytest.approx(surface, abs=NEAR + 0.05)
    assert sample.ambient == pytest.approx(ambient, abs=0.05)
    assert sample.area == pytest.approx(120 / 768, abs=0.03)


def test_an_empty_room_is_a_sample_without_a_face():
    sample = Mlx90640(SETTINGS, bus_of(hasty_chip()).open).sample()
    assert (sample.surface, sample.area) == (None, None)
    assert sample.ambient == pytest.approx(22.0, abs=0.05)


def test_the_picture_rate_is_set_to_what_the_bus_can_carry():
    chip = hasty_chip()
    Mlx90640(SETTINGS, bus_of(chip).open)
    assert chip.memory[0x800D] >> 7 & 0x7 == 0b011
    assert chip.memory[0x800D] & ~(0x7 << 7) == 0x1901 & ~(0x7 << 7), "other control bits were changed"


def test_the_sensor_keeps_the_pace_of_the_part():
    chip = SimulatedMlx90640()
    bus = bus_of(chip)
    sensor = Mlx90640(SETTINGS, bus.open)
    sensor.sample()
    before, started = bus.transfers, time.monotonic()
    sensor.sample()
    assert 0.3 < time.monotonic() - started < 1.5
    assert bus.transfers - before < 150, "the status register is polled without a pause"


def test_opened_often_it_still_has_no_bad_points():
    """The package adds up the bad points of all its objects; after five openings it refused the sensor."""
    chip = hasty_chip()
    for point in (100, 400):
        chip.memory[0x2440 + point] |= 1  # an outlier
    chip.face(34.4)
    bus = bus_of(chip)
    for _ in range(6):
        sensor = Mlx90640(SETTINGS, bus.open)
        assert sensor.sample().surface == pytest.approx(34.4, abs=NEAR)
        sensor.close()
    assert bus.open_handles == 0


def test_a_bad_point_is_unknown_not_minus_273():
    chip = hasty_chip()
    chip.memory[0x2440 + 400] |= 1
    picture, _ = Mlx90640(SETTINGS, bus_of(chip).open)._picture()
    assert np.isnan(picture.flat[400])
    assert np.isfinite(picture).sum() == 767


def test_a_calibration_memory_that_makes_no_sense_is_said_to():
    chip = hasty_chip()
    for point in range(768):
        chip.memory[0x2440 + point] = 0xFFFF
    with pytest.raises(ThermalGarbage, match="calibration memory makes no sense"):
        Mlx90640(SETTINGS, bus_of(chip).open)


def test_a_wrong_bit_in_the_calibration_is_noticed_before_it_falsifies_every_reading():
    bus = bus_of(hasty_chip())
    bus.flip(0x30 * 16 + 3)  # in the gain, when the memory is read first
    with pytest.raises(ThermalGarbage, match="reads differently twice"):
        Mlx90640(SETTINGS, bus.open)
    assert bus.open_handles == 0


def test_a_part_that_is_never_ready_ends_the_wait():
    chip = SimulatedMlx90640()
    sensor = Mlx90640(SETTINGS, bus_of(chip).open)
    sensor.sample()
    chip.frozen = True
    started = time.monotonic()
    with pytest.raises(BusError, match="never has a picture ready"):
        sensor.sample()
    assert time.monotonic() - started < 4


def test_a_bus_too_slow_for_the_picture_rate_says_so():
    """The next half is there before this one is read; the package gives up after five tries."""
    chip = SimulatedMlx90640(clock=Hasty(0.3))
    sensor = Mlx90640(SETTINGS, bus_of(chip).open)
    with pytest.raises(ThermalGarbage, match="Too many retries"):
        sensor.sample()


def test_nobody_at_the_address_is_absent_and_the_bus_is_given_back():
    bus = SimulatedBus({})
    with pytest.raises(ThermalAbsent, match=r"MLX90640 at 0x33 on /dev/i2c-1: nothing answers"):
        Mlx90640(SETTINGS, bus.open)
    assert bus.open_handles == 0


def test_a_bus_that_refuses_empty_writes_still_finds_the_part():
    """As some bus drivers do; the package then reads a byte to see whether anybody answers."""
    bus = bus_of(hasty_chip())
    bus.fail(errno.EOPNOTSUPP, None, None, errno.EOPNOTSUPP)
    Mlx90640(SETTINGS, bus.open)


@pytest.mark.parametrize("error", [NACK, NOISE, STUCK])
def test_a_failing_transfer_is_a_bus_error_and_the_next_picture_is_good(error: int):
    chip = hasty_chip()
    chip.face(34.4)
    bus = bus_of(chip)
    sensor = Mlx90640(SETTINGS, bus.open)
    for good in range(8):
        bus.fail(*[None] * good, error)
        with pytest.raises(BusError, match="I2C"):
            sensor.sample()
    assert sensor.sample().surface == pytest.approx(34.4, abs=NEAR)


def test_without_the_package_it_is_absent_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "adafruit_mlx90640", None)
    with pytest.raises(ThermalAbsent, match=r"pip install 'campusgate\[mlx90640\]'"):
        Mlx90640(SETTINGS, bus_of(hasty_chip()).open)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0x0400, 0x073F), st.integers(0, 0xFFFF)), min_size=1, max_size=60))
def test_garbage_in_its_ram_is_garbage_or_a_sample_never_another_error(words: list[tuple[int, int]]):
    chip = hasty_chip()
    chip.face(34.4)
    sensor = Mlx90640(SETTINGS, bus_of(chip).open)
    fill = chip._fill

    def spoiled(subpage: int) -> None:
        fill(subpage)
        chip.memory.update(words)

    chip._fill = spoiled
    try:
        sample = sensor.sample()
    except ThermalGarbage:
        return
    assert sample.surface is None or 30 <= sample.surface <= 45


def test_the_gate_reads_a_face_steps_back_and_goes(run: Callable[..., Mlx90640Thermal]):
    chip = hasty_chip()
    chip.face(34.4)
    driver = run(bus_of(chip))
    reading = comes_to(driver, ThermalState.OK)
    assert reading.decidegrees in range(366, 371)
    assert reading.area == pytest.approx(0.156, abs=0.02)
    chip.face(33.5, rows=slice(10, 13), columns=slice(15, 18))
    assert comes_to(driver, ThermalState.TOO_FAR).area < 0.02
    chip.face(22.0)
    assert comes_to(driver, ThermalState.IMPLAUSIBLE).surface is None


def test_an_unplugged_array_is_absent_and_found_when_it_is_back(run: Callable[..., Mlx90640Thermal]):
    chip = hasty_chip()
    chip.face(34.4)
    bus = bus_of(chip)
    driver = run(bus)
    for _ in range(2):
        comes_to(driver, ThermalState.OK)
        bus.chips.clear()
        assert reaches(driver, ThermalState.ABSENT, 2.0)
        bus.chips[ADDRESS] = chip
    comes_to(driver, ThermalState.OK)
