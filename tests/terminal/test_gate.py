"""The gate: every way of one scan, its answer, its record and what the relay did."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from hw.thermal import Reading, ThermalState, judged
from sync.central.mint import personal_code
from terminal.codes import PREFIX, PassKind
from terminal.declaration import Declaration, Symptom
from terminal.journal import JournalReader
from terminal.policy import CodePolicy
from terminal.portal import PortalState
from terminal.reasons import Notice, Reason, Verdict
from tests.terminal.world import (
    NOW,
    PHONES,
    POLICY,
    SPARE_PHONE,
    STRANGER,
    Rig,
    Town,
    assert_refused,
    code_of,
    level,
    pass_of,
    rig_at,
)

AT = int(NOW.timestamp())


def test_a_person_is_let_in_recorded_and_shown_by_half_a_name(rig: Rig) -> None:
    before = time.monotonic()
    answer = rig.show(code_of("S1"))
    assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.ALLOW, (Reason.OK,))
    assert (answer.name, answer.celsius, answer.at.wall) == ("张*", "36.5", NOW)
    assert 0 <= answer.seconds <= time.monotonic() - before
    assert answer.entry == rig.journal.head
    assert rig.portal.state is PortalState.RELEASED
    [record] = rig.records()
    assert (record["subject"], record["place"], record["verdict"]) == ("S1", "north-gate", "allow")
    assert record["code"]["issued_at"] == AT
    assert record["thermal"] == {"state": "ok", "celsius": "36.5"}


def test_the_declaration_of_the_phone_is_recorded(rig: Rig) -> None:
    rig.show(personal_code(PHONES["S1"], "S1", AT, Declaration(368, Symptom(0), False)))
    assert rig.records()[0]["declared"] == [
        {"source": "code", "celsius": "36.8", "symptoms": [], "contact": False}
    ]


def test_every_phone_of_a_person_opens(rig: Rig) -> None:
    assert rig.show(code_of("P2", key=SPARE_PHONE, age=1)).decision.verdict is Verdict.ALLOW
    assert rig.show(code_of("P2")).decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize("kind", list(PassKind))
def test_a_pass_opens_again_and_again(rig: Rig, kind: PassKind) -> None:
    for _ in range(3):
        assert rig.show(pass_of("T1", kind)).decision.verdict is Verdict.ALLOW
    assert rig.portal.opened == 3


def test_a_visitor_whom_the_roster_does_not_know_enters_by_pass_alone(rig: Rig) -> None:
    answer = rig.show(pass_of("V-2026-77", places=("north-gate",)))
    assert (answer.decision.verdict, answer.name) == (Verdict.ALLOW, "")
    assert rig.records()[0]["subject"] == "V-2026-77"


@pytest.mark.parametrize(
    ("text", "reason", "subject"),
    [
        ("https://example.com", Reason.CODE_FOREIGN, ""),
        (PREFIX + "0" * 2000, Reason.CODE_OVERSIZE, ""),
        (PREFIX + "NONSENSE", Reason.CODE_DAMAGED, ""),
        (code_of("S1", age=151), Reason.CODE_STALE, "S1"),
        (code_of("S1", age=-91), Reason.CODE_FUTURE, "S1"),
        (personal_code(PHONES["S1"], "S2099", AT), Reason.PERSON_UNKNOWN, "S2099"),
        (personal_code(PHONES["S1"], "S2024", AT), Reason.PERSON_UNKNOWN, "S2024"),
        (personal_code(PHONES["S1"], '{"sub":"S1",', AT), Reason.PERSON_UNKNOWN, '{"sub":"S1",'),
        (personal_code(PHONES["S1"], "../S1\n\0北", AT), Reason.PERSON_UNKNOWN, "../S1\n\0北"),
        (personal_code(PHONES["S1"], "J1", AT), Reason.PERSON_UNKNOWN, "J1"),  # is known, but without a phone
        (code_of("S1", key=STRANGER), Reason.CODE_FORGED, "S1"),
        (personal_code(PHONES["S10"], "S1", AT), Reason.CODE_FORGED, "S1"),
        (code_of("X1"), Reason.PERSON_SUSPENDED, "X1"),
        (pass_of("X1", PassKind.CARD), Reason.PERSON_SUSPENDED, "X1"),
        (pass_of("S2099", PassKind.CARD), Reason.PERSON_UNKNOWN, "S2099"),
        (pass_of("V-1", places=("library",)), Reason.CODE_WRONG_PLACE, "V-1"),
        (pass_of("V-1", not_before=AT + 1), Reason.CODE_NOT_YET_VALID, "V-1"),
        (pass_of("V-1", expires_at=AT), Reason.CODE_EXPIRED, "V-1"),
        (pass_of("V-1", key=STRANGER), Reason.CODE_ISSUER_UNKNOWN, "V-1"),
        (pass_of("S1", key=PHONES["S1"]), Reason.CODE_ISSUER_UNKNOWN, "S1"),  # nobody issues for themselves
    ],
)
def test_whoever_is_refused_is_recorded_with_the_reason(
    rig: Rig, text: str, reason: Reason, subject: str
) -> None:
    assert_refused(rig, text, reason, subject=subject)
    assert rig.show(code_of("S10")).decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        ("library", code_of("W1"), Reason.PERSON_NOT_ADMITTED),
        ("library", pass_of("V1"), Reason.CODE_UNSUPPORTED),
        ("annex", code_of("S1"), Reason.CODE_UNSUPPORTED),
        ("moon", code_of("S1"), Reason.POLICY_MISSING),
    ],
)
def test_a_place_keeps_its_own_rules(
    town: Town, tmp_path: Path, place: str, text: str, reason: Reason
) -> None:
    with rig_at(place, town, tmp_path) as rig:
        answer = rig.show(text)
        assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.DENY, (reason,))
        assert rig.records()[0]["reasons"] == [str(reason)]
        assert level(rig.factory) == 0


@pytest.mark.parametrize(
    "text",
    [code_of("S1", key=STRANGER), personal_code(PHONES["S10"], "S1", AT), pass_of("S1", key=STRANGER)],
)
def test_a_forged_code_never_reveals_the_name(rig: Rig, text: str) -> None:
    answer = rig.show(text)
    assert answer.name == ""
    assert "code" not in rig.records()[0]


def test_the_same_code_opens_once_and_a_refreshed_one_opens_again(rig: Rig) -> None:
    assert rig.show(code_of("S1", age=5)).decision.verdict is Verdict.ALLOW
    for _ in range(2):
        assert rig.show(code_of("S1", age=5)).decision.reasons == (Reason.CODE_REPLAYED,)
    assert rig.show(code_of("S1", age=6)).decision.reasons == (Reason.CODE_REPLAYED,)
    assert rig.show(code_of("S1", age=4)).decision.verdict is Verdict.ALLOW
    assert rig.portal.opened == 2


def test_a_code_used_before_a_restart_does_not_open_after_it(rig: Rig) -> None:
    rig.show(code_of("S1", age=5))
    rig.restart()
    assert rig.show(code_of("S1", age=5)).decision.reasons == (Reason.CODE_REPLAYED,)
    assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW


def test_a_code_that_was_turned_away_for_fever_may_be_shown_again(rig: Rig) -> None:
    rig.thermal.reading = Reading(ThermalState.OK, 380)
    assert rig.show(code_of("S1")).decision.reasons == (Reason.HEALTH_FEVER,)
    rig.thermal.reading = Reading(ThermalState.OK, 366)
    assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize("age", [150, 0, -90])
def test_a_code_within_freshness_and_skew_opens(rig: Rig, age: int) -> None:
    assert rig.show(code_of("S1", age=age)).decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("reading", "verdict", "reason", "celsius"),
    [
        (judged(372, time.monotonic() + 1000), Verdict.ALLOW, Reason.OK, "37.2"),
        (judged(373, time.monotonic() + 1000), Verdict.DENY, Reason.HEALTH_FEVER, "37.3"),
        (judged(365, -1e9), Verdict.REFER, Reason.THERMAL_UNAVAILABLE, ""),
        (judged(999, time.monotonic() + 1000), Verdict.REFER, Reason.THERMAL_UNAVAILABLE, ""),
        (judged(299, time.monotonic() + 1000), Verdict.REFER, Reason.THERMAL_UNAVAILABLE, ""),
        (Reading(ThermalState.ABSENT), Verdict.REFER, Reason.THERMAL_UNAVAILABLE, ""),
        (Reading(ThermalState.NONE), Verdict.REFER, Reason.THERMAL_UNAVAILABLE, ""),
    ],
)
def test_the_temperature_decides_at_its_boundary_and_is_missed_when_it_is_not_there(
    rig: Rig, reading: Reading, verdict: Verdict, reason: Reason, celsius: str
) -> None:
    rig.thermal.reading = reading
    answer = rig.show(code_of("S1"))
    assert (answer.decision.verdict, answer.decision.reasons) == (verdict, (reason,))
    assert answer.celsius == celsius
    assert level(rig.factory) == (verdict is Verdict.ALLOW)
    assert (Notice.NO_TEMPERATURE in answer.decision.notices) == (celsius == "")
    assert rig.records()[0]["thermal"] == {"state": str(reading.state), "celsius": celsius}


def test_without_a_trusted_clock_a_pass_opens_and_a_personal_code_does_not(rig: Rig) -> None:
    rig.clock.wall, rig.clock.trusted = NOW.replace(year=1970), False
    assert_refused(rig, code_of("S1"), Reason.CLOCK_UNTRUSTED, subject="S1")
    assert rig.show(pass_of("T1", PassKind.CARD)).decision.verdict is Verdict.ALLOW
    events = JournalReader(rig.directory / "journal.db").after(0, records=9, size=10**6)
    assert [event.clock_trusted for event in events] == [False, False]
    assert rig.records()[0]["notices"] == ["clock-untrusted"]


def test_a_place_may_demand_codes_made_for_it(own_town: Town, tmp_path: Path) -> None:
    places = dict(POLICY.places)
    places["library"] = places["library"].model_copy(update={"requires_bound": True})
    own_town.publish(policy=POLICY.model_copy(update={"places": places}))
    with rig_at("library", own_town, tmp_path) as rig:
        assert_refused(rig, code_of("S1", age=3), Reason.CODE_UNBOUND, subject="S1")
        elsewhere = personal_code(PHONES["S1"], "S1", AT - 2, audience="north-gate")
        assert_refused(rig, elsewhere, Reason.CODE_OTHER_PLACE, subject="S1")
        here = personal_code(PHONES["S1"], "S1", AT - 1, audience="library")
        assert rig.show(here).decision.verdict is Verdict.ALLOW
        assert rig.records()[-1]["code"]["audience"] == "library"


def test_an_unbound_code_shown_at_another_place_is_let_in_there_too(town: Town, tmp_path: Path) -> None:
    """What binding is for: without it two gates that are offline cannot know of each other."""
    text, bound = code_of("S1", age=5), personal_code(PHONES["S1"], "S1", AT, audience="north-gate")
    for place, expected in (("north-gate", Reason.OK), ("library", Reason.CODE_OTHER_PLACE)):
        (tmp_path / place).mkdir()
        with rig_at(place, town, tmp_path / place) as rig:
            assert rig.show(text).decision.verdict is Verdict.ALLOW
            assert rig.show(bound).decision.reasons == (expected,)


def test_without_a_trusted_clock_the_policy_may_judge_by_the_newest_record(
    own_town: Town, tmp_path: Path
) -> None:
    terms = CodePolicy(untrusted_clock="last-trusted")
    own_town.publish(policy=POLICY.model_copy(update={"code": terms}))
    with rig_at("north-gate", own_town, tmp_path) as rig:
        rig.clock.wall, rig.clock.trusted = NOW.replace(year=1970), False
        assert_refused(rig, code_of("S1"), Reason.CLOCK_UNTRUSTED, subject="S1")  # there is no such record
        rig.clock.wall, rig.clock.trusted = NOW, True
        assert rig.show(code_of("T1")).decision.verdict is Verdict.ALLOW
        rig.restart()
        rig.clock.wall, rig.clock.trusted = NOW.replace(year=1970), False
        assert rig.show(code_of("S1", age=151)).decision.reasons == (Reason.CODE_STALE,)
        answer = rig.show(code_of("S1", age=150))
        assert answer.decision.verdict is Verdict.ALLOW
        assert Notice.LAST_TRUSTED_TIME in answer.decision.notices
        assert rig.show(code_of("S1", age=150)).decision.reasons == (Reason.CODE_REPLAYED,)
        assert rig.records()[-2]["notices"] == ["clock-untrusted", "last-trusted-time"]
        assert "skew" not in rig.records()[-2]["code"]
        # The clock is set: what was used before stays used.
        rig.clock.wall, rig.clock.trusted = NOW, True
        assert rig.show(code_of("S10")).decision.verdict is Verdict.ALLOW
        assert rig.show(code_of("S1", age=150)).decision.reasons == (Reason.CODE_REPLAYED,)


def test_an_expired_roster_lets_nobody_in(rig: Rig) -> None:
    rig.clock.wall = NOW + timedelta(days=31)
    assert_refused(rig, pass_of("T1", PassKind.CARD), Reason.ROSTER_EXPIRED)


def test_an_old_roster_is_noted(rig: Rig) -> None:
    rig.clock.wall = NOW + timedelta(days=2)
    answer = rig.show(personal_code(PHONES["S1"], "S1", AT + 2 * 86_400))
    assert answer.decision.verdict is Verdict.ALLOW
    assert answer.decision.notices == (Notice.ROSTER_OLD,)


@pytest.mark.parametrize(
    ("harm", "reason"), [("altered", Reason.ROSTER_ALTERED), ("missing", Reason.ROSTER_MISSING)]
)
@pytest.mark.parametrize("part", ["policy.json", "jsonl"])
def test_an_altered_roster_opens_nothing_until_it_is_mended(
    own_town: Town, tmp_path: Path, harm: str, reason: Reason, part: str
) -> None:
    with rig_at("north-gate", own_town, tmp_path) as rig:
        files = [file for file in (own_town.mirror / "targets").rglob("*") if file.name.endswith(part)]
        whole = {file: file.read_bytes() for file in files}
        for file, data in whole.items():
            file.write_bytes(data.replace(b"active", b"Active").replace(b"library", b"Library"))
            if harm == "missing":
                file.unlink()
        answer = rig.show(code_of("S1"))
        assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.DENY, (reason,))
        assert rig.records()[0]["reasons"] == [str(reason)]
        for file, data in whole.items():
            file.write_bytes(data)
        assert rig.show(code_of("S1")).decision.verdict is Verdict.ALLOW


def test_a_gate_without_any_roster_records_that_somebody_came(own_town: Town, tmp_path: Path) -> None:
    (own_town.mirror / "metadata" / "timestamp.json").unlink()
    with rig_at("north-gate", own_town, tmp_path) as rig:
        assert_refused(rig, code_of("S1"), Reason.ROSTER_MISSING)
