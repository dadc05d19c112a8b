"""Drift: a sensor out of equilibrium, and one that has everybody warmer or colder than people are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hw.thermal_drift import ASTRAY, BACK, USUAL, AmbientShock, PopulationDrift

PEOPLE = 20


def shock_of(degrees: list[float], *, every: float, rate: float = 1.0) -> AmbientShock:
    shock = AmbientShock(rate)
    for number, ambient in enumerate(degrees):
        shock.add(ambient, 1000 + number * every)
    return shock


def test_a_room_that_warms_slowly_is_no_shock():
    assert not shock_of([20 + 0.9 * second / 60 for second in range(1800)], every=1.0).drifting


def test_a_door_opened_in_winter_is_a_shock_until_the_sensor_has_settled():
    shock = shock_of([22 - min(second, 30) * 0.1 for second in range(40)], every=1.0)
    assert shock.drifting
    for second in range(40, 95):
        shock.add(19.0, 1000 + second)
    assert not shock.drifting
    assert shock.moved < 0.5


def test_one_wrong_sample_among_good_ones_is_no_shock():
    degrees = [22.0] * 200
    degrees[100] = 60.0
    assert not shock_of(degrees, every=0.1).drifting


def test_another_sensor_starts_from_where_it_is():
    shock = shock_of([22.0] * 30, every=1.0)
    shock.clear()
    shock.add(12.0, 2000)
    assert (shock.drifting, shock.moved) == (False, 0.0)


@given(st.lists(st.floats(-40, 85), min_size=1, max_size=300), st.floats(0.01, 2.0))
def test_what_moved_is_never_more_than_what_was_measured(degrees: list[float], every: float):
    assert 0 <= shock_of(degrees, every=every).moved <= max(degrees) - min(degrees)


def crowd(*decidegrees: int) -> PopulationDrift:
    drift = PopulationDrift(PEOPLE)
    for one in decidegrees:
        drift.note(one)
    return drift


def test_nothing_is_said_of_a_few_people():
    few = crowd(*[390] * (PEOPLE - 1))
    assert (few.drifting, few.median) == (False, None)
    few.note(390)
    assert few.drifting


def test_the_well_and_some_feverish_are_no_drift():
    assert not crowd(*[362, 365, 366, 368, 371] * 3, *[389] * 5).drifting


def test_everybody_too_cold_is_drift_until_people_are_as_they_are_again():
    drift = crowd(*[USUAL - ASTRAY - 1] * PEOPLE)
    assert drift.drifting
    for _ in range(PEOPLE // 2 - 1):
        drift.note(USUAL)
        assert drift.drifting
    for _ in range(PEOPLE):
        drift.note(USUAL)
    assert not drift.drifting


def test_at_the_edge_of_the_band_the_state_does_not_flap():
    drift = crowd(*[USUAL + ASTRAY + 1] * PEOPLE)
    changes = 0
    for number in range(200):
        before = drift.drifting
        drift.note(USUAL + ASTRAY + (1 if number % 2 else 0))
        changes += drift.drifting is not before
    assert changes == 0
    for _ in range(PEOPLE):
        drift.note(USUAL + BACK)
    assert not drift.drifting


@given(st.lists(st.integers(300, 450), max_size=200))
def test_drift_is_said_exactly_while_the_median_is_outside_the_band(people: list[int]):
    drift, before = PopulationDrift(PEOPLE), False
    for one in people:
        drift.note(one)
        if drift.median is not None:
            off = abs(drift.median - USUAL)
            assert drift.drifting == (off > (BACK if before else ASTRAY))
        before = drift.drifting
