"""Forehead to body: the model's own equation, monotonic, and no number where the model does not hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.forehead import COLDEST, WARMEST, body_temperature

AMBIENT = st.floats(COLDEST, WARMEST)
SKIN = st.floats(32.0, 42.0)
BALANCE = st.floats(0, 0.5)


@pytest.mark.parametrize(
    ("skin", "ambient", "body"),
    [(34.4, 22.0, 36.756), (36.0, 25.0, 38.09), (35.0, 30.0, 35.95), (30.0, 14.0, 33.04)],
)
def test_the_drop_inside_the_skin_is_a_fifth_of_that_to_the_air(skin: float, ambient: float, body: float):
    assert body_temperature(skin, ambient, 0.19) == pytest.approx(body)


@given(SKIN, AMBIENT, BALANCE)
def test_the_heat_that_blood_brings_is_the_heat_that_skin_gives(skin: float, ambient: float, balance: float):
    body = body_temperature(skin, ambient, balance)
    assert body is not None
    assert body - skin == pytest.approx(balance * (skin - ambient), abs=1e-9)
    assert body >= skin


@given(SKIN, AMBIENT, BALANCE, st.floats(0.1, 3))
def test_warmer_skin_is_a_warmer_body_and_warmer_air_a_smaller_difference(
    skin: float, ambient: float, balance: float, more: float
):
    here = body_temperature(skin, ambient, balance)
    assert body_temperature(skin + more, ambient, balance) > here
    if ambient + more <= WARMEST:
        assert body_temperature(skin, ambient + more, balance) <= here


@pytest.mark.parametrize("ambient", [COLDEST - 0.1, WARMEST + 0.1, -10.0, 45.0, float("nan"), float("inf")])
def test_in_air_that_nobody_studied_there_is_no_number(ambient: float):
    assert body_temperature(34.5, ambient, 0.19) is None


def test_skin_that_takes_heat_from_the_air_tells_nothing_of_the_body():
    assert body_temperature(30.0, 31.0, 0.19) is None
    assert body_temperature(float("nan"), 22.0, 0.19) is None
