"""The MLX90614 by its registers: checksum, decoding, and every way in which a bus fails."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings_thermal import ThermalSettings
from hw.errors import BusError, ThermalAbsent, ThermalGarbage
from hw.simulated_i2c import NACK, NOISE, STUCK, SimulatedBus
from hw.simulated_mlx90614 import SimulatedMlx90614
from hw.thermal import ThermalState
from hw.thermal_mlx90614 import Mlx90614, Mlx90614Thermal, celsius, pec
from tests.hw.conftest import MakeSettings
from tests.hw.thermal_rig import comes_to, quick, reaches

FOREHEAD = 34.42  # 36.8 in the body at 22 degrees around
SETTINGS = ThermalSettings.model_validate({"driver": "mlx90614"})


def bus_of(chip: SimulatedMlx90614) -> SimulatedBus:
    return SimulatedBus({chip.address: chip})


@pytest.fixture
def run(make_settings: MakeSettings) -> Iterator[Callable[..., Mlx90614Thermal]]:
    """Runs the driver on a bus, closed at the end of the test."""
    drivers = []

    def start(bus: SimulatedBus, **settings: Any) -> Mlx90614Thermal:
        drivers.append(Mlx90614Thermal(quick(make_settings, "mlx90614", **settings), bus.open))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


@pytest.mark.parametrize(
    ("packet", "crc"),
    [
        (b"123456789", 0xF4),  # the check value of CRC-8/SMBUS
        (bytes([0x00, 0x2E, 0x00, 0x00]), 0x6F),  # application note 390119061402: erasing the address
        (bytes([0x00, 0x2E, 0x5A, 0x00]), 0xE1),  # and writing 0x5A
        (bytes([0xB4, 0x07, 0xB5, 0xD2, 0x3A]), 0x30),  # data sheet, "Read Word" example
    ],
)
def test_the_checksum_is_that_of_the_documents(packet: bytes, crc: int):
    assert pec(packet) == crc


@given(st.binary(max_size=40))
def test_a_packet_with_its_checksum_checks_to_zero(packet: bytes):
    assert pec(packet + bytes([pec(packet)])) == 0


@given(st.binary(min_size=1, max_size=12), st.data())
def test_one_or_two_wrong_bits_never_pass(packet: bytes, data: st.DataObject):
    whole = bytearray(packet + bytes([pec(packet)]))
    bits = data.draw(st.sets(st.integers(0, len(whole) * 8 - 1), min_size=1, max_size=2))
    for bit in bits:
        whole[bit // 8] ^= 1 << bit % 8
    assert pec(bytes(whole)) != 0


@pytest.mark.parametrize(
    ("word", "degrees"),
    [(0x27AD, -70.01), (0x7FFF, 382.19), (0x3AD2, 28.01), (0x3AF7, 28.75)],
)
def test_a_word_is_fiftieths_of_a_kelvin(word: int, degrees: float):
    assert celsius(word) == pytest.approx(degrees, abs=0.005)


@given(st.integers(0x8000, 0xFFFF))
def test_a_word_with_the_error_flag_is_no_temperature(word: int):
    with pytest.raises(ThermalGarbage, match="flags its own measurement as wrong"):
        celsius(word)


@given(st.integers(0, 0x27AC))
def test_what_is_in_ram_before_the_first_measurement_is_no_temperature(word: int):
    with pytest.raises(ThermalGarbage, match="has not measured yet"):
        celsius(word)


@given(st.floats(-70, 380), st.floats(-40, 125))
def test_whatever_the_chip_sees_is_read_to_its_resolution(surface: float, ambient: float):
    sample = Mlx90614(SETTINGS, bus_of(SimulatedMlx90614(surface, ambient)).open).sample()
    assert sample.surface == pytest.approx(surface, abs=0.0101)
    assert sample.ambient == pytest.approx(ambient, abs=0.0101)


@given(st.integers(0, 23), st.floats(20, 45))
def test_any_wrong_bit_on_the_wire_is_noticed(bit: int, surface: float):
    bus = bus_of(SimulatedMlx90614(surface))
    sensor = Mlx90614(SETTINGS, bus.open)
    bus.flip(bit)
    with pytest.raises(BusError, match=r"checksum \(PEC\) is wrong"):
        sensor.sample()
    assert sensor.sample().surface == pytest.approx(surface, abs=0.0101)


def test_an_answer_of_another_chip_is_noticed_by_its_address():
    chip = SimulatedMlx90614(address=0x5B)
    with pytest.raises(BusError, match="PEC"):
        Mlx90614(SETTINGS, SimulatedBus({0x5A: chip}).open)


def test_a_sensor_at_another_address_is_read_there():
    settings = ThermalSettings.model_validate({"driver": "mlx90614", "address": 0x10})
    sensor = Mlx90614(settings, bus_of(SimulatedMlx90614(34.4, address=0x10)).open)
    assert sensor.sample().surface == pytest.approx(34.4, abs=0.011)


@pytest.mark.parametrize(("emissivity", "word"), [(1.0, "0.2 degrees low"), (0.95, "0.4 degrees high")])
def test_an_emissivity_that_is_not_that_of_skin_is_remarked(emissivity: float, word: str):
    (remark,) = Mlx90614(SETTINGS, bus_of(SimulatedMlx90614(emissivity=emissivity)).open).remarks
    assert f"emissivity is {emissivity:.2f}" in remark
    assert word in remark
    assert "thermal.offset" in remark


def test_the_emissivity_of_skin_is_not_worth_a_remark():
    assert Mlx90614(SETTINGS, bus_of(SimulatedMlx90614(emissivity=0.98)).open).remarks == ()


def test_a_bus_that_is_not_there_is_absent_with_how_to_enable_it():
    bus = bus_of(SimulatedMlx90614())
    bus.absent = True
    with pytest.raises(ThermalAbsent, match=r"/dev/i2c-1: No such file.*thermal\.bus.*raspi-config"):
        Mlx90614(SETTINGS, bus.open)


def test_a_bus_that_the_user_may_not_use_says_which_group():
    def refuse(_number: int) -> SimulatedBus:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(ThermalAbsent, match="usermod -aG i2c"):
        Mlx90614(SETTINGS, refuse)


def test_nobody_at_the_address_is_absent_and_the_bus_is_given_back():
    bus = SimulatedBus({})
    with pytest.raises(ThermalAbsent, match=r"MLX90614 at 0x5a on /dev/i2c-1: nothing answers"):
        Mlx90614(SETTINGS, bus.open)
    assert bus.open_handles == 0


@pytest.mark.parametrize(
    ("error", "advice"), [(NACK, "loose wire"), (NOISE, "pull-ups"), (STUCK, "SCL or SDA held low")]
)
def test_a_failed_transfer_says_what_to_look_at(error: int, advice: str):
    bus = bus_of(SimulatedMlx90614())
    sensor = Mlx90614(SETTINGS, bus.open)
    bus.fail(error)
    with pytest.raises(BusError, match=advice) as raised:
        sensor.sample()
    assert raised.value.errno == error


def test_the_gate_reads_a_forehead_through_the_whole_driver(run: Callable[..., Mlx90614Thermal]):
    reading = comes_to(run(bus_of(SimulatedMlx90614(FOREHEAD, 22.0)), window_seconds=0.5), ThermalState.OK)
    assert (reading.decidegrees, reading.surface, reading.ambient) == (368, 344, 220)


def test_noise_on_the_bus_is_ridden_out(run: Callable[..., Mlx90614Thermal]):
    bus = bus_of(SimulatedMlx90614(FOREHEAD))
    driver = run(bus)
    comes_to(driver, ThermalState.OK)
    bus.fail(NOISE, None, None, NACK, None, None, STUCK, NOISE)
    bus.flip(3, 12, 20)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        reading = driver.read()
        assert (reading.state, reading.decidegrees) == (ThermalState.OK, 368), driver.sentence
        time.sleep(0.01)


def test_an_unplugged_sensor_is_absent_soon_and_found_when_it_is_back(run: Callable[..., Mlx90614Thermal]):
    chip = SimulatedMlx90614(FOREHEAD)
    bus = bus_of(chip)
    driver = run(bus)
    for _ in range(2):
        comes_to(driver, ThermalState.OK)
        bus.chips.clear()
        assert reaches(driver, ThermalState.ABSENT, 1.5), "an unplugged sensor still had a number"
        assert "nothing answers" in driver.sentence
        bus.chips[0x5A] = chip
    comes_to(driver, ThermalState.OK)
    assert bus.open_handles == 1


def test_a_stuck_bus_is_stale_and_recovers_when_it_is_freed(run: Callable[..., Mlx90614Thermal]):
    bus = bus_of(SimulatedMlx90614(FOREHEAD))
    driver = run(bus)
    comes_to(driver, ThermalState.OK)
    bus.fail_always(STUCK)
    assert reaches(driver, ThermalState.STALE)
    assert "held low" in driver.sentence
    assert bus.open_handles <= 1
    bus.fail_always(None)
    comes_to(driver, ThermalState.OK)


def test_a_sensor_that_flags_its_own_measurement_gives_no_number(run: Callable[..., Mlx90614Thermal]):
    chip = SimulatedMlx90614(FOREHEAD)
    driver = run(bus_of(chip))
    comes_to(driver, ThermalState.OK)
    chip.wrong = True
    assert comes_to(driver, ThermalState.STALE).decidegrees is None
    assert "power it off and on" in driver.sentence


def test_nobody_then_somebody_then_nobody(run: Callable[..., Mlx90614Thermal]):
    chip = SimulatedMlx90614(22.1, 22.0)
    driver = run(bus_of(chip))
    comes_to(driver, ThermalState.IMPLAUSIBLE)
    chip.surface = 27.0
    comes_to(driver, ThermalState.TOO_FAR)
    chip.surface = FOREHEAD
    assert comes_to(driver, ThermalState.OK).decidegrees == 368
    chip.surface = 22.1
    assert comes_to(driver, ThermalState.IMPLAUSIBLE).samples <= 2
