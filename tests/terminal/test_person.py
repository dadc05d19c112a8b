"""A person's roster line, finding one line among many, and how much of a name a gate shows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.declaration import Declaration, Symptom
from terminal.person import SUBJECT, Absence, Declared, Person, PersonKind, Status, find_line, masked
from terminal.policy.values import NAME_PATTERN

SUBJECTS = st.from_regex(SUBJECT, fullmatch=True)
NAMES = st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"]))
PERSONS = st.builds(
    Person,
    subject=SUBJECTS,
    name=NAMES,
    kind=st.sampled_from(PersonKind),
    status=st.sampled_from(Status),
    keys=st.lists(st.binary(min_size=33, max_size=33), max_size=3).map(tuple),
    groups=st.lists(st.from_regex(NAME_PATTERN, fullmatch=True), max_size=3).map(tuple),
    absences=st.lists(st.builds(Absence, *[st.integers(0, 2**40)] * 3), max_size=2).map(tuple),
    declared=st.none() | st.builds(Declared, st.dates().map(str), told_well=st.booleans()),
)


@given(PERSONS)
def test_a_person_comes_back_from_one_line(person: Person) -> None:
    line = person.to_line()
    assert b"\n" not in line
    assert Person.from_line(line) == person


@given(st.lists(PERSONS, max_size=8, unique_by=lambda person: person.subject), SUBJECTS)
def test_find_line_finds_everyone_and_no_other(people: list[Person], other: str) -> None:
    shard = b"".join(person.to_line() + b"\n" for person in people)
    for person in people:
        assert find_line(shard, person.subject) == person.to_line()
    if other not in {person.subject for person in people}:
        assert find_line(shard, other) is None


@pytest.mark.parametrize("trick", ['{"sub":"S1",', '\n{"sub":"S1","name":"x"}', '"},\n{"sub":"S1",', "\\"])
def test_a_name_cannot_pass_itself_off_as_a_line(trick: str) -> None:
    liar = Person("S0", trick, PersonKind.STUDENT).to_line() + b"\n"
    truth = Person("S1", "张伟", PersonKind.STUDENT).to_line() + b"\n"
    assert find_line(liar, "S1") is None
    assert find_line(liar + truth, "S1") == truth[:-1]


def test_what_stands_within_a_line_is_no_line() -> None:
    assert find_line(b'{"kin":{"sub":"S1","name":"x"}}\n', "S1") is None


def test_a_line_that_was_cut_off_is_no_line() -> None:
    assert find_line(Person("S1", "张伟", PersonKind.STUDENT).to_line(), "S1") is None


def test_a_line_says_of_a_declaration_only_whether_the_person_is_well() -> None:
    ill = Declaration(385, Symptom.COUGH, contact=True)
    person = Person("S1", "张伟", PersonKind.STUDENT, declared=Declared("2026-11-24", ill))
    assert b'"declared":["2026-11-24",false]' in person.to_line()
    assert Person.from_line(person.to_line()).declared == Declared("2026-11-24", told_well=False)


@pytest.mark.parametrize(
    ("declaration", "well"),
    [
        (Declaration(None, Symptom(0), contact=False), True),
        (Declaration(372, Symptom(0), contact=False), True),
        (Declaration(373, Symptom(0), contact=False), False),
        (Declaration(365, Symptom.OTHER, contact=False), False),
        (Declaration(365, Symptom(0), contact=True), False),
    ],
)
def test_well_is_who_declares_nothing_of_concern(declaration: Declaration, well: bool) -> None:
    assert Declared("2026-11-24", declaration).well is well


GOOD = {"sub": "S1", "name": "张伟", "kind": "student", "status": "active", "keys": []}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"7",
        *[json.dumps({k: v for k, v in GOOD.items() if k != left_out}).encode() for left_out in GOOD],
        json.dumps(GOOD | {"kind": "dragon"}).encode(),
        json.dumps(GOOD | {"status": "unknown"}).encode(),
        json.dumps(GOOD | {"keys": 5}).encode(),
        json.dumps(GOOD | {"keys": [5]}).encode(),
        json.dumps(GOOD | {"keys": ["a"]}).encode(),
        json.dumps(GOOD | {"keys": None}).encode(),
    ],
)
def test_a_malformed_line_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match="malformed roster line"):
        Person.from_line(line)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", ""),
        ("张伟", "张*"),
        ("欧阳子涵", "欧***"),
        ("Li Wei", "L*** W***"),
        ("Madonna", "M***"),
        ("  Li   Wei ", "L*** W***"),
        ("José Núñez", "J*** N***"),
        ("Łukasz", "Ł***"),
        ("张 Li", "张***"),
    ],
)
def test_a_gate_shows_no_more_of_a_name_than_who_it_may_be(name: str, shown: str) -> None:
    assert masked(name) == shown


@given(NAMES)
def test_a_masked_name_never_shows_two_letters_together(name: str) -> None:
    words = masked(name).split()
    assert all(set(word[1:]) <= {"*"} for word in words)


@pytest.mark.parametrize(
    "subject", ["", "-S1", ".", "S 1", "S1\n", 'S"1', "S/1", "学号1", "S" * 65, "S\x001", "../S1"]
)
def test_a_number_that_would_need_escaping_is_no_subject(subject: str) -> None:
    assert not SUBJECT.fullmatch(subject)
