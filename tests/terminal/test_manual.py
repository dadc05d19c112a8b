"""The desk of manual registration: whatever keys are pressed, only a proved attendant registers anybody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from terminal.manual import (
    BACKSPACE,
    CANCEL,
    ENTER,
    IDLE_AFTER,
    PROVE_WITHIN,
    PROVED_FOR,
    START,
    ManualDesk,
    Prompt,
)
from terminal.person import SUBJECT, Person, PersonKind
from terminal.reasons import Reason

ATTENDANT = Person("T1", "Anna Novak", PersonKind.STAFF)
KEYS = st.one_of(
    st.sampled_from([START, ENTER, BACKSPACE, CANCEL]), st.sampled_from("Sa09._-"), st.text(max_size=2)
)
STEPS = st.lists(st.tuples(KEYS, st.floats(0, 40)), max_size=60)


def proved_desk(now: float = 0.0) -> ManualDesk:
    desk = ManualDesk()
    desk.press(START, now)
    desk.proved(ATTENDANT, now)
    return desk


def typed(desk: ManualDesk, text: str, now: float = 1.0) -> list[str]:
    """The numbers to register that come of typing `text`."""
    return [number for key in text if (number := desk.press(key, now))]


@given(STEPS)
def test_whatever_is_pressed_nobody_registers_anybody_who_is_not_proved(
    steps: list[tuple[str, float]],
) -> None:
    desk, now = ManualDesk(), 0.0
    for key, seconds in steps:
        now += seconds
        assert desk.press(key, now) is None
        assert desk.attendant(now) is None
        assert desk.prompt(now) in (None, Prompt(Reason.MANUAL_READY))


@given(STEPS)
def test_whatever_a_proved_attendant_presses_only_whole_numbers_come_of_it(
    steps: list[tuple[str, float]],
) -> None:
    desk, now = proved_desk(), 0.0
    for key, seconds in steps:
        now += seconds
        attendant, prompt = desk.attendant(now), desk.prompt(now)
        number = desk.press(key, now)
        if number is not None:
            assert (attendant, key) == (ATTENDANT, ENTER)
            assert prompt == Prompt(Reason.MANUAL_NUMBER, number)
            assert len(number) <= 64
            assert set(number) <= set("Sa09._-")
        assert not (desk.wants_proof(now) and desk.attendant(now))
        assert (desk.prompt(now) is None) == (not desk.wants_proof(now) and desk.attendant(now) is None)


def test_numbers_are_typed_mended_and_registered_one_after_the_other() -> None:
    desk = proved_desk()
    assert typed(desk, f"S2{BACKSPACE}1{ENTER}W1{ENTER}{ENTER}") == ["S1", "W1"]
    assert typed(desk, f"{BACKSPACE}{ENTER}") == [], "an empty number is none"
    [longest] = typed(desk, "S" * 70 + ENTER)
    assert len(longest) == 64
    assert SUBJECT.fullmatch(longest)


def test_a_desk_waits_so_long_for_the_proof_and_no_longer() -> None:
    desk = ManualDesk()
    assert not desk.wants_proof(0.0)
    desk.press(START, 0.0)
    assert desk.wants_proof(PROVE_WITHIN - 0.1)
    desk.press("1", PROVE_WITHIN - 0.1)
    assert not desk.wants_proof(PROVE_WITHIN), "keys do not prolong it"
    assert desk.prompt(PROVE_WITHIN) is None


def test_an_attendant_who_presses_no_key_has_left_and_what_was_typed_is_gone() -> None:
    desk = proved_desk()
    desk.press("S", 50.0)
    assert desk.attendant(50.0 + IDLE_AFTER - 0.1) == ATTENDANT
    assert desk.attendant(50.0 + IDLE_AFTER) is None
    assert desk.press(ENTER, 50.0 + IDLE_AFTER) is None
    desk.press(START, 200.0)
    assert desk.wants_proof(200.0), "the next one proves who they are anew"
    desk.proved(ATTENDANT, 201.0)
    assert desk.prompt(201.0) == Prompt(Reason.MANUAL_NUMBER, "")


def test_cancel_ends_it_before_and_after_the_proof() -> None:
    asked = ManualDesk()
    asked.press(START, 0.0)
    for desk in (asked, proved_desk()):
        assert desk.press(CANCEL, 1.0) is None
        assert (desk.prompt(1.0), desk.attendant(1.0), desk.wants_proof(1.0)) == (None, None, False)
        assert typed(desk, f"S1{ENTER}") == []


def test_one_proof_is_good_for_a_quarter_of_an_hour_however_busy_the_keys() -> None:
    desk = ManualDesk()
    desk.press(START, 0.0)
    desk.proved(ATTENDANT, 0.0)
    now = 0.0
    while now < PROVED_FOR - 50:
        now += 50
        assert desk.attendant(now) == ATTENDANT
        desk.press("1", now)
    assert desk.attendant(PROVED_FOR) is None
