"""The rules of time and place, for all times: exactly one answer each, changing at exactly one second."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.decision import Situation, decide
from terminal.person import Person, PersonKind
from terminal.policy import CodePolicy, Place, Policy
from terminal.reasons import Notice, Reason

AT = 1_793_700_000
STUDENT = Person("S1", "张伟", PersonKind.STUDENT)
PERSONAL = Code(CodeKind.PERSONAL, "S1", "d", issued_at=AT)
CARD = Code(CodeKind.PASS, "S1", "d", not_before=AT, expires_at=AT + 9, pass_kind=PassKind.CARD)
HERE = Situation(
    "north-gate",
    datetime.fromtimestamp(AT, UTC),
    code=PERSONAL,
    person=STUDENT,
    reading=Reading(ThermalState.OK, 365),
)
seconds = st.integers(0, 3600)
times = st.integers(AT - 10_000, AT + 10_000)
any_time = st.one_of(times, st.integers(0, 2**40 - 1))
bounds = st.one_of(st.none(), st.integers(AT - 50, AT + 50))
policies = st.builds(
    lambda fresh, skew, untrusted: policy(fresh, skew, untrusted_clock=untrusted),
    seconds,
    seconds,
    st.sampled_from(["refuse", "last-trusted"]),
)


def policy(fresh: int = 60, skew: int = 90, *, requires_bound: bool = False, **code: str) -> Policy:
    places = {
        name: Place(name_zh=name, name_en=name, requires_bound=requires_bound)
        for name in ("north-gate", "library")
    }
    return Policy(
        places=places,
        code=CodePolicy.model_validate({"fresh_seconds": fresh, "skew_seconds": skew, **code}),
    )


def reason(situation: Situation, terms: Policy) -> Reason:
    return decide(situation, terms).reasons[0]


@given(any_time, seconds, seconds, st.floats(0, 0.999))
def test_at_any_time_a_personal_code_is_exactly_one_of_stale_fresh_and_future(
    issued_at: int, fresh: int, skew: int, part: float
) -> None:
    now = HERE.now + timedelta(seconds=part)
    situation = replace(HERE, now=now, code=replace(PERSONAL, issued_at=issued_at))
    lead = issued_at - now.timestamp()
    expected = {
        Reason.CODE_FUTURE: lead > skew,
        Reason.CODE_STALE: lead < -(fresh + skew),
        Reason.OK: -(fresh + skew) <= lead <= skew,
    }
    assert sum(expected.values()) == 1
    assert expected[reason(situation, policy(fresh, skew))]


@given(seconds, seconds)
def test_a_personal_code_changes_its_answer_at_exactly_the_policys_seconds(fresh: int, skew: int) -> None:
    def at(lead: int) -> Reason:
        return reason(replace(HERE, code=replace(PERSONAL, issued_at=AT + lead)), policy(fresh, skew))

    assert [at(skew), at(skew + 1)] == [Reason.OK, Reason.CODE_FUTURE]
    assert [at(-fresh - skew), at(-fresh - skew - 1)] == [Reason.OK, Reason.CODE_STALE]


@given(times, st.one_of(st.none(), times))
def test_a_replayed_code_is_one_that_is_not_newer_than_the_last_accepted(
    issued_at: int, last: int | None
) -> None:
    situation = replace(HERE, code=replace(PERSONAL, issued_at=issued_at), last_issued_at=last)
    found = reason(situation, policy(10_000, 0) if issued_at <= AT else policy(0, 10_000))
    assert found is (Reason.CODE_REPLAYED if last is not None and issued_at <= last else Reason.OK)


@given(st.lists(st.integers(AT - 150, AT + 90), min_size=1, max_size=8))
def test_no_sequence_of_codes_is_accepted_twice(shown: list[int]) -> None:
    last: int | None = None
    accepted = []
    for issued_at in [*shown, *shown, *reversed(shown)]:
        situation = replace(HERE, code=replace(PERSONAL, issued_at=issued_at), last_issued_at=last)
        if reason(situation, policy()) is Reason.OK:
            accepted.append(issued_at)
            last = issued_at
    assert accepted == sorted(set(accepted))


@given(bounds, st.integers(AT - 50, AT + 50))
def test_a_pass_is_early_or_expired_or_neither_at_exactly_its_own_seconds(
    start: int | None, end: int
) -> None:
    found = reason(replace(HERE, code=replace(CARD, not_before=start, expires_at=end)), policy())
    if start is not None and start > AT:
        assert found is Reason.CODE_NOT_YET_VALID
    else:
        assert found is (Reason.CODE_EXPIRED if end <= AT else Reason.OK)


@given(st.sampled_from(["", "north-gate", "library", "moon"]), st.booleans(), any_time)
def test_a_code_bound_to_a_place_is_good_there_alone(audience: str, demanded: bool, issued_at: int) -> None:
    code = replace(PERSONAL, audience=audience, issued_at=issued_at)
    found = {
        place: reason(replace(HERE, place=place, code=code), policy(requires_bound=demanded))
        for place in ("north-gate", "library")
    }
    for place, why in found.items():
        assert (why is Reason.CODE_OTHER_PLACE) == (audience not in ("", place))
        assert (why is Reason.CODE_UNBOUND) == (demanded and not audience)
    if audience:
        assert list(found.values()).count(Reason.OK) <= 1


@pytest.mark.parametrize("audience", ["library", "NORTH-GATE", "north-gate ", "north-gate-1"])
def test_a_pass_too_is_refused_for_another_audience(audience: str) -> None:
    assert reason(replace(HERE, code=replace(CARD, audience=audience)), policy()) is Reason.CODE_OTHER_PLACE
    assert reason(replace(HERE, code=replace(CARD, audience="north-gate")), policy()) is Reason.OK


def test_a_pass_needs_no_binding_where_personal_codes_do() -> None:
    assert reason(replace(HERE, code=CARD), policy(requires_bound=True)) is Reason.OK


@given(any_time, st.one_of(st.none(), times), policies, times)
def test_without_a_trusted_clock_a_personal_code_is_judged_by_the_last_trusted_time_or_not_at_all(
    issued_at: int, floor: int | None, terms: Policy, shown: int
) -> None:
    situation = replace(
        HERE,
        clock_trusted=False,
        now=datetime.fromtimestamp(shown, UTC),
        floor=None if floor is None else datetime.fromtimestamp(floor, UTC),
        code=replace(PERSONAL, issued_at=issued_at),
    )
    decision = decide(situation, terms)
    judged = terms.code.untrusted_clock == "last-trusted" and floor is not None
    assert (Notice.LAST_TRUSTED_TIME in decision.notices) == judged
    assert Notice.CLOCK_UNTRUSTED in decision.notices
    if floor is None or not judged:
        assert decision.reasons == (Reason.CLOCK_UNTRUSTED,)
    else:
        oldest = floor - terms.code.fresh_seconds - terms.code.skew_seconds
        assert decision.reasons == (Reason.CODE_STALE if issued_at < oldest else Reason.OK,)
        assert decide(replace(situation, last_issued_at=issued_at), terms).reasons[0] is not Reason.OK


def test_the_last_trusted_time_decides_at_exactly_its_second() -> None:
    def at(issued_at: int) -> Reason:
        code = replace(PERSONAL, issued_at=issued_at)
        situation = replace(HERE, clock_trusted=False, floor=HERE.now, code=code)
        return reason(situation, policy(untrusted_clock="last-trusted"))

    assert [at(AT - 150), at(AT - 151)] == [Reason.OK, Reason.CODE_STALE]
    assert at(2**40 - 1) is Reason.OK, "what is ahead cannot be told without a clock"


@given(any_time, policies)
def test_with_a_trusted_clock_the_last_trusted_time_changes_nothing(issued_at: int, terms: Policy) -> None:
    situation = replace(HERE, code=replace(PERSONAL, issued_at=issued_at))
    ahead = replace(situation, floor=HERE.now + timedelta(days=9))
    assert decide(ahead, terms) == decide(situation, terms)
