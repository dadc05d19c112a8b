"""Who comes to the gate: the same people for the same seed, every sort of them at once, codes as expected."""

from __future__ import annotations

import itertools

import pytest

from terminal.codes import PREFIX, CodeKind, CodeRefused, parse
from tests.sim.campus import Campus
from tests.sim.scenario import EXPECTED, Guest, Visit, guests


def _first(campus: Campus, seed: int, count: int) -> list[Guest]:
    return list(itertools.islice(guests(campus, seed), count))


def _told_apart(guest: Guest) -> tuple[object, ...]:
    key = guest.stranger.private_numbers().private_value
    return (guest.visit, guest.citizen.person, guest.celsius, guest.number, guest.holder, key)


def test_the_same_seed_brings_the_same_people(campus: Campus) -> None:
    once, again = (list(map(_told_apart, _first(campus, 7, 60))) for _ in range(2))
    assert once == again


def test_another_seed_brings_others(campus: Campus) -> None:
    assert list(map(_told_apart, _first(campus, 7, 20))) != list(map(_told_apart, _first(campus, 8, 20)))


@pytest.mark.parametrize("seed", range(20))
def test_the_first_eight_are_one_of_each_sort(campus: Campus, seed: int) -> None:
    assert sorted(guest.visit for guest in _first(campus, seed, 8)) == sorted(Visit)


def test_every_sort_has_an_expected_answer() -> None:
    assert set(EXPECTED) == set(Visit)


def test_nobody_comes_twice_before_all_have_come(campus: Campus) -> None:
    subjects = [guest.citizen.person.subject for guest in _first(campus, 1, len(campus.citizens))]
    assert len(set(subjects)) == len(campus.citizens)


def test_only_those_with_a_fever_are_hot(campus: Campus) -> None:
    for guest in _first(campus, 3, 200):
        assert (float(guest.celsius) >= 37.3) == (guest.visit is Visit.FEVER)


@pytest.mark.parametrize("visit", Visit)
def test_what_is_held_up_is_what_the_sort_says(campus: Campus, visit: Visit) -> None:
    guest = next(guest for guest in guests(campus, 5) if guest.visit is visit)
    text = guest.text()
    if visit is Visit.FOREIGN:
        assert not text.startswith(PREFIX)
        with pytest.raises(CodeRefused):
            parse(text)
        return
    claimed = parse(text)
    is_pass = visit in (Visit.CARD, Visit.VISITOR)
    assert claimed.kind is (CodeKind.PASS if is_pass else CodeKind.PERSONAL)
    known = {citizen.person.subject for citizen in campus.citizens}
    assert (claimed.subject in known) == (visit not in (Visit.VISITOR, Visit.UNKNOWN))
