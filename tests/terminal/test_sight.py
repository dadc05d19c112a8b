"""What the camera sees, in words: every kind of bad picture has its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hw.frame import Frame
from terminal.reasons import Reason, Verdict
from terminal.scanner import Scan, Scanner
from terminal.sight import Sight, look_at

GREY = np.full((720, 1280, 3), 120, np.uint8)


def scene(scale: int = 12) -> np.ndarray:
    """A wall with a code before it."""
    code = np.array(list(segno.make("CC1:HELLO", error="m").matrix_iter(scale=scale, border=4)), np.uint8)
    picture = GREY.copy()
    picture[100 : 100 + len(code), 400 : 400 + len(code)] = np.where(code, 0, 255)[:, :, None]
    return picture


def frame(image: np.ndarray) -> Frame:
    return Frame(image, time.monotonic(), 0)


@pytest.mark.parametrize(
    ("picture", "light", "contrast", "focus"),
    [
        (scene(), "good", "good", "sharp"),
        (cv2.GaussianBlur(scene(), (0, 0), 12), "good", "low", "blurred"),
        (GREY, "good", "flat", "unknown"),
        (np.zeros_like(GREY), "dark", "flat", "unknown"),
        (scene() // 8, "dark", "flat", "unknown"),
        (np.full_like(GREY, 255), "overexposed", "flat", "unknown"),
        (np.clip(scene().astype(int) * 3, 0, 255).astype(np.uint8), "overexposed", "good", "sharp"),
    ],
    ids=["good", "blurred", "a wall", "lens cap", "night", "white", "sun"],
)
def test_each_fault_of_a_picture_has_its_word(picture: np.ndarray, light: str, contrast: str, focus: str):
    look = look_at(picture)
    assert (look.light, look.contrast, look.focus) == (light, contrast, focus)


SIDES = st.integers(16, 40)
SHAPES = st.tuples(SIDES, SIDES) | st.tuples(SIDES, SIDES, st.just(3))


@given(arrays.arrays(np.uint8, SHAPES))
def test_any_picture_has_words(picture: np.ndarray):
    look = look_at(picture)
    assert 0 <= look.mean <= 255
    assert look.laplacian >= 0


def test_nothing_is_said_of_a_picture_that_is_not_there_or_is_old():
    sight = Sight()
    empty = {"picture": None, "code": "none", "reads": 0, "answers": []}
    assert sight.document() == empty
    sight.seen(Frame(GREY, time.monotonic() - 10, 0), Scan())
    assert sight.document() == empty


def test_a_code_is_read_or_unread_or_there_is_none():
    sight, scanner = Sight(), Scanner()
    told = []
    unread = scene()
    unread[160:220, 460:640] = 120  # a thumb over it
    for picture in (scene(), unread, GREY):
        shown = frame(picture)
        sight.seen(shown, scanner.scan(shown))
        told.append(sight.document()["code"])
    assert told == ["read", "unread", "none"]
    assert sight.document()["reads"] == 1


def test_frames_a_second_are_those_that_were_looked_at():
    sight, now = Sight(), time.monotonic()
    for number in range(5):
        sight.seen(Frame(GREY, now - 0.4 + number / 10, number), Scan())
    picture = sight.document()["picture"]
    assert (picture["frames_a_second"], picture["width"], picture["height"]) == (10.0, 1280, 720)


def test_the_last_answers_are_reasons_and_nobody():
    sight = Sight()
    at = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    for _ in range(9):
        sight.answered(Verdict.DENY, Reason.CODE_STALE, at)
    answers = sight.document()["answers"]
    assert len(answers) == 5
    assert answers[0] == {"at": "2026-11-24T07:30:00+00:00", "verdict": "deny", "reason": "code.stale"}
