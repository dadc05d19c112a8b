"""The window: samples of one body together, and nobody is given what was measured of somebody else."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.thermal_sensor import Sample
from hw.thermal_window import GAP, JUMP, Window


def window_of(*surfaces: float | None, every: float = 0.1, seconds: float = 5.0) -> Window:
    window = Window(seconds)
    for number, surface in enumerate(surfaces):
        window.add(Sample(100 + number * every, surface, 22.0))
    return window


def test_before_the_first_sample_there_is_nothing_in_view():
    assert Window(5.0).view is None


def test_samples_of_one_forehead_count_together_with_how_long_they_took():
    view = window_of(34.0, 34.2, 34.1, 34.3, 34.2).view
    assert (view.surface, view.ambient, view.samples) == (34.2, 22.0, 5)
    assert view.seconds == pytest.approx(0.4)
    assert view.at == pytest.approx(100.4)


def test_one_odd_sample_within_the_noise_does_not_move_the_median():
    assert window_of(34.0, 34.0, 34.7, 34.0, 34.0).view.surface == 34.0


@pytest.mark.parametrize("step", [JUMP + 0.05, 4.0, -12.0])
def test_another_body_or_none_starts_anew(step: float):
    view = window_of(34.0, 34.1, 34.0, 34.0 + step).view
    assert (view.surface, view.samples, view.seconds) == (34.0 + step, 1, 0.0)


def test_somebody_as_warm_at_another_distance_starts_anew():
    window = Window(5.0)
    for number, distance in enumerate([400, 410, 390, 900]):
        window.add(Sample(number * 0.1, 34.0, distance_mm=distance))
    assert (window.view.samples, window.view.distance_mm) == (1, 900)


def test_after_a_gap_nobody_knows_who_stands_there():
    window = window_of(34.0, 34.0, 34.0)
    window.add(Sample(100.2 + GAP + 0.01, 34.0))
    assert window.view.samples == 1


def test_when_no_face_is_in_the_picture_nothing_is_left_of_the_one_before():
    view = window_of(34.0, 34.1, None).view
    assert (view.surface, view.samples, view.seconds) == (None, 0, 0.0)
    view = window_of(34.0, 34.1, None, 34.2).view
    assert (view.surface, view.samples) == (34.2, 1)


def test_only_the_newest_seconds_count():
    view = window_of(*[34.0] * 10, *[34.5] * 30, every=0.2, seconds=2.0).view
    assert view.surface == 34.5
    assert view.seconds <= 2.0 + 1e-9


def test_a_fast_sensor_does_not_fill_the_memory_and_still_measures_as_long():
    view = window_of(*[34.0] * 5000, every=0.001, seconds=30.0).view
    assert view.samples <= 101
    assert view.seconds == pytest.approx(5.0, abs=0.06)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.one_of(st.none(), st.floats(-40, 120)),
            st.one_of(st.none(), st.integers(0, 4000)),
        ),
        min_size=1,
        max_size=120,
    ),
    st.floats(0.5, 30),
)
def test_whatever_comes_only_samples_since_the_last_jump_are_in_view(
    samples: list[tuple[float, float | None, int | None]], seconds: float
):
    window, at, since = Window(seconds), 50.0, []
    for wait, surface, distance in samples:
        at += wait
        last = since[-1] if since else None
        if (
            last is None
            or surface is None
            or last.surface is None
            or wait > GAP
            or abs(surface - last.surface) > 2 * JUMP
        ):
            since = []
        since.append(Sample(at, surface, None, distance))
        window.add(since[-1])
        view = window.view
        assert view.at == at
        assert view.samples <= len(since)
        assert 0 <= view.seconds <= seconds
        values = [one.surface for one in since if one.surface is not None]
        if surface is None:
            assert view.surface is None
        else:
            assert min(values) <= view.surface <= max(values)
            assert abs(view.surface - surface) <= 2 * JUMP
        if view.samples == len(since) and surface is not None:
            assert view.surface == median(values)
