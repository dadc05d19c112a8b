"""What the terminal says of itself: to people on the screen, to staff as a status, to central as events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from hw.camera_feed import FeedState, FeedStatus
from hw.clock import Moment
from terminal.decision import Decision
from terminal.gate import Answer
from terminal.journal import Entry
from terminal.portal import PortalState
from terminal.reasons import SENTENCES, Reason, Verdict
from terminal.screen.view import Mode
from terminal.state import SHOWN_FOR, TerminalState, answer_event
from tests.terminal.world import NOW, POLICY

HERE = Moment(NOW, 100.0, True)
REMARK = "camera.fps: asked for 30, the camera gives 10"
LIVE = FeedStatus(FeedState.LIVE, "", 42, (REMARK,))
CALM = TerminalState(
    now=HERE,
    device="north-gate-1",
    place=POLICY.places["north-gate"],
    camera=LIVE,
    portal=PortalState.LOCKED,
    waiting=0,
    records=7,
    answers=3,
    roster_version=2,
)
LET_IN = Answer(Decision(Verdict.ALLOW, (Reason.OK,)), "张*", "36.5", 0.0123456, Entry(7, "0" * 64), HERE)


def at(seconds: float, **changes: Any) -> TerminalState:
    """The state `seconds` after somebody was let in."""
    return replace(CALM, answer=LET_IN, now=replace(HERE, monotonic=100.0 + seconds), **changes)


def test_nobody_there_asks_for_a_code() -> None:
    view = CALM.view()
    assert (view.mode, view.headline_zh, view.headline_en) == (
        Mode.IDLE,
        "请出示校园码",
        "Show your campus code",
    )
    assert (view.name, view.celsius, view.notices) == ("", "", ())
    assert (view.place_zh, view.place_en) == ("北门", "North Gate")


@pytest.mark.parametrize(
    ("decision", "mode"),
    [
        (Decision(Verdict.ALLOW, (Reason.OK,)), Mode.ALLOW),
        (Decision(Verdict.DENY, (Reason.HEALTH_FEVER, Reason.HEALTH_DECLARED)), Mode.DENY),
        (Decision(Verdict.REFER, (Reason.THERMAL_UNAVAILABLE,)), Mode.REFER),
    ],
)
def test_an_answer_is_shown_with_its_first_reason(decision: Decision, mode: Mode) -> None:
    view = replace(CALM, answer=replace(LET_IN, decision=decision)).view()
    sentence = SENTENCES[decision.reasons[0]]
    assert (view.mode, view.headline_zh, view.headline_en) == (mode, sentence.zh, sentence.en)
    assert (view.advice_zh, view.advice_en) == (sentence.advice_zh, sentence.advice_en)
    assert (view.name, view.celsius) == ("张*", "36.5")


def test_an_answer_goes_after_its_time_and_takes_name_and_temperature_with_it() -> None:
    assert at(SHOWN_FOR - 0.01).view().name == "张*"
    gone = at(SHOWN_FOR).view()
    assert (gone.mode, gone.name, gone.celsius) == (Mode.IDLE, "", "")


@pytest.mark.parametrize("reason", [Reason.ROSTER_MISSING, Reason.JOURNAL_UNWRITABLE, Reason.POLICY_MISSING])
def test_a_fault_is_shown_instead_of_asking_for_a_code(reason: Reason) -> None:
    view = replace(CALM, fault=reason, place=None).view()
    assert (view.mode, view.headline_en) == (Mode.FAULT, SENTENCES[reason].en)
    assert (view.place_zh, view.place_en) == ("", "north-gate-1")
    assert at(1.0, fault=reason).view().mode is Mode.ALLOW  # the answer that was given stays true


@pytest.mark.parametrize("state", [state for state in FeedState if state is not FeedState.LIVE])
def test_a_camera_that_sees_nothing_is_a_fault_and_a_notice(state: FeedState) -> None:
    view = replace(CALM, camera=FeedStatus(state, "unplugged", 0)).view()
    assert (view.mode, view.headline_en) == (Mode.FAULT, SENTENCES[Reason.CAMERA_UNAVAILABLE].en)
    assert view.notices == (f"camera {state} / 摄像头异常",)


def test_the_screen_shows_the_time_only_while_it_is_trusted() -> None:
    assert CALM.view().clock == NOW.astimezone().strftime("%H:%M")
    doubtful = replace(CALM, now=replace(HERE, trusted=False)).view()
    assert doubtful.clock == "--:--"
    assert doubtful.notices == ("clock not trusted / 时间不可信",)


@pytest.mark.parametrize(("waiting", "line"), [(1, "1 record waiting"), (12, "12 records waiting")])
def test_records_that_wait_for_central_are_a_notice(waiting: int, line: str) -> None:
    assert replace(CALM, waiting=waiting).view().notices == (f"{line} / {waiting} 条待上传",)


def test_a_refused_roster_is_a_notice_unless_the_fault_says_it_already() -> None:
    refused = replace(CALM, roster_refused="roster.altered: ...", extra_notices=("no screen",))
    assert refused.view().notices == ("no screen", "new roster refused, old one in use / 新名册未通过校验")
    assert replace(refused, fault=Reason.ROSTER_ALTERED).view().notices == ("no screen",)


def test_the_status_is_plain_json_with_every_fact() -> None:
    state = replace(
        CALM, fault=Reason.ROSTER_MISSING, fault_detail="is sync running?", waiting=5, answer=LET_IN
    )
    status = json.loads(json.dumps(state.status()))
    assert status == {
        "device": "north-gate-1",
        "portal": "locked",
        "camera": {"state": "live", "detail": "", "frames": 42, "remarks": [REMARK]},
        "clock": {
            "utc": NOW.astimezone(UTC).isoformat(),
            "trusted": True,
            "source": "system",
            "seconds": 0,
            "problem": "",
            "central": None,
            "refused": "",
        },
        "phone_clocks": {"measured": 0, "median": None, "largest": None},
        "roster": {"version": 2, "refused": ""},
        "asks": "",
        "case_open": False,
        "fault": "roster.missing",
        "fault_detail": "is sync running?",
        "records": 7,
        "journal": {},
        "waiting": 5,
        "answers": 3,
        "last": answer_event(LET_IN, 3, 5),
    }
    assert replace(CALM, fault=None).status()["fault"] == ""


def test_phones_may_scan_the_terminal_only_while_it_waits_for_somebody() -> None:
    ready = replace(CALM, device_code="https://school.example/c#x")
    assert ready.view().device_code == "https://school.example/c#x"
    assert CALM.view().device_code == ""
    for busy in (replace(ready, answer=LET_IN), replace(ready, fault=Reason.ROSTER_MISSING)):
        assert busy.view().device_code == ""


def test_an_answer_event_says_no_more_than_the_screen() -> None:
    event = json.loads(json.dumps(answer_event(LET_IN, 4, 2)))
    assert event == {
        "event": "answer",
        "number": 4,
        "at": NOW.isoformat(timespec="milliseconds"),
        "verdict": "allow",
        "reasons": ["ok"],
        "name": "张*",
        "celsius": "36.5",
        "marks": [],
        "ms": 12.35,
        "sequence": 7,
        "waiting": 2,
    }
    assert answer_event(replace(LET_IN, entry=None), 4, 2)["sequence"] is None
