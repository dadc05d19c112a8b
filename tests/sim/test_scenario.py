"""Who comes to the gate: the same people for the same seed, every sort of them at once, codes as expected."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from terminal.codes import PREFIX, CodeKind, CodeRefused, parse
from terminal.reasons import Verdict
from tests.sim.agenda import CHOIR, CLASS, HALL, ROOM, agenda, zone_at_noon
from tests.sim.campus import Campus
from tests.sim.scenario import COUNTS_AS, EXPECTED, Guest, Visit, guests


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
def test_the_first_are_one_of_each_sort(campus: Campus, seed: int) -> None:
    assert sorted(guest.visit for guest in _first(campus, seed, len(Visit))) == sorted(Visit)


def test_every_sort_has_an_expected_answer() -> None:
    assert set(EXPECTED) == set(Visit)
    allowed = {visit for visit, (verdict, _) in EXPECTED.items() if verdict is Verdict.ALLOW}
    assert set(COUNTS_AS) == allowed - {Visit.VISITOR}


def test_who_goes_to_a_class_or_an_event_is_who_the_sort_says(campus: Campus) -> None:
    for guest in _first(campus, 5, 400):
        groups = guest.citizen.person.groups
        match guest.visit:
            case Visit.LATE:
                assert (guest.place, CLASS in groups) == (ROOM, True)
            case Visit.OTHER_CLASS:
                assert (guest.place, CLASS in groups) == (ROOM, False)
            case Visit.CONCERT | Visit.UNINVITED:
                assert (guest.place, CHOIR in groups) == (HALL, guest.visit is Visit.CONCERT)
            case _:
                assert guest.place == "north-gate"


@pytest.mark.parametrize("hour", range(24))
def test_it_is_always_past_noon_on_the_made_up_campus(hour: int) -> None:
    now = datetime(2026, 12, 31, hour, 59, 59, tzinfo=UTC)
    local = now.astimezone(ZoneInfo(zone_at_noon(now)))
    assert (local.hour, local.date()) == (12, now.date())
    assert f'day = "{local:%a}"'.lower() in agenda(now)


def test_nobody_comes_twice_before_all_have_come(campus: Campus) -> None:
    others = len(campus.citizens) - 1  # the attendant is at work
    subjects = [guest.citizen.person.subject for guest in _first(campus, 1, others)]
    assert len(set(subjects)) == others


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
