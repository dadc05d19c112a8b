"""Attention: many frames of one code are one scan; whoever comes next is served when the view is free."""

from __future__ import annotations

import pytest

from terminal.attention import GONE_AFTER, SWITCH_AFTER, Attention
from terminal.reasons import Verdict
from terminal.scanner import Scan
from tests.terminal.world import code_of, pass_of, sighting

MINE, MINE_NEXT, THEIRS = code_of("S1", age=5), code_of("S1", age=4), code_of("S10")
FRAME = 1 / 30
LATER = SWITCH_AFTER + 0.01


def shown(attention: Attention, text: str, at: float, verdict: Verdict | None = None) -> bool:
    """Whether `text` begins a new scan at `at`; if so it is answered by `verdict`."""
    new = attention.new(Scan(sighting(text, at), 1), at)
    if new and verdict:
        attention.answered(new, verdict)
    return new is not None


def crowd(attention: Attention, at: float) -> bool:
    """Whether two codes of which none stands out begin a new scan."""
    return attention.new(Scan(None, 2), at) is not None


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_code_held_still_is_one_scan(verdict: Verdict) -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, verdict)
    assert not any(shown(attention, MINE, 10.0 + number * FRAME, verdict) for number in range(1, 300))


def test_a_code_taken_away_and_shown_again_is_a_new_scan() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert shown(attention, MINE, 10.0 + GONE_AFTER + 0.01, Verdict.ALLOW)


def test_a_hand_that_shakes_is_not_a_new_scan() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert not shown(attention, MINE, 10.0 + GONE_AFTER - 0.01, Verdict.ALLOW)
    assert not shown(attention, MINE, 10.0 + 2 * GONE_AFTER - 0.02, Verdict.ALLOW)


def test_frames_without_a_code_change_nothing() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert attention.new(Scan(), 10.1) is None
    assert not shown(attention, MINE, 10.2)


def test_the_next_code_on_the_phone_of_somebody_let_in_is_not_a_new_scan() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert not any(shown(attention, MINE_NEXT, 10.0 + number * FRAME) for number in range(1, 100))
    assert shown(attention, MINE_NEXT, 10.0 + 99 * FRAME + GONE_AFTER + 0.01)


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.REFER])
def test_the_refreshed_code_of_somebody_refused_is_a_new_scan(verdict: Verdict) -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, verdict)
    assert shown(attention, MINE_NEXT, 10.0 + LATER)


def test_the_next_person_is_served_as_soon_as_the_one_before_is_out_of_view() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert shown(attention, THEIRS, 10.0 + LATER, Verdict.ALLOW)
    assert shown(attention, pass_of("V-1"), 10.0 + 2 * LATER, Verdict.ALLOW)


def test_two_codes_side_by_side_that_flicker_are_one_scan() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    for number in range(1, 120):
        assert not shown(attention, THEIRS if number % 3 else MINE, 10.0 + number * FRAME)


def test_whoever_was_served_is_not_served_again_when_the_crowd_parts() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert not any(crowd(attention, 10.0 + number * FRAME) for number in range(1, 90))
    assert not shown(attention, MINE, 10.0 + 90 * FRAME)


def test_whoever_stays_when_the_crowd_parts_is_served() -> None:
    attention = Attention()
    assert not crowd(attention, 10.0)
    assert not shown(attention, THEIRS, 10.0 + FRAME)
    assert shown(attention, THEIRS, 10.0 + LATER)


def test_texts_that_are_no_codes_are_scans_too_and_never_mixed_up() -> None:
    attention = Attention()
    assert shown(attention, "https://a.example", 10.0, Verdict.DENY)
    assert shown(attention, "https://b.example", 10.3, Verdict.DENY)
    assert not shown(attention, "https://b.example", 10.4)
    assert shown(attention, "", 10.7, Verdict.ALLOW)  # nobody's code: it hides no other
    assert shown(attention, MINE, 11.0, Verdict.ALLOW)


def test_the_first_sighting_after_any_time_is_new() -> None:
    assert shown(Attention(), MINE, 0.0)
    assert shown(Attention(), MINE, 1e9)
