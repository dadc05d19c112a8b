"""What is made of samples: each reason for no temperature is a state of its own, and no number is stale."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings_thermal import ThermalSettings
from hw.thermal import PLAUSIBLE, STALE_AFTER, Reading, ThermalState
from hw.thermal_observation import Observation
from hw.thermal_sensor import Sample

NOW = 500.0


def observation(**settings: Any) -> Observation:
    made = Observation(ThermalSettings.model_validate(settings))
    made.opened(())
    return made


def seen(surface: float | None, ambient: float | None = 22.0, **more: Any) -> Reading:
    """The reading after a second of even samples; settings and what a sample says besides by name."""
    said = {key: more.pop(key) for key in ("distance_mm", "area") if key in more}
    watched = observation(**more)
    for number in range(11):
        watched.took(Sample(NOW - 1 + number / 10, surface, ambient, **said))
    return watched.reading(NOW)


def test_a_forehead_is_compensated_and_says_how_it_was_measured():
    reading = seen(34.4)
    assert (reading.state, reading.decidegrees, reading.celsius) == (ThermalState.OK, 368, "36.8")
    assert (reading.surface, reading.ambient, reading.samples) == (344, 220, 11)
    assert reading.seconds == pytest.approx(1.0)
    assert reading.measured_at == NOW


@pytest.mark.parametrize(("surface", "ambient"), [(float("nan"), 22.0), (34.4, float("inf"))])
def test_what_is_no_number_is_no_sample(surface: float, ambient: float):
    watched = observation()
    watched.took(Sample(NOW - 1, 34.4, 22.0))
    watched.took(Sample(NOW, surface, ambient))
    assert (watched.reading(NOW).decidegrees, watched.reading(NOW).measured_at) == (368, NOW - 1)
    assert watched.sentence == "driver failed: gave a temperature that is no number"


def test_the_calibration_offset_moves_the_skin_before_it_is_compensated():
    assert seen(34.0, offset=0.4).decidegrees == 368
    assert seen(34.0, offset=0.4).surface == 340


def test_a_warm_case_is_taken_off_the_ambient_temperature():
    reading = seen(34.4, 30.0, ambient_offset=-8.0)
    assert (reading.decidegrees, reading.ambient) == (368, 220)


def test_the_share_of_heat_balance_can_be_set():
    assert seen(34.0, heat_balance=0.25).decidegrees == 370


def test_a_module_that_gives_body_temperature_is_taken_at_its_word():
    reading = seen(36.6, None, compensation="none", offset=-0.1)
    assert (reading.state, reading.decidegrees) == (ThermalState.OK, 365)


@pytest.mark.parametrize("ambient", [5.0, 13.9, 32.1, 38.0, None])
def test_in_air_that_forbids_compensation_there_is_no_number_rather_than_a_low_one(ambient: float | None):
    reading = seen(33.5, ambient)
    assert (reading.state, reading.decidegrees) == (ThermalState.IMPLAUSIBLE, None)
    assert reading.surface == 335


def test_the_air_that_forbids_it_is_told():
    watched = observation()
    watched.took(Sample(NOW, 33.5, 8.0))
    assert "the air has 8.0 degrees" in watched.sentence
    uncompensated = observation(compensation="none")
    uncompensated.took(Sample(NOW, 36.5, 8.0))
    assert uncompensated.sentence == ""


@pytest.mark.parametrize("surface", [45.1, 60.0, 380.0, 22.5, 15.0, -20.0, None])
def test_what_no_living_skin_has_is_implausible(surface: float | None):
    assert seen(surface).state is ThermalState.IMPLAUSIBLE


@pytest.mark.parametrize("surface", [24.0, 27.5, 29.9])
def test_a_spot_that_mixes_face_and_background_is_too_far(surface: float):
    assert seen(surface).state is ThermalState.TOO_FAR
    assert seen(surface, None).state is ThermalState.IMPLAUSIBLE


def test_further_than_the_settings_allow_is_too_far():
    assert seen(34.4, distance_mm=601).state is ThermalState.TOO_FAR
    assert seen(34.4, distance_mm=600).state is ThermalState.OK
    assert seen(34.4, distance_mm=900, max_distance_mm=1000).distance_mm == 900


def test_a_face_that_fills_too_little_of_the_picture_is_too_far():
    assert seen(34.4, area=0.02).state is ThermalState.TOO_FAR
    assert seen(34.4, area=0.04).area == 0.04
    assert seen(34.4, area=0.02, min_area=0.01).state is ThermalState.OK


def test_without_a_good_sample_for_two_seconds_it_is_stale_and_no_number_is_left():
    watched = observation()
    watched.took(Sample(NOW, 34.4, 22.0))
    assert watched.reading(NOW + STALE_AFTER).state is ThermalState.OK
    watched.failed("I2C: noise")
    assert watched.reading(NOW + STALE_AFTER - 0.01).state is ThermalState.OK
    assert watched.reading(NOW + STALE_AFTER + 0.01) == Reading(ThermalState.STALE)
    assert watched.sentence == "I2C: noise"
    watched.took(Sample(NOW + 3, 34.4, 22.0))
    assert (watched.reading(NOW + 3).state, watched.sentence) == (ThermalState.OK, "")


def test_a_sensor_that_is_gone_is_absent_at_once_and_what_it_said_is_forgotten():
    watched = observation()
    watched.took(Sample(NOW, 34.4, 22.0))
    watched.lost("was unplugged")
    assert watched.reading(NOW) == Reading(ThermalState.ABSENT)
    watched.opened(("its lens is odd",))
    assert watched.reading(NOW) == Reading(ThermalState.STALE), "what it said before it went"
    assert (watched.remarks, watched.sentence) == (("its lens is odd",), "")


def test_a_sensor_never_opened_is_absent_and_says_why():
    watched = Observation(ThermalSettings.model_validate({}))
    assert watched.reading(NOW) == Reading(ThermalState.ABSENT)
    watched.failed("driver failed: ValueError: x")
    assert watched.reading(NOW).state is ThermalState.ABSENT
    assert watched.sentence == "driver failed: ValueError: x"


def test_a_sensor_that_cools_in_a_draught_drifts_and_settles_again():
    watched = observation()
    for second in range(60):
        watched.took(Sample(NOW + second, 34.4, 24.0 - second * 0.05))
    reading = watched.reading(NOW + 59)
    assert (reading.state, reading.decidegrees, reading.surface) == (ThermalState.DRIFTING, None, 344)
    assert "shield it from draughts" in watched.sentence
    for second in range(60, 130):
        watched.took(Sample(NOW + second, 34.4, 21.0))
    assert watched.reading(NOW + 129).state is ThermalState.OK


def test_a_sensor_that_comes_back_in_another_place_is_not_in_shock():
    watched = observation()
    for second in range(30):
        watched.took(Sample(NOW + second, 34.4, 18.0))
    watched.lost("was unplugged")
    watched.opened(())
    watched.took(Sample(NOW + 31, 34.4, 24.0))
    assert watched.reading(NOW + 31).state is ThermalState.OK


def test_a_sensor_with_which_everybody_is_cold_drifts_until_it_is_mended():
    watched = observation(drift_people=10)
    at = NOW

    def person(surface: float) -> Reading:
        nonlocal at
        at += 5
        watched.took(Sample(at, surface, 22.0))
        reading = watched.reading(at)
        watched.note(reading)
        return reading

    fogged = [person(33.4).state for _ in range(11)]  # 35.6 in the body
    assert fogged == [ThermalState.OK] * 10 + [ThermalState.DRIFTING]
    assert "35.6 in the median" in watched.sentence
    mended = [person(34.3).state for _ in range(12)]  # nobody is given a number, and still it is learned from
    assert mended[:5] == [ThermalState.DRIFTING] * 5
    assert mended[-1] is ThermalState.OK


@pytest.mark.parametrize(
    "state", [s for s in ThermalState if s not in (ThermalState.OK, ThermalState.DRIFTING)]
)
def test_people_without_a_temperature_teach_nothing_about_drift(state: ThermalState):
    watched = observation(drift_people=10)
    for _ in range(50):
        watched.note(Reading(state, surface=310, ambient=220))
    assert watched.sentence == ""


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("took"),
            st.one_of(st.none(), st.floats(-60, 120)),
            st.one_of(st.none(), st.floats(-40, 60)),
            st.one_of(st.none(), st.integers(0, 3000)),
            st.one_of(st.none(), st.floats(0, 1)),
        ),
        st.tuples(st.sampled_from(["failed", "lost", "opened", "note"])),
    ),
    max_size=60,
)


@given(EVENTS, st.lists(st.floats(0, 4), min_size=60, max_size=60), st.sampled_from(["forehead", "none"]))
def test_whatever_happens_a_number_is_fresh_plausible_and_only_there_when_all_is_well(
    events: list[tuple[Any, ...]], waits: list[float], compensation: str
):
    watched, now, newest, there = observation(compensation=compensation, drift_people=10), NOW, None, True
    for (event, *what), wait in zip(events, waits, strict=False):
        now += wait
        if event == "took":
            surface, ambient, distance, area = what
            watched.took(Sample(now, surface, ambient, distance, area))
            newest = now
        elif event == "failed":
            watched.failed("noise")
        elif event == "lost":
            watched.lost("gone")
            there, newest = False, None
        elif event == "opened":
            watched.opened(())
            there = True
        else:
            watched.note(watched.reading(now))
        reading = watched.reading(now + wait)
        assert (reading.decidegrees is not None) == (reading.state is ThermalState.OK)
        assert (reading.state is ThermalState.ABSENT) == (not there)
        if reading.state is ThermalState.OK:
            assert reading.decidegrees in PLAUSIBLE
            assert newest is not None
            assert now + wait - newest <= STALE_AFTER
            assert reading.measured_at == newest
            assert reading.samples >= 1
