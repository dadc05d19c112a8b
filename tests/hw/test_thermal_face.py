"""The face in a thermal picture: the hottest patch of skin that is large enough, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.thermal_face import find_face

MIN_AREA = 0.03
ROOM = 22.0


def room() -> np.ndarray:
    return np.full((24, 32), ROOM)


def test_in_an_empty_room_there_is_no_face():
    assert find_face(room(), MIN_AREA) is None
    assert find_face(np.full((24, 32), np.nan), MIN_AREA) is None


def test_a_face_says_how_warm_it_is_and_how_much_it_fills():
    picture = room()
    picture[4:16, 10:20] = 34.0
    face = find_face(picture, MIN_AREA)
    assert (face.surface, face.area) == (34.0, pytest.approx(120 / 768))


def test_cool_cheeks_and_nose_do_not_hide_a_warm_forehead():
    picture = room()
    picture[4:16, 10:20] = 32.0
    picture[5:8, 11:19] = 35.0
    assert find_face(picture, MIN_AREA).surface == 35.0


def test_one_noisy_point_does_not_make_a_fever():
    picture = room()
    picture[4:16, 10:20] = 34.0
    picture[8, 14] = 40.0
    assert find_face(picture, MIN_AREA).surface == 34.0


def test_of_two_people_the_hotter_one_is_taken():
    picture = room()
    picture[2:14, 2:12] = 34.0
    picture[8:20, 20:28] = 36.5
    assert find_face(picture, MIN_AREA).surface == 36.5


def test_a_hot_phone_in_the_hand_is_smaller_than_a_face():
    picture = room()
    picture[4:16, 10:20] = 34.0
    picture[20:22, 2:5] = 39.0
    assert find_face(picture, MIN_AREA).surface == 34.0


def test_a_cup_of_tea_has_a_rim_of_skin_temperature_and_is_no_face():
    picture = room()
    picture[5:19, 8:24] = 38.0
    picture[7:17, 10:22] = 70.0
    assert find_face(picture, MIN_AREA) is None


def test_a_lamp_behind_a_face_takes_only_what_is_near_it():
    picture = room()
    picture[4:18, 8:22] = 34.0
    picture[0:3, 20:24] = 90.0
    face = find_face(picture, MIN_AREA)
    assert face.surface == 34.0
    assert face.area > 0.2


def test_somebody_far_away_is_told_by_how_little_he_fills():
    picture = room()
    picture[10:13, 15:18] = 33.0
    face = find_face(picture, MIN_AREA)
    assert face.area == pytest.approx(9 / 768)


def test_broken_points_in_a_face_are_not_part_of_it():
    picture = room()
    picture[4:16, 10:20] = 34.0
    picture[6, 12] = np.nan
    face = find_face(picture, MIN_AREA)
    assert (face.surface, face.area) == (34.0, pytest.approx(119 / 768))


SIDES = st.tuples(st.integers(0, 14), st.integers(0, 22), st.integers(5, 10), st.integers(5, 10))


@given(SIDES, st.floats(30.5, 44.5), st.floats(-10, 29))
def test_a_face_anywhere_before_any_background_is_found(
    sides: tuple[int, int, int, int], surface: float, around: float
):
    top, left, height, width = sides
    picture = np.full((24, 32), around)
    picture[top : top + height, left : left + width] = surface
    face = find_face(picture, MIN_AREA / 2)
    assert face.surface == pytest.approx(surface)
    assert face.area == pytest.approx(height * width / 768)
