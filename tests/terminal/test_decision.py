"""The decision: every reason by its own case, and what must hold in any situation whatever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.decision import Situation, decide
from terminal.declaration import Declaration, Symptom
from terminal.findings import MarkKind
from terminal.person import Absence, Person, PersonKind, Status
from terminal.policy import CodePolicy, Place, Policy, ThermalPolicy
from terminal.reasons import SENTENCES, Notice, Reason, Verdict
from terminal.situation import Registration
from tests.terminal.world import NAMED, NOW, POLICY

AT = int(NOW.timestamp())
STUDENT, WORKER, SUSPENDED, VISITOR = (
    next(p for p in NAMED if p.subject == subject) for subject in ("S1", "W1", "X1", "V1")
)
PERSONAL = Code(CodeKind.PERSONAL, "S1", "d", issued_at=AT)
CARD = Code(
    CodeKind.PASS, "S1", "d", not_before=AT - 9, expires_at=AT + 9, issuer="i", pass_kind=PassKind.CARD
)
GUEST = replace(CARD, subject="V-9", pass_kind=PassKind.VISITOR)
WELL = Reading(ThermalState.OK, 365)
FINE = Situation("north-gate", NOW, code=PERSONAL, person=STUDENT, reading=WELL)
LIBRARY = replace(FINE, place="library")
NO_SYMPTOM = Symptom(0)
LENIENT = POLICY.model_copy(update={"code": CodePolicy(untrusted_clock="last-trusted")})


def declared(decidegrees: int | None = None, symptoms: Symptom = NO_SYMPTOM, contact: bool = False) -> Code:
    return replace(PERSONAL, declaration=Declaration(decidegrees, symptoms, contact))


def warm(decidegrees: int) -> Reading:
    return Reading(ThermalState.OK, decidegrees)


@pytest.mark.parametrize(
    ("situation", "verdict", "reason"),
    [
        (FINE, Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=CARD), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=GUEST, person=None), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=GUEST, person=VISITOR), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=declared(365)), Verdict.ALLOW, Reason.OK),
        *[
            (replace(FINE, code=None, person=None, refused=reason), Verdict.DENY, reason)
            for reason in (
                Reason.CODE_FOREIGN,
                Reason.CODE_OVERSIZE,
                Reason.CODE_FORGED,
                Reason.CODE_ISSUER_UNKNOWN,
                Reason.ROSTER_ALTERED,
                Reason.JOURNAL_UNWRITABLE,
            )
        ],
        (replace(FINE, code=None), Verdict.DENY, Reason.CODE_DAMAGED),
        (replace(FINE, place="moon"), Verdict.DENY, Reason.POLICY_MISSING),
        (replace(FINE, place="annex"), Verdict.DENY, Reason.CODE_UNSUPPORTED),
        (replace(LIBRARY, code=GUEST, person=None), Verdict.DENY, Reason.CODE_UNSUPPORTED),
        (replace(FINE, clock_trusted=False), Verdict.DENY, Reason.CLOCK_UNTRUSTED),
        (replace(FINE, code=replace(PERSONAL, issued_at=AT - 150)), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=replace(PERSONAL, issued_at=AT - 151)), Verdict.DENY, Reason.CODE_STALE),
        (replace(FINE, code=replace(PERSONAL, issued_at=AT + 90)), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=replace(PERSONAL, issued_at=AT + 91)), Verdict.DENY, Reason.CODE_FUTURE),
        (replace(FINE, code=replace(PERSONAL, issued_at=None)), Verdict.DENY, Reason.CODE_STALE),
        (replace(FINE, last_issued_at=AT - 1), Verdict.ALLOW, Reason.OK),
        (replace(FINE, last_issued_at=AT), Verdict.DENY, Reason.CODE_REPLAYED),
        (replace(FINE, last_issued_at=AT + 1), Verdict.DENY, Reason.CODE_REPLAYED),
        (replace(FINE, code=CARD, last_issued_at=AT), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=replace(CARD, not_before=AT + 1)), Verdict.DENY, Reason.CODE_NOT_YET_VALID),
        (replace(FINE, code=replace(CARD, not_before=AT)), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=replace(CARD, expires_at=AT)), Verdict.DENY, Reason.CODE_EXPIRED),
        (replace(FINE, code=replace(CARD, expires_at=AT + 1)), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=CARD, clock_trusted=False), Verdict.ALLOW, Reason.OK),
        (replace(FINE, code=replace(CARD, places=("library",))), Verdict.DENY, Reason.CODE_WRONG_PLACE),
        (replace(FINE, code=replace(CARD, places=("library", "north-gate"))), Verdict.ALLOW, Reason.OK),
        (replace(FINE, person=None), Verdict.DENY, Reason.PERSON_UNKNOWN),
        (replace(FINE, code=CARD, person=None), Verdict.DENY, Reason.PERSON_UNKNOWN),
        (replace(FINE, person=SUSPENDED), Verdict.DENY, Reason.PERSON_SUSPENDED),
        (replace(FINE, code=GUEST, person=SUSPENDED), Verdict.DENY, Reason.PERSON_SUSPENDED),
        (replace(LIBRARY, person=WORKER), Verdict.DENY, Reason.PERSON_NOT_ADMITTED),
        (replace(FINE, reading=warm(372)), Verdict.ALLOW, Reason.OK),
        (replace(FINE, reading=warm(373)), Verdict.DENY, Reason.HEALTH_FEVER),
        (replace(FINE, reading=Reading(ThermalState.TOO_FAR)), Verdict.REFER, Reason.THERMAL_TOO_FAR),
        *[
            (replace(FINE, reading=Reading(state)), Verdict.REFER, Reason.THERMAL_UNAVAILABLE)
            for state in ThermalState
            if state not in (ThermalState.OK, ThermalState.TOO_FAR)
        ],
        (
            replace(FINE, place="annex", code=CARD, reading=Reading(ThermalState.NONE)),
            Verdict.ALLOW,
            Reason.OK,
        ),
        (replace(FINE, place="annex", code=CARD, reading=warm(373)), Verdict.DENY, Reason.HEALTH_FEVER),
        *[
            (replace(FINE, code=declared(symptoms=symptom)), Verdict.REFER, Reason.HEALTH_DECLARED)
            for symptom in Symptom
            if symptom is not Symptom.BREATHING
        ],
        (replace(FINE, code=declared(symptoms=Symptom.BREATHING)), Verdict.DENY, Reason.HEALTH_DECLARED),
        (replace(FINE, code=declared(contact=True)), Verdict.REFER, Reason.HEALTH_CONTACT),
    ],
)
def test_each_case_has_its_verdict_and_reason(situation: Situation, verdict: Verdict, reason: Reason) -> None:
    decision = decide(situation, POLICY)
    assert (decision.verdict, decision.reasons) == (verdict, (reason,))


@pytest.mark.parametrize("at_fever", ["refer", "deny"])
@pytest.mark.parametrize("unavailable", ["allow", "refer", "deny"])
def test_the_policy_says_what_fever_and_a_missing_temperature_lead_to(
    at_fever: Any, unavailable: Any
) -> None:
    thermal = ThermalPolicy(at_fever=at_fever, unavailable=unavailable, fever=38.0)
    policy = POLICY.model_copy(update={"thermal": thermal})
    assert decide(replace(FINE, reading=warm(380)), policy).verdict == at_fever
    assert decide(replace(FINE, reading=Reading(ThermalState.ABSENT)), policy).verdict == unavailable


def test_the_gravest_finding_is_the_one_the_person_is_told() -> None:
    ill = replace(FINE, code=declared(symptoms=Symptom.COUGH), reading=warm(390))
    decision = decide(ill, POLICY)
    assert decision.verdict is Verdict.DENY
    assert decision.reasons == (Reason.HEALTH_FEVER, Reason.HEALTH_DECLARED)


def test_every_notice_has_its_cause() -> None:
    assert decide(FINE, POLICY).notices == ()
    odd = replace(
        FINE, clock_trusted=False, roster_age=timedelta(days=1, seconds=1), reading=Reading(ThermalState.NONE)
    )
    own = (Notice.CLOCK_UNTRUSTED, Notice.ROSTER_OLD, Notice.NO_TEMPERATURE)
    assert decide(odd, POLICY).notices == own
    assert decide(replace(odd, floor=NOW), LENIENT).notices == (own[0], Notice.LAST_TRUSTED_TIME, *own[1:])
    assert Notice.LAST_TRUSTED_TIME not in decide(replace(odd, floor=NOW), POLICY).notices
    assert Notice.LAST_TRUSTED_TIME not in decide(odd, LENIENT).notices
    assert Notice.LAST_TRUSTED_TIME not in decide(replace(odd, floor=NOW, code=CARD), LENIENT).notices
    assert decide(replace(FINE, roster_age=timedelta(days=1)), POLICY).notices == ()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_in_both_languages(reason: Reason) -> None:
    sentence = SENTENCES[reason]
    assert sentence.zh.strip()
    assert sentence.en.strip()
    assert bool(sentence.advice_zh) == bool(sentence.advice_en)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in sentence.zh)
    assert sentence.en.isascii()


_PLACES = st.builds(
    Place,
    name_zh=st.just("门"),
    name_en=st.just("Door"),
    admits=st.lists(st.sampled_from(PersonKind), unique=True).map(tuple),
    accepts=st.lists(st.sampled_from(["personal", "card", "visitor"]), unique=True).map(tuple),
    thermal=st.booleans(),
    requires_bound=st.booleans(),
)
_POLICIES = st.builds(
    Policy,
    places=st.fixed_dictionaries({"north-gate": _PLACES}),
    code=st.builds(
        CodePolicy,
        fresh_seconds=st.integers(0, 99),
        skew_seconds=st.integers(0, 99),
        untrusted_clock=st.sampled_from(["refuse", "last-trusted"]),
    ),
    thermal=st.builds(
        ThermalPolicy,
        fever=st.integers(350, 420).map(lambda tenths: tenths / 10),
        at_fever=st.sampled_from(["refer", "deny"]),
        unavailable=st.sampled_from(["allow", "refer", "deny"]),
    ),
)
_TIMES = st.one_of(st.none(), st.integers(AT - 250, AT + 250), st.integers(0, 2**40))
_DECLARATIONS = st.builds(
    Declaration,
    st.one_of(st.none(), st.integers(300, 450)),
    st.sampled_from([Symptom(0), Symptom.COUGH]),
    st.booleans(),
)
_CODES = st.builds(
    Code,
    kind=st.sampled_from(CodeKind),
    subject=st.sampled_from(["S1", "V-9"]),
    digest=st.just("d"),
    issued_at=_TIMES,
    not_before=_TIMES,
    expires_at=_TIMES,
    pass_kind=st.one_of(st.none(), st.sampled_from(PassKind)),
    places=st.sampled_from([(), ("north-gate",), ("library",)]),
    declaration=st.one_of(st.none(), _DECLARATIONS),
    audience=st.sampled_from(["", "north-gate", "library"]),
)
_PERSONS = st.builds(
    Person, st.just("S1"), st.just("张伟"), st.sampled_from(PersonKind), st.sampled_from(Status)
)
_READINGS = st.one_of(
    st.integers(300, 450).map(warm),
    st.sampled_from([Reading(state) for state in ThermalState if state is not ThermalState.OK]),
)
_SITUATIONS = st.builds(
    Situation,
    place=st.sampled_from(["north-gate"] * 9 + ["moon"]),
    now=st.just(NOW),
    clock_trusted=st.booleans(),
    refused=st.one_of(st.none(), st.none(), st.sampled_from([r for r in Reason if r is not Reason.OK])),
    code=st.one_of(_CODES, st.none()),
    person=st.one_of(_PERSONS, st.none()),
    reading=_READINGS,
    last_issued_at=_TIMES,
    floor=st.one_of(st.none(), st.integers(-250, 250).map(lambda s: NOW + timedelta(seconds=s))),
    roster_age=st.timedeltas(),
)
# Mostly well: so that ALLOW, and what takes it away, is met often.
_LIKELY = st.builds(
    replace,
    st.sampled_from([FINE, replace(FINE, code=CARD), replace(FINE, code=GUEST, person=None)]),
    clock_trusted=st.sampled_from([True, True, False]),
    reading=_READINGS,
)
_ANY = st.one_of(_SITUATIONS, _LIKELY)
_ANY_POLICY = st.one_of(_POLICIES, st.just(POLICY))
many = settings(max_examples=300)


@many
@given(_ANY, _ANY_POLICY)
def test_any_situation_gives_one_decision_and_always_the_same(situation: Situation, policy: Policy) -> None:
    decision = decide(situation, policy)
    assert isinstance(decision.verdict, Verdict)
    assert decision.reasons
    assert all(reason in SENTENCES for reason in decision.reasons)
    assert (decision.verdict is Verdict.ALLOW) == (decision.reasons == (Reason.OK,))
    assert decide(replace(situation), policy.model_copy()) == decision


@many
@given(_ANY, _ANY_POLICY)
def test_nobody_is_allowed_who_is_suspended_or_refused_or_early(situation: Situation, policy: Policy) -> None:
    suspended = situation.person is not None and situation.person.status is Status.SUSPENDED
    personal = situation.code is not None and situation.code.kind is CodeKind.PERSONAL
    judged = policy.code.untrusted_clock == "last-trusted" and situation.floor is not None
    untrusted = personal and not situation.clock_trusted and not judged
    if suspended or untrusted or situation.code is None or situation.refused:
        assert decide(replace(situation), policy).verdict is Verdict.DENY


@many
@given(_ANY, _ANY_POLICY, st.integers(300, 450), st.integers(1, 150))
def test_a_higher_temperature_never_opens_a_gate(
    situation: Situation, policy: Policy, decidegrees: int, more: int
) -> None:
    lower = decide(replace(situation, reading=warm(decidegrees)), policy).verdict
    higher = decide(replace(situation, reading=warm(decidegrees + more)), policy).verdict
    assert lower is Verdict.ALLOW or higher is not Verdict.ALLOW


@many
@given(_ANY, _ANY_POLICY, st.sampled_from([*PersonKind, "personal", "card", "visitor"]))
def test_a_stricter_place_never_opens_a_gate(situation: Situation, policy: Policy, removed: str) -> None:
    place = policy.places["north-gate"]
    stricter = place.model_copy(
        update={
            "admits": tuple(kind for kind in place.admits if kind is not removed),
            "requires_bound": place.requires_bound or removed == "personal",
            "accepts": tuple(
                kind for kind in place.accepts if kind != removed or isinstance(removed, PersonKind)
            ),
        }
    )
    assume(stricter != place)
    before = decide(situation, policy).verdict
    after = decide(situation, policy.model_copy(update={"places": {"north-gate": stricter}})).verdict
    assert before is Verdict.ALLOW or after is not Verdict.ALLOW


@pytest.mark.parametrize(
    "reading",
    [
        Reading(ThermalState.STALE, 365, seconds=5.0),
        Reading(ThermalState.DRIFTING, 365, seconds=5.0),
        Reading(ThermalState.OK, None),
        Reading(ThermalState.OK, 365, seconds=float("nan")),
    ],
)
def test_a_number_counts_as_measured_only_in_a_reading_that_is_good(reading: Reading) -> None:
    policy = POLICY.model_copy(update={"thermal": ThermalPolicy(min_seconds=2.0)})
    assert decide(replace(FINE, reading=reading), policy).verdict is Verdict.REFER
    hot = replace(reading, decidegrees=390)
    assert decide(replace(FINE, reading=hot), policy).reasons == (Reason.HEALTH_FEVER,)


def test_a_fever_is_never_let_off_more_lightly_than_no_temperature() -> None:
    thermal = ThermalPolicy(at_fever="refer", too_brief="deny", min_seconds=1.0)
    policy = POLICY.model_copy(update={"thermal": thermal})
    brief, long = (Reading(ThermalState.OK, 380, seconds=seconds) for seconds in (0.5, 1.0))
    assert decide(replace(FINE, reading=brief), policy).verdict is Verdict.DENY
    assert decide(replace(FINE, reading=long), policy).verdict is Verdict.REFER


def test_a_registration_that_cannot_be_looked_up_is_refused_for_that() -> None:
    lost = replace(FINE, code=None, refused=Reason.JOURNAL_UNWRITABLE, registration=Registration(STUDENT))
    assert decide(lost, POLICY).reasons == (Reason.JOURNAL_UNWRITABLE,)


def test_one_scan_makes_up_all_absences_of_a_day_by_one_mark() -> None:
    twice = (Absence(AT - 900, AT - 800, AT + 900), Absence(AT - 700, AT - 600, AT + 900))
    back = replace(FINE, person=replace(STUDENT, absences=twice))
    assert [mark.kind for mark in decide(back, POLICY).marks] == [MarkKind.MAKE_UP]
