"""Attention: many frames of one code are one scan; whoever comes next is served at once."""

from __future__ import annotations

import pytest

from terminal.attention import GONE_AFTER, Attention
from terminal.reasons import Verdict
from tests.terminal.world import code_of, pass_of, sighting

MINE, MINE_NEXT, THEIRS = code_of("S1", age=5), code_of("S1", age=4), code_of("S10")
FRAME = 1 / 30


def shown(attention: Attention, text: str, at: float, verdict: Verdict | None = None) -> bool:
    """Whether `text` begins a new scan at `at`; if so it is answered by `verdict`."""
    wanted = attention.wants(sighting(text, at))
    if wanted and verdict:
        attention.answered(sighting(text, at), verdict)
    return wanted


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


def test_the_next_code_on_the_phone_of_somebody_let_in_is_not_a_new_scan() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert not shown(attention, MINE_NEXT, 10.1)
    assert shown(attention, MINE_NEXT, 10.1 + GONE_AFTER + 0.01)


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.REFER])
def test_the_refreshed_code_of_somebody_refused_is_a_new_scan(verdict: Verdict) -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, verdict)
    assert shown(attention, MINE_NEXT, 10.1)


def test_the_next_person_is_served_at_once() -> None:
    attention = Attention()
    assert shown(attention, MINE, 10.0, Verdict.ALLOW)
    assert shown(attention, THEIRS, 10.1, Verdict.ALLOW)
    assert shown(attention, pass_of("V-1"), 10.2, Verdict.ALLOW)


def test_texts_that_are_no_codes_are_scans_too_and_never_mixed_up() -> None:
    attention = Attention()
    assert shown(attention, "https://a.example", 10.0, Verdict.DENY)
    assert shown(attention, "https://b.example", 10.1, Verdict.DENY)
    assert not shown(attention, "https://b.example", 10.2)
    assert shown(attention, "", 10.3, Verdict.ALLOW)  # nobody's code: it hides no other
    assert shown(attention, MINE, 10.4, Verdict.ALLOW)


def test_the_first_sighting_after_any_time_is_wanted() -> None:
    assert shown(Attention(), MINE, 0.0)
    assert shown(Attention(), MINE, 1e9)
