"""Phones' clocks: what was measured of the last hundred, and nothing of whose they are."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.central.mint import personal_code
from terminal.codes import PassKind
from terminal.decision import Decision
from terminal.phone_clocks import LAST, PhoneClocks
from terminal.reasons import Reason, Verdict
from tests.terminal.world import NOW, PHONES, Rig, code_of, pass_of

LET_IN = Decision(Verdict.ALLOW, (Reason.OK,))


def test_nothing_measured_is_nothing_said() -> None:
    assert PhoneClocks().status() == {"measured": 0, "median": None, "largest": None}
    assert PhoneClocks().after(LET_IN, None) == PhoneClocks()


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=2 * LAST + 5))
def test_median_and_largest_are_of_the_last_hundred(skews: list[int]) -> None:
    clocks = PhoneClocks()
    for skew in skews:
        clocks = clocks.after(LET_IN, skew)
    last, status = skews[-LAST:], clocks.status()
    assert (status["measured"], status["median"]) == (len(last), statistics.median(last))
    assert status["largest"] in last
    assert abs(int(status["largest"] or 0)) == max(map(abs, last))


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (Reason.CODE_FUTURE, True),
        (Reason.PERSON_SUSPENDED, True),
        (Reason.CODE_STALE, False),
        (Reason.CODE_REPLAYED, False),
    ],
)
def test_a_screenshot_measures_no_clock(reason: Reason, counts: bool) -> None:
    after = PhoneClocks().after(Decision(Verdict.DENY, (reason,)), -1800)
    assert after.skews == ((-1800,) if counts else ())


@pytest.mark.parametrize("age", [150, 7, 0, -90, -91, 5000])
def test_the_gate_measures_and_records_the_skew_of_every_true_personal_code(rig: Rig, age: int) -> None:
    assert rig.show(code_of("S1", age=age)).skew == -age
    assert rig.records()[0]["code"]["skew"] == -age


def test_the_gate_measures_nothing_on_a_pass_a_forgery_or_by_an_untrusted_clock(rig: Rig) -> None:
    forged = personal_code(PHONES["S10"], "S1", int(NOW.timestamp()))
    for text in (pass_of("T1", PassKind.CARD), forged, "https://example.com"):
        assert rig.show(text).skew is None
    rig.clock.trusted = False
    assert rig.show(code_of("S1")).skew is None
