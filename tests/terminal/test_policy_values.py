"""Every value of a policy says in one sentence what is allowed, and is written back as it was read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from terminal.policy import Dates, Hours, Policy
from terminal.policy.values import Difference, Fever, TimeOfDay
from tests.terminal.whole import worlds

TIME, FEVER, DIFFERENCE, HOURS, DATES = map(TypeAdapter, (TimeOfDay, Fever, Difference, Hours, Dates))
A_TIME, A_DEGREE = "a time of day in quotes", "degrees Celsius"


def said(adapter: TypeAdapter[Any], value: Any) -> str:
    """The one complaint about `value`."""
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(value)
    [error] = refused.value.errors()
    return str(error["msg"])


@pytest.mark.parametrize(
    "value",
    ["7:30", "07:60", "24:01", "25:00", "07.30", "07:30:00", " 07:30", "07:30\n", "", 730, 7.5, None, True],
)
def test_what_is_no_time_of_day_is_refused_with_an_example(value: Any) -> None:
    assert A_TIME in said(TIME, value)
    assert "07:30" in said(TIME, value)


@given(st.integers(0, 1440))
def test_every_minute_of_a_day_is_written_back_as_it_was_read(minute: int) -> None:
    text = TIME.dump_python(minute, mode="json")
    assert len(text) == 5
    assert TIME.validate_python(text) == minute


@pytest.mark.parametrize(
    "value", [37.35, "37,3", "warm", float("nan"), float("inf"), None, [], 34.9, 42.1, 373, -37.3]
)
def test_what_is_no_fever_is_refused_in_degrees(value: Any) -> None:
    assert A_DEGREE in said(FEVER, value)


@given(st.integers(350, 420))
def test_every_tenth_of_a_degree_is_exact_and_written_back_as_it_was_read(tenths: int) -> None:
    assert FEVER.validate_python(tenths / 10) == tenths
    assert FEVER.validate_json(FEVER.dump_json(tenths)) == tenths


@pytest.mark.parametrize(("value", "so"), [(0.1, 1), (10, 100), ("1.0", 10)])
def test_a_difference_has_its_own_bounds(value: Any, so: int) -> None:
    assert DIFFERENCE.validate_python(value) == so
    assert "0.1 to 10.0" in said(DIFFERENCE, 0)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"from": "07:00"}, "Field required"),
        ({"from": "07:00", "to": "8"}, A_TIME),
        ({"from": "07:00", "to": "08:00", "until": "09:00"}, "Extra inputs are not permitted"),
        ("07:00-08:00", "valid dictionary"),
    ],
)
def test_hours_say_what_is_wrong_with_them(value: Any, complaint: str) -> None:
    assert complaint in said(HOURS, value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"from": "2026-09-02", "to": "2026-09-01"}, "ends on 2026-09-01, before it begins on 2026-09-02"),
        ({"from": "2026-02-29", "to": "2026-03-01"}, "day value is outside expected range"),
        ({"from": "2026-09-01"}, "Field required"),
    ],
)
def test_dates_say_what_is_wrong_with_them(value: Any, complaint: str) -> None:
    assert complaint in said(DATES, value)


def test_one_day_alone_are_dates_and_a_leap_day_is_one() -> None:
    day = DATES.validate_python({"from": "2028-02-29", "to": "2028-02-29"})
    assert day.start in day


@given(worlds())
def test_a_whole_policy_goes_through_json_unchanged(world: tuple[object, Policy]) -> None:
    policy = world[1]
    text = policy.model_dump_json(by_alias=True)
    again = Policy.model_validate_json(text)
    assert again == policy
    assert again.model_dump_json(by_alias=True) == text


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [("code", "fresh_seconds", True), ("timetable", "early_minutes", "20"), ("manual", "thermal", "yes")],
)
def test_what_is_of_another_type_is_not_guessed_at(table: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError, match="Input should be a valid"):
        Policy.model_validate({"places": {}, table: {key: value}})
