"""The thermal sensor: a temperature, or the reason why there is none; never a guess."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hw.errors import UnknownDriver
from hw.thermal import PLAUSIBLE, STALE_AFTER, Reading, ThermalState, degrees, judged, open_thermal
from tests.hw.conftest import MakeSettings


@pytest.fixture
def read(tmp_path: Path, make_settings: MakeSettings):
    """Reads a simulated sensor that has the given bytes in view; None is a sensor that is not there."""
    sensor = open_thermal(make_settings(thermal={"driver": "simulated", "path": "thermal.txt"}))

    def reading(content: bytes | None) -> Reading:
        (tmp_path / "thermal.txt").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "thermal.txt").write_bytes(content)
        return sensor.read()

    return reading


@pytest.mark.parametrize(
    ("text", "decidegrees"),
    [(b"36.5", 365), (b"37.3\n", 373), (b" 37.2 ", 372), (b"38", 380), (b"30.0", 300), (b"45.0", 450)],
)
def test_a_temperature_in_view_is_read_to_one_decimal(text: bytes, decidegrees: int, read):
    reading = read(text)
    assert (reading.state, reading.decidegrees) == (ThermalState.OK, decidegrees)
    assert time.monotonic() - reading.measured_at < 0.5


def test_every_tenth_of_a_degree_survives_text_and_back(read):
    assert [read(degrees(tenths).encode()).decidegrees for tenths in PLAUSIBLE] == list(PLAUSIBLE)


@pytest.mark.parametrize("text", [b"29.9", b"45.1", b"0", b"-36.5", b"1e9"])
def test_what_living_skin_cannot_have_is_implausible(text: bytes, read):
    assert read(text) == Reading(ThermalState.IMPLAUSIBLE)


@pytest.mark.parametrize("text", [b"", b"warm", b"nan", b"inf", b"-inf", b"36,5", b"\xff\xfe", b"36.5 C"])
def test_what_is_no_number_is_implausible_and_the_next_reading_works(text: bytes, read):
    assert read(text) == Reading(ThermalState.IMPLAUSIBLE)
    assert read(b"36.6").decidegrees == 366


def test_a_sensor_that_is_not_there_is_absent_until_it_is(read):
    assert read(None) == Reading(ThermalState.ABSENT)
    assert read(b"36.6").state is ThermalState.OK
    assert read(None) == Reading(ThermalState.ABSENT)


def test_a_sensor_that_cannot_be_read_is_absent(tmp_path: Path, make_settings: MakeSettings):
    (tmp_path / "thermal.txt").mkdir()
    sensor = open_thermal(make_settings(thermal={"driver": "simulated", "path": "thermal.txt"}))
    assert sensor.read() == Reading(ThermalState.ABSENT)


def test_a_reading_older_than_two_seconds_is_stale_whatever_it_says():
    now = time.monotonic()
    assert judged(365, now - STALE_AFTER - 0.01) == Reading(ThermalState.STALE)
    assert judged(999, now - 60) == Reading(ThermalState.STALE)
    assert judged(365, now - STALE_AFTER + 0.5).state is ThermalState.OK


@pytest.mark.parametrize("state", [s for s in ThermalState if s is not ThermalState.OK])
def test_without_a_temperature_nothing_is_shown(state: ThermalState):
    assert Reading(state).celsius == ""
    assert Reading(state).decidegrees is None


@pytest.mark.parametrize(("decidegrees", "text"), [(365, "36.5"), (370, "37.0"), (409, "40.9"), (None, "")])
def test_a_temperature_is_shown_with_one_decimal(decidegrees: int | None, text: str):
    assert degrees(decidegrees) == text


@pytest.mark.parametrize(("decidegrees", "text"), [(-5, "-0.5"), (-123, "-12.3"), (0, "0.0")])
def test_surroundings_may_be_below_zero(decidegrees: int, text: str):
    assert degrees(decidegrees) == text


def test_a_simulated_sensor_can_say_how_it_measured(read):
    reading = read(b"36.5\nambient -2.5\ndistance_mm 400\narea 0.25\nsamples 12\nseconds 3.5\n")
    assert (reading.state, reading.decidegrees, reading.ambient) == (ThermalState.OK, 365, -25)
    assert (reading.distance_mm, reading.area, reading.samples, reading.seconds) == (400, 0.25, 12, 3.5)


def test_what_a_simulated_sensor_sees_is_body_temperature_and_not_compensated(read):
    reading = read(b"34.0\nambient 22.0")
    assert (reading.decidegrees, reading.surface) == (340, 340)


def test_a_simulated_sensor_can_be_too_far(read):
    assert read(b"36.5\ndistance_mm 601").state is ThermalState.TOO_FAR
    assert read(b"36.5\ndistance_mm 600").state is ThermalState.OK


@pytest.mark.parametrize(
    "more", [b"ambient", b"ambient warm", b"humidity 40", b"21.0", b"ambient 21 22", b"samples 1.5", b"\n\n"]
)
def test_further_lines_that_make_no_sense_are_a_broken_sensor(more: bytes, read):
    assert read(b"36.5\n" + more + b"\narea 0.2") == Reading(ThermalState.IMPLAUSIBLE)


def test_a_terminal_without_a_sensor_says_so(make_settings: MakeSettings):
    sensor = open_thermal(make_settings())
    assert sensor.read() == Reading(ThermalState.NONE)
    sensor.close()


def test_an_unknown_sensor_is_refused_by_name(make_settings: MakeSettings):
    with pytest.raises(UnknownDriver, match=r"thermal\.driver: no driver 'mlx99'.*none, serial, simulated"):
        open_thermal(make_settings(thermal={"driver": "mlx99"}))
