"""The gate under a whole policy: what it remembers, manual registration, violations, escape routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from config.settings import InputSettings
from hw.clock import Moment
from hw.thermal import Reading, ThermalState
from sync.central.mint import personal_code
from terminal.case import Case
from terminal.declaration import Declaration, Symptom
from terminal.events import VIOLATION
from terminal.findings import MarkKind, Violation, ViolationKind
from terminal.gate import Answer, Gate
from terminal.journal import Entry, JournalReader
from terminal.person import Absence, Declared, Person, PersonKind, Status
from terminal.policy import Policy
from terminal.reasons import Notice, Reason, Verdict
from terminal.records import unseal
from terminal.roster import Roster, RosterRefused
from terminal.roster_shelf import RosterShelf
from tests.sim.agenda import zone_at_noon
from tests.terminal.world import (
    NOW,
    PEOPLE,
    PHONES,
    POLICY,
    RECORD_KEY,
    Rig,
    Town,
    code_of,
    level,
    pass_of,
    sighting,
)

AT = int(NOW.timestamp())
DAY = f"{NOW:%Y-%m-%d}"
LOCAL = NOW.replace(hour=12)  # on the wall: see zone_at_noon
Open = Callable[..., Rig]


@pytest.fixture
def open_rig(own_town: Town, tmp_path: Path) -> Any:
    """Publishes a policy whose north gate has the given changes, and opens a gate there."""
    opened: list[Rig] = []

    def open_(*people: Person, whole: dict[str, Any] | None = None, **gate: Any) -> Rig:
        document = POLICY.model_dump(mode="json", by_alias=True) | (whole or {})
        document["calendar"] = {"time_zone": zone_at_noon(NOW)}
        document["places"]["north-gate"] |= gate
        own_town.publish(*people, policy=Policy.model_validate(document))
        rig = Rig(own_town, tmp_path)
        opened.append(rig)
        return rig

    yield open_
    for rig in opened:
        rig.close()


def violations(rig: Rig) -> list[dict[str, Any]]:
    reader = JournalReader(rig.directory / "journal.db")
    events = reader.after(0, records=1000, size=10**7)
    return [unseal(event, RECORD_KEY) for event in events if event.type == VIOLATION]


def kinds(answer: Answer) -> list[MarkKind]:
    return [mark.kind for mark in answer.decision.marks]


def named(answer: Answer) -> list[tuple[str, str]]:
    return [(mark.kind, mark.name) for mark in answer.decision.marks]


ALL_DAY = {"check_in": {"morning": {"from": "00:00", "to": "24:00"}}}


def test_a_day_has_one_check_in_a_window_also_over_a_restart(open_rig: Open) -> None:
    rig = open_rig(whole=ALL_DAY)
    first = rig.show(code_of("S1"))
    assert [(mark.kind, mark.name) for mark in first.decision.marks] == [
        (MarkKind.CHECK_IN, f"{DAY}/morning")
    ]
    rig.restart()
    rig.clock.wall += timedelta(seconds=5)
    again = rig.show(code_of("S1", age=-5))
    assert (again.decision.verdict, kinds(again)) == (Verdict.ALLOW, [])
    assert Notice.ALREADY in again.decision.notices
    assert kinds(rig.show(code_of("S10"))) == [MarkKind.CHECK_IN], "another person has a day of their own"
    assert rig.records()[0]["marks"] == [{"kind": "check-in", "name": f"{DAY}/morning", "late_minutes": 0}]


def test_a_code_handed_back_becomes_a_violation_with_evidence(open_rig: Open) -> None:
    rig = open_rig()
    code = code_of("S1")
    rig.show(code)
    refused = rig.show(code)
    assert refused.decision.reasons == (Reason.CODE_REPLAYED,)
    [found] = violations(rig)
    scan = rig.records()[1]
    assert (found["violation"], found["subject"], found["scan"]) == ("replayed-code", "S1", scan["record"])
    assert found["evidence"] == {
        "code": scan["code"]["digest"],
        "issued_at": AT,
        "accepted_issued_at": AT,
    }


@pytest.mark.parametrize(
    ("mode", "verdict"), [("timed", Verdict.DENY), ("soft", Verdict.ALLOW), ("hard", Verdict.DENY)]
)
def test_a_card_passed_back_is_noticed_by_each_kind_of_anti_passback(
    mode: str, verdict: Verdict, open_rig: Open
) -> None:
    rig = open_rig(anti_passback=mode, passback_minutes=10)
    card = pass_of("S1", "card")
    assert rig.show(card).decision.verdict is Verdict.ALLOW
    rig.restart()
    rig.clock.wall += timedelta(minutes=9)
    assert rig.show(card).decision.verdict is verdict
    [found] = violations(rig)
    assert (found["violation"], found["evidence"]) == ("passback", {"inside_since": AT})


def test_after_its_minutes_timed_anti_passback_lets_in_again(open_rig: Open) -> None:
    rig = open_rig(anti_passback="timed", passback_minutes=10)
    rig.show(pass_of("S1", "card"))
    rig.clock.wall += timedelta(minutes=10)
    assert rig.show(pass_of("S1", "card")).decision.verdict is Verdict.ALLOW
    assert violations(rig) == []


def test_a_health_report_that_does_not_fit_the_measurement_is_verified(open_rig: Open) -> None:
    rig = open_rig()
    rig.thermal.reading = Reading(ThermalState.OK, 386, surface=360, ambient=210, samples=8, seconds=1.25)
    ill = personal_code(PHONES["S1"], "S1", AT, Declaration(364, Symptom(0), contact=False))
    answer = rig.show(ill)
    assert answer.decision.reasons == (Reason.HEALTH_FEVER,)
    assert Notice.MISMATCH in answer.decision.notices
    [found] = violations(rig)
    assert found["violation"] == "false-report"
    assert found["evidence"] == {"source": "code", "declared": "36.4", "measured": "38.6"}
    assert rig.records()[0]["thermal"] == {
        "state": "ok", "celsius": "38.6", "surface": "36.0", "ambient": "21.0", "samples": 8, "seconds": 1.2,
    }  # fmt: skip


def test_what_central_knows_of_the_day_counts_and_both_sources_are_recorded(open_rig: Open) -> None:
    told = Declared(DAY, Declaration(365, Symptom.COUGH, contact=False))
    rig = open_rig(replace(PEOPLE["S1"], declared=told), declaration=True)
    answer = rig.show(personal_code(PHONES["S1"], "S1", AT, Declaration(366, Symptom(0), contact=False)))
    assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.REFER, (Reason.HEALTH_DECLARED,))
    assert rig.records()[0]["declared"] == [
        {"source": "code", "celsius": "36.6", "symptoms": [], "contact": False},
        {"source": "central", "well": False},
    ]
    assert rig.show(code_of("S10")).decision.reasons == (Reason.HEALTH_UNDECLARED,)


def test_nobody_who_is_told_to_isolate_is_let_in_by_any_way(open_rig: Open) -> None:
    rig = open_rig(replace(PEOPLE["S1"], status=Status.ISOLATED))
    assert rig.show(code_of("S1")).decision.reasons == (Reason.PERSON_ISOLATED,)
    assert rig.show(pass_of("S1", "card")).decision.reasons == (Reason.PERSON_ISOLATED,)
    assert rig.gate.register("S1", PEOPLE["T1"], 0.0).decision.reasons == (Reason.PERSON_ISOLATED,)
    assert rig.portal.opened == 0


def test_a_reported_absence_is_made_up_once_within_its_term(open_rig: Open) -> None:
    absence = Absence(AT - 7200, AT - 3600, AT + 3600)
    rig = open_rig(replace(PEOPLE["S1"], absences=(absence,)))
    assert kinds(rig.show(code_of("S1"))) == [MarkKind.MAKE_UP]
    rig.clock.wall += timedelta(seconds=5)
    assert kinds(rig.show(code_of("S1", age=-5))) == []


def test_two_absences_from_one_day_are_made_up_each(open_rig: Open) -> None:
    first, second = Absence(AT - 7200, AT - 3600, AT + 7200), Absence(AT - 1800, AT + 600, AT + 7200)
    rig = open_rig(replace(PEOPLE["S1"], absences=(first, second)))
    assert kinds(rig.show(code_of("S1"))) == [MarkKind.MAKE_UP]
    rig.clock.wall += timedelta(seconds=900)
    assert kinds(rig.show(code_of("S1", age=-900))) == [MarkKind.MAKE_UP]
    rig.clock.wall += timedelta(seconds=5)
    assert kinds(rig.show(code_of("S1", age=-905))) == []


def attendant(rig: Rig, code: str = "") -> Person | Answer:
    return rig.gate.attendant(sighting(code or code_of("T1")))


def test_an_attendant_registers_a_person_without_a_phone_and_the_record_names_both(rig: Rig) -> None:
    person = attendant(rig)
    assert isinstance(person, Person)
    assert level(rig.factory) == 0, "proving who one is opens nothing"
    answer = rig.gate.register("W1", person, 0.0)
    assert (answer.decision.verdict, kinds(answer)) == (Verdict.ALLOW, [MarkKind.MANUAL])
    assert level(rig.factory) == 1
    [record] = rig.records()
    assert (record["subject"], record["attendant"], record["verdict"]) == ("W1", "T1", "allow")


def test_an_attendants_code_is_used_up_by_the_proof(rig: Rig) -> None:
    code = code_of("T1")
    assert isinstance(attendant(rig, code), Person)
    assert rig.show(code).decision.reasons == (Reason.CODE_REPLAYED,)
    again = attendant(rig, code)
    assert isinstance(again, Answer)
    assert again.decision.reasons == (Reason.CODE_REPLAYED,)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.ISOLATED, Status.REVOKED])
def test_an_attendant_who_is_suspended_after_the_proof_registers_nobody(
    status: Status, open_rig: Open
) -> None:
    rig = open_rig(replace(PEOPLE["T1"], status=status))
    answer = rig.gate.register("W1", PEOPLE["T1"], 0.0)  # as they were when they showed their code
    assert answer.decision.reasons == (Reason.MANUAL_ATTENDANT,)
    assert rig.records()[0]["attendant"] == "T1"


def test_a_registration_that_the_roster_forbids_is_recorded_with_both(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(shelf: RosterShelf, now: Moment) -> Roster:
        raise RosterRefused(Reason.ROSTER_ALTERED, "a byte is wrong")

    monkeypatch.setattr(RosterShelf, "current", refuse)
    assert rig.gate.register("W1", PEOPLE["T1"], 0.0).decision.reasons == (Reason.ROSTER_ALTERED,)
    [record] = rig.records()
    assert (record["subject"], record["attendant"], record["verdict"]) == ("W1", "T1", "deny")


def test_an_attendant_who_is_in_the_roster_no_more_registers_nobody(rig: Rig) -> None:
    gone = replace(PEOPLE["T1"], subject="T404")
    assert rig.gate.register("W1", gone, 0.0).decision.reasons == (Reason.MANUAL_ATTENDANT,)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (code_of("S1"), Reason.MANUAL_ATTENDANT),
        (pass_of("V-9"), Reason.MANUAL_ATTENDANT),
        (code_of("T1", key=PHONES["S1"]), Reason.CODE_FORGED),
        (code_of("T1", age=1000), Reason.CODE_STALE),
        ("HTTPS://PAY.EXAMPLE", Reason.CODE_FOREIGN),
    ],
    ids=["a student", "a visitor", "forged", "stale", "foreign"],
)
def test_who_is_no_attendant_registers_nobody_and_the_try_is_recorded(
    code: str, reason: Reason, rig: Rig
) -> None:
    refused = attendant(rig, code)
    assert isinstance(refused, Answer)
    assert (refused.decision.verdict, refused.decision.reasons) == (Verdict.DENY, (reason,))
    assert [record["verdict"] for record in rig.records()] == ["deny"]
    assert rig.portal.opened == 0


def test_registrations_have_a_limit_an_hour_also_over_a_restart(open_rig: Open) -> None:
    rig = open_rig(whole={"manual": {"per_hour": 2}})
    for subject in ("W1", "S1"):
        assert rig.gate.register(subject, PEOPLE["T1"], 0.0).decision.verdict is Verdict.ALLOW
    rig.restart()
    assert rig.gate.register("S10", PEOPLE["T1"], 0.0).decision.reasons == (Reason.MANUAL_LIMIT,)
    rig.clock.wall += timedelta(hours=1, seconds=1)
    assert rig.gate.register("S10", PEOPLE["T1"], 0.0).decision.verdict is Verdict.ALLOW


def test_a_registration_needs_a_temperature_where_the_policy_says_so(open_rig: Open) -> None:
    rig = open_rig()
    rig.thermal.reading = Reading(ThermalState.ABSENT)
    assert rig.gate.register("W1", PEOPLE["T1"], 0.0).decision.verdict is Verdict.REFER
    lenient = open_rig(whole={"manual": {"thermal": False}})
    lenient.thermal.reading = Reading(ThermalState.ABSENT)
    assert lenient.gate.register("W1", PEOPLE["T1"], 0.0).decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("subject", "reason"),
    [("T1", Reason.MANUAL_SELF), ("X1", Reason.PERSON_SUSPENDED), ("nobody", Reason.PERSON_UNKNOWN)],
)
def test_an_attendant_cannot_register_themself_nor_the_suspended_nor_the_unknown(
    subject: str, reason: Reason, rig: Rig
) -> None:
    assert rig.gate.register(subject, PEOPLE["T1"], 0.0).decision.reasons == (reason,)
    assert rig.records()[0]["attendant"] == "T1"


def test_an_event_is_full_until_somebody_signs_out(open_rig: Open) -> None:
    gala = {
        "name_zh": "晚会", "name_en": "Gala", "place": "north-gate", "capacity": 1, "sign_out": True,
        "from": f"{LOCAL - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        "to": f"{LOCAL + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        "people": ["S1", "S10", "V-9"],
    }  # fmt: skip
    rig = open_rig(whole={"events": {"gala": gala}})
    assert kinds(rig.show(code_of("S1"))) == [MarkKind.SIGN_IN]
    assert rig.show(code_of("S10")).decision.reasons == (Reason.EVENT_FULL,)
    assert rig.show(code_of("W1")).decision.reasons == (Reason.EVENT_UNINVITED,)
    rig.restart()
    rig.clock.wall += timedelta(minutes=5)
    assert kinds(rig.show(code_of("S1", age=-300))) == [MarkKind.SIGN_OUT]
    assert kinds(rig.show(pass_of("V-9"))) == [MarkKind.SIGN_IN]


def gate_without_journal(rig: Rig) -> Gate:
    parts = {"shelf": rig.shelf, "portal": rig.portal, "thermal": rig.thermal, "clock": rig.clock}
    return Gate(place=rig.place, journal=None, **parts)


def test_without_a_journal_a_gate_stays_locked_unless_it_is_an_escape_route(open_rig: Open) -> None:
    locked = open_rig()
    refused = gate_without_journal(locked).handle(sighting(code_of("S1")))
    assert (refused.decision.reasons, refused.entry) == ((Reason.JOURNAL_UNWRITABLE,), None)
    assert locked.portal.opened == 0
    escape = open_rig(unrecorded="released")
    answer = gate_without_journal(escape).handle(sighting(code_of("S1")))
    assert (answer.decision.verdict, answer.entry) == (Verdict.ALLOW, None)
    assert Notice.UNRECORDED in answer.decision.notices
    assert escape.portal.opened == 1
    suspended = gate_without_journal(escape).handle(sighting(code_of("X1")))
    assert suspended.decision.verdict is Verdict.DENY, "an escape route opens to those it would let in"


def test_an_opened_case_is_a_violation_record_of_its_own(rig: Rig) -> None:
    entry = rig.gate.violation(Violation(ViolationKind.TAMPERING, {"gpio": 4}))
    assert entry == rig.journal.head
    [found] = violations(rig)
    assert (found["violation"], found["evidence"], found["scan"]) == ("tampering", {"gpio": 4}, "")
    assert gate_without_journal(rig).violation(Violation(ViolationKind.TAMPERING)) is None


def test_a_place_has_its_own_pulse(open_rig: Open) -> None:
    rig = open_rig(pulse_seconds=30.0)
    before = rig.show(code_of("S1"))
    rig.portal.tick(before.at.monotonic + 29)
    assert level(rig.factory) == 1
    rig.portal.tick(before.at.monotonic + 31)
    assert level(rig.factory) == 0


def test_visitors_are_of_the_kind_visitor_for_permits(open_rig: Open) -> None:
    rig = open_rig(entry=[{"kinds": [str(PersonKind.VISITOR)]}])
    assert rig.show(pass_of("V-9")).decision.verdict is Verdict.ALLOW
    assert rig.show(code_of("S1")).decision.reasons == (Reason.PERSON_NOT_ADMITTED,)


def test_an_opened_case_waits_until_it_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = MockFactory()
    monkeypatch.setattr("hw.inputs.pin_factory", lambda: factory)
    case = Case(InputSettings(tamper=4))
    recorded: list[Violation] = []

    def record(violation: Violation) -> Entry:
        recorded.append(violation)
        return Entry(1, "")

    factory.pin(4).drive_high()
    for now in (0.0, 1.0, 2.0):
        case.watch(now, lambda _: None)
    for now in (3.0, 4.0, 5.0):
        case.watch(now, record)
    assert case.open
    assert recorded == [Violation(ViolationKind.TAMPERING, {"gpio": 4})]
    case.close()


def test_a_terminal_without_a_switch_has_nothing_to_watch() -> None:
    case = Case(InputSettings())
    case.watch(0.0, lambda _: pytest.fail("nothing was opened"))
    assert not case.open
    case.close()


def test_hard_anti_passback_lets_out_of_an_event_who_signs_out_and_in_again(open_rig: Open) -> None:
    gala = {
        "name_zh": "晚会", "name_en": "Gala", "place": "north-gate", "sign_out": True, "people": ["S1"],
        "from": f"{LOCAL - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        "to": f"{LOCAL + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
    }  # fmt: skip
    rig = open_rig(whole={"events": {"gala": gala}}, anti_passback="hard")
    card = pass_of("S1", "card")
    assert rig.show(card).decision.verdict is Verdict.ALLOW
    assert rig.show(card).decision.reasons == (Reason.ENTRY_INSIDE,), "at once is no leaving"
    rig.clock.wall += timedelta(minutes=2)
    assert MarkKind.SIGN_OUT in kinds(rig.show(card))
    assert MarkKind.SIGN_IN in kinds(rig.show(card)), "whoever left may come in again"


def test_whoever_leaves_an_event_is_not_signed_in_to_the_next_one_there(open_rig: Open) -> None:
    event = {"name_zh": "会", "name_en": "Event", "place": "north-gate", "sign_out": True, "people": ["S1"]}
    local, hours = (
        LOCAL.replace(tzinfo=None),
        {"first": (-2, 0.5), "second": (0.5, 3)},
    )  # from now; one may come an hour before it begins
    times = {
        name: {key: local + timedelta(hours=hour) for key, hour in zip(("from", "to"), span, strict=True)}
        for name, span in hours.items()
    }
    rig = open_rig(whole={"events": {name: event | span for name, span in times.items()}})
    card = pass_of("S1", "card", expires_at=int(NOW.timestamp()) + 36_000)
    rig.clock.wall -= timedelta(hours=1)
    assert named(rig.show(card)) == [("sign-in", "first")]
    rig.clock.wall += timedelta(hours=1)
    assert named(rig.show(card)) == [("sign-out", "first")]
    rig.clock.wall += timedelta(hours=1)
    assert named(rig.show(card)) == [("sign-in", "second")], "who comes in is not signed out"
    rig.clock.wall += timedelta(hours=2, minutes=5)
    assert named(rig.show(card)) == [("sign-out", "second")], "people leave when it is over"
    assert named(rig.show(card)) == []


def test_of_two_classes_that_one_may_come_for_the_earlier_counts_however_they_are_written(
    open_rig: Open,
) -> None:
    lesson = {"place": "north-gate", "groups": ["c"], "day": f"{NOW:%a}".lower()}
    minute = LOCAL.hour * 60 + LOCAL.minute
    spans = {"NEXT": (minute + 10, minute + 60), "NOW": (minute - 30, minute + 5)}
    lessons = [
        lesson
        | {"course": course}
        | {"hours": dict(zip(("from", "to"), (f"{m // 60:02d}:{m % 60:02d}" for m in span), strict=True))}
        for course, span in spans.items()
    ]
    groups = {"c": {"name_zh": "班", "name_en": "Class"}}
    whole = {"groups": groups, "timetable": {"early_minutes": 15, "lessons": lessons}}
    rig = open_rig(replace(PEOPLE["S1"], groups=("c",)), whole=whole, check_in=False)
    [mark] = rig.show(code_of("S1")).decision.marks
    assert (mark.name.partition("/")[0], mark.late) == ("NOW", 30)
