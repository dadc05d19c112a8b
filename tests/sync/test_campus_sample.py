"""The sample campus that central brings along: a whole school without a clash, small enough for gates."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from sync.central.policy_file import PolicyFile, read_policy
from terminal.policy import Policy
from terminal.roster_layout import MAX_SMALL
from tests.sync.policies import NOW

SAMPLE = Path(__file__).parents[2] / "sync" / "central" / "campus-sample" / "policy.toml"


@pytest.fixture(scope="module")
def campus() -> PolicyFile:
    return read_policy(SAMPLE, NOW)


def test_the_sample_is_a_whole_campus(campus: PolicyFile) -> None:
    policy = campus.policy
    assert campus.warnings == ()
    assert (len(policy.campuses), len(policy.places), len(policy.groups)) == (3, 40, 200)
    assert Counter(place.purpose for place in policy.places.values()) == {
        "gate": 8, "library": 3, "dormitory": 6, "classroom": 16, "office": 4, "event": 3
    }  # fmt: skip
    assert sum(1 for group in policy.groups.values() if group.part_of) == 180
    assert {place.campus for place in policy.places.values()} == set(policy.campuses)
    assert {place.anti_passback for place in policy.places.values()} == {"off", "timed", "soft", "hard"}
    assert all(place.declaration for place in policy.places.values() if place.purpose == "dormitory")
    assert any(
        permit.hours and permit.hours.end < permit.hours.start
        for place in policy.places.values()
        for permit in place.entry
    )
    assert len(policy.events) == 3
    assert any(event.capacity and event.sign_out for event in policy.events.values())
    assert all(event.people and event.groups for event in policy.events.values())
    assert policy.check_in.notices
    assert policy.calendar.workdays
    everything = [*policy.places.values(), *policy.groups.values(), *policy.timetable.lessons]
    assert all(each.name_zh and each.name_en for each in everything)


def test_every_class_of_the_sample_has_eight_lessons_a_week_and_is_nowhere_twice(campus: PolicyFile) -> None:
    taken: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    rooms: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for lesson in campus.policy.timetable.lessons:
        when = (lesson.day, lesson.hours.start, lesson.hours.end)
        rooms[lesson.place].append(when)
        for group in lesson.groups:
            taken[group].append(when)
    assert len(taken) == 180
    assert {len(several) for several in taken.values()} == {8}
    for several in (*taken.values(), *rooms.values()):
        for one, other in combinations(several, 2):
            assert one[0] != other[0] or one[2] < other[1] or other[2] < one[1]


def test_lessons_of_the_sample_are_on_the_campus_of_those_who_take_them(campus: PolicyFile) -> None:
    policy = campus.policy
    for lesson in policy.timetable.lessons:
        assert policy.campuses_of(lesson.groups) == {policy.places[lesson.place].campus}


def test_the_sample_is_small_enough_for_terminals_and_survives_the_journey(campus: PolicyFile) -> None:
    data = campus.policy.model_dump_json(by_alias=True)
    assert campus.size == len(data.encode()) < 200_000 < MAX_SMALL
    assert Policy.model_validate_json(data) == campus.policy
