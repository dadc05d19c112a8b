"""From when until when a person is let in, who is out for good, and how much of a name a gate shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from terminal.codes import Code, CodeKind
from terminal.decision import Situation, decide
from terminal.person import NameDisplay, Person, PersonKind, Status, shown
from terminal.policy import Place, Policy
from terminal.reasons import Reason

NOW = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)
AT = int(NOW.timestamp())
PERSON = Person("S1", "张伟", PersonKind.STUDENT)
POLICY = Policy(places={"gate": Place(name_zh="门", name_en="Gate", thermal=False)})
CODE = Code(CodeKind.PERSONAL, "S1", "digest", issued_at=AT)


def first(person: Person, *, trusted: bool = True, floor: datetime | None = None) -> Reason:
    policy = POLICY.model_copy(
        update={"code": POLICY.code.model_copy(update={"untrusted_clock": "last-trusted"})}
    )
    situation = Situation("gate", NOW, clock_trusted=trusted, code=CODE, person=person, floor=floor)
    return decide(situation, policy).reasons[0]


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (None, None, Reason.OK),
        (AT, AT + 1, Reason.OK),
        (AT + 1, None, Reason.PERSON_NOT_YET_VALID),
        (None, AT, Reason.PERSON_EXPIRED),
        (AT - 9, AT - 1, Reason.PERSON_EXPIRED),
    ],
)
def test_a_person_is_valid_from_the_first_second_until_before_the_last(
    start: int | None, end: int | None, reason: Reason
) -> None:
    assert first(replace(PERSON, valid_from=start, valid_until=end)) is reason


def test_without_a_trusted_clock_only_what_is_certainly_over_is_refused() -> None:
    early = NOW - timedelta(hours=1)
    assert first(replace(PERSON, valid_from=AT + 9), trusted=False, floor=early) is Reason.OK
    assert first(replace(PERSON, valid_until=AT - 9), trusted=False, floor=early) is Reason.OK
    assert first(replace(PERSON, valid_until=AT - 7200), trusted=False, floor=early) is Reason.PERSON_EXPIRED


def test_revoked_and_suspended_are_told_apart_and_come_before_validity() -> None:
    assert first(replace(PERSON, status=Status.REVOKED, valid_until=1)) is Reason.PERSON_REVOKED
    assert first(replace(PERSON, status=Status.SUSPENDED, valid_until=1)) is Reason.PERSON_SUSPENDED


def test_times_travel_in_the_roster_line_and_older_lines_are_read() -> None:
    bounded = replace(PERSON, valid_from=5, valid_until=9)
    assert Person.from_line(bounded.to_line()) == bounded
    assert b'"from"' not in PERSON.to_line()
    assert Person.from_line(PERSON.to_line()) == PERSON
    for wrong in (b'"5"', b"5.5", b"true", b"[]"):
        with pytest.raises(ValueError, match="malformed roster line"):
            Person.from_line(bounded.to_line().replace(b'"from":5', b'"from":' + wrong))


@pytest.mark.parametrize(
    ("name", "how", "seen"),
    [
        ("张伟", "masked", "张*"),
        ("张伟", "family", "张"),
        ("欧阳娜娜", "family", "欧阳"),
        ("欧阳", "family", "欧"),
        ("司马", "hidden", ""),
        ("司马光", "full", "司马光"),
        ("John Miller", "family", "Miller"),
        ("José García", "family", "García"),
        ("Plato", "family", "P***"),
        ("", "family", ""),
    ],
)
def test_the_policy_says_how_much_of_a_name_is_shown(name: str, how: NameDisplay, seen: str) -> None:
    assert shown(name, how) == seen
