"""A policy that does not fit together is refused at its line; one that is odd brings a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from terminal.roster_layout import MAX_SMALL
from tests.sync.policies import GOOD, LESSON, after, odd, read, wrong

NONE = "is not allowed: there is no"
BALL = '[events.ball]\nname_zh = "舞"\nname_en = "Ball"\n'
DECEMBER = "from = 2026-12-01T19:00:00\nto = 2026-12-01T21:00:00\n"
MORNING = '[check_in]\nmorning = { from = "06:30", to = "08:00" }\n'
UNFIT = {
    after('name_en = "Room"', 'campus = "eats"'): (
        f"policy.toml:17: places.room.campus: 'eats' {NONE} campus of that name in "
        "[campuses]; did you mean 'east'?"
    ),
    GOOD.replace('campus = "east" }', 'campus = "moon" }'): (
        f"policy.toml:7: groups.cs.campus: 'moon' {NONE} campus of that name in [campuses]"
    ),
    GOOD.replace('part_of = "cs" }\ncs-2', 'part_of = "xx" }\ncs-2'): (
        f"policy.toml:8: groups.cs-1.part_of: 'xx' {NONE} group of that name in [groups]"
    ),
    after('name_en = "Room"', 'entry = [\n  { kinds = ["staff"] },\n  { groups = ["cs", "cs-9"] },\n]'): (
        f"policy.toml:19: places.room.entry.1.groups.1: 'cs-9' {NONE} group of that name "
        "in [groups]; did you mean 'cs-2'?"
    ),
    GOOD + f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs", "ma"]\n{LESSON}': (
        f"policy.toml:19: timetable.lessons.0.groups.1: 'ma' {NONE} group of that name in [groups]"
    ),
    GOOD + f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs"]\n{LESSON.replace("room", "hall")}': (
        f"policy.toml:20: timetable.lessons.0.place: 'hall' {NONE} place of that name in [places]"
    ),
    GOOD + BALL + 'place = "rom"\npeople = ["S1"]\n' + DECEMBER: (
        f"policy.toml:20: events.ball.place: 'rom' {NONE} place of that name in [places]; "
        "did you mean 'room'?"
    ),
    GOOD + BALL + 'place = "room"\ngroups = ["ballet"]\n' + DECEMBER: (
        f"policy.toml:21: events.ball.groups.0: 'ballet' {NONE} group of that name in [groups]"
    ),
    GOOD + '[manual]\ngroups = ["porters"]\n': (
        f"policy.toml:18: manual.groups.0: 'porters' {NONE} group of that name in [groups]"
    ),
    GOOD.replace('campus = "east" }', 'part_of = "cs-2" }'): (
        "policy.toml:7: groups.cs.part_of: cs in cs-2 in cs: a group cannot be a part of itself"
    ),
    GOOD + f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs"]\nweeks = [\n1,\n21 ]\n{LESSON}': (
        "policy.toml:22: timetable.lessons.0.weeks.1: 21 is not allowed: the term has weeks 1 to 20"
    ),
    GOOD.replace("term =", "# term =")
    + f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs"]\nweeks = [1]\n{LESSON}': (
        "policy.toml:20: timetable.lessons.0.weeks.0: 1 is not allowed: [calendar] has no term, so weeks "
        "have no number"
    ),
    GOOD + MORNING.replace("08:00", "13:00") + 'afternoon = { from = "13:00", to = "14:00" }\n': (
        "policy.toml:19: check_in.afternoon: 13:00-14:00 overlaps the morning's 06:30-13:00"
    ),
    GOOD + MORNING + 'afternoon = { from = "22:00", to = "06:30" }\n': (
        "policy.toml:19: check_in.afternoon: 22:00-06:30 overlaps the morning's 06:30-08:00"
    ),
    GOOD + MORNING + 'afternoon = { from = "13:00", to = "14:00" }\n'
    "[[check_in.notices]]\nfrom = 2026-12-01\nto = 2026-12-02\n"
    'morning = { from = "06:30", to = "13:30" }\n': (
        "policy.toml:23: check_in.notices.0.morning: 13:00-14:00 "
        "overlaps the morning's 06:30-13:30 on these days"
    ),
    GOOD + MORNING + 'afternoon = { from = "13:00", to = "14:00" }\n'
    "[[check_in.notices]]\nfrom = 2026-12-02\nto = 9999-12-31\n"
    'morning = { from = "06:30", to = "12:30" }\n'
    "[[check_in.notices]]\nfrom = 2026-12-01\nto = 2026-12-03\n"
    'afternoon = { from = "12:00", to = "14:00" }\n': (
        "policy.toml:27: check_in.notices.1.afternoon: 12:00-14:00 "
        "overlaps the morning's 06:30-12:30 on these days, from 2026-12-02"
    ),
    GOOD + "[[check_in.notices]]\nfrom = 2026-12-01\nto = 2026-12-02\n"
    'none = ["morning"]\nmorning = { from = "06:30", to = "08:00" }\n': (
        "policy.toml:21: check_in.notices.0.morning: has hours, and `none` says that there is no morning"
    ),
    GOOD.replace(
        "[campuses.east]",
        "workdays = [\n{ date = 2026-10-10, as = 'wed' },\n"
        "{ date = 2026-10-10, as = 'thu' } ]\n[campuses.east]",
    ): "policy.toml:5: calendar.workdays.1.date: 2026-10-10 is given twice",
}


@pytest.mark.parametrize(("text", "said"), UNFIT.items(), ids=[said[12:45] for said in UNFIT.values()])
def test_what_does_not_fit_together_is_refused_at_its_line(text: str, said: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, text) == [said]


def test_a_chain_of_groups_deeper_than_terminals_follow_is_refused(tmp_path: Path) -> None:
    chain = [f'g{n} = {{ name_zh = "组", name_en = "G", part_of = "g{n + 1}" }}' for n in range(16)]
    text = after("[groups]", "\n".join([*chain, 'g16 = { name_zh = "组", name_en = "G" }']))
    assert wrong(tmp_path, text) == ["policy.toml:7: groups.g0.part_of: lies 17 groups deep; 16 are allowed"]
    shorter = text.replace('name_en = "G", part_of = "g16"', 'name_en = "G"')
    assert "g16" in read(tmp_path, shorter).policy.groups


def test_a_policy_too_large_for_terminals_is_refused_with_its_size(tmp_path: Path) -> None:
    many = "".join(
        f'g{n} = {{ name_zh = "{"组" * 200}", name_en = "{"group" * 40}" }}\n' for n in range(1500)
    )
    (said,) = wrong(tmp_path, after("[groups]", many))
    assert said.startswith("policy.toml:1: (whole policy): makes ")
    assert f"bytes for terminals, which take at most {MAX_SMALL}: leave out" in said
    assert int(said.split()[4]) > MAX_SMALL


def lessons(*several: str) -> str:
    """GOOD with lessons, each given as course;groups;day;from;to;weeks, from line 19 on."""
    rows = []
    for one in several:
        course, groups, room, day, start, end, weeks = one.split(";")
        named = ", ".join(f'"{group}"' for group in groups.split(","))
        rows.append(
            f'{{ course = "{course}", groups = [{named}], place = "{room}", day = "{day}", '
            f'weeks = [{weeks}], hours = {{ from = "{start}", to = "{end}" }} }},\n'
        )
    return f"{GOOD}[timetable]\nlessons = [\n{''.join(rows)}]\n"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("A;cs-1;room;mon;08:00;09:35;", "B;cs-1;gate;mon;09:00;10:00;", "the group cs-1 has two lessons"),
        ("A;cs;room;mon;08:00;09:35;", "B;cs-1;gate;mon;09:00;10:00;", "the group cs-1 has two lessons"),
        ("A;cs-1;room;mon;08:00;09:35;", "B;cs;gate;mon;09:00;10:00;", "the group cs-1 has two lessons"),
        ("A;cs-1;room;mon;08:00;09:35;", "B;cs-2;room;mon;09:35;10:00;", ""),
        ("A;cs-1;room;mon;08:00;09:35;", "B;cs-2;room;mon;09:34;10:00;", "the place room has two lessons"),
        ("A;cs-1;room;mon;08:00;09:35;", "B;cs-1;room;tue;08:00;09:35;", ""),
        ("A;cs-1;room;mon;08:00;09:35;1,3", "B;cs-1;room;mon;08:00;09:35;2,4", ""),
        (
            "A;cs-1;room;mon;08:00;09:35;1,3",
            "B;cs-1;room;mon;08:00;09:35;3",
            "the place room has two lessons",
        ),
        ("A;cs-1;room;mon;08:00;09:35;1,3", "B;cs-1;gate;mon;08:00;09:35;", "the group cs-1 has two lessons"),
    ],
)
def test_two_lessons_at_one_time_bring_a_warning(first: str, second: str, said: str, tmp_path: Path) -> None:
    warnings = odd(tmp_path, lessons("X;cs;gate;sun;08:00;09:00;", first, second))
    if not said:
        assert warnings == []
        return
    (warning,) = warnings
    assert warning.startswith(
        f"policy.toml:21: warning: timetable.lessons.2: {said} at one time: A mon 08:00-09:35"
    )
    assert "(number 2) and B" in warning


ODD = {
    GOOD + BALL + 'place = "room"\npeople = ["S1"]\nfrom = 2026-11-01T19:00:00\nto = 2026-11-01T21:00:00\n': (
        "policy.toml:23: warning: events.ball.to: 2026-11-01 21:00:00 has passed: it can go"
    ),
    GOOD + BALL + 'place = "room"\n' + DECEMBER: (
        "policy.toml:17: warning: events.ball: nobody is invited: it has neither groups nor people"
    ),
    GOOD + "admits = []\n": "nobody can enter: `admits` has no kind of people",
    GOOD + "accepts = []\n": "nobody can enter: `accepts` has no kind of code",
    GOOD + 'accepts = ["visitor"]\nadmits = ["staff"]\n': (
        "nobody can enter: it accepts only visitors' passes and admits no visitors"
    ),
    GOOD + 'admits = ["staff"]\nentry = [{ kinds = ["student"] }]\n': (
        "policy.toml:14: warning: places.room: nobody can enter: no permit of `entry` names people whom it "
        "admits, on a day still to come"
    ),
    GOOD + "entry = [{ dates = { from = 2026-10-01, to = 2026-11-23 } }]\n": "on a day still to come",
    GOOD + "[roster]\nwarn_seconds = 99\nclose_seconds = 9\n": (
        "policy.toml:17: warning: roster: should rise: warn_seconds, restrict_seconds, close_seconds"
    ),
}


@pytest.mark.parametrize(("text", "said"), ODD.items(), ids=[said[:50] for said in ODD.values()])
def test_what_is_odd_but_may_be_meant_brings_a_warning(text: str, said: str, tmp_path: Path) -> None:
    (warning,) = odd(tmp_path, text)
    assert said in warning
    assert "warning: " in warning


@pytest.mark.parametrize(
    "more",
    [
        'admits = ["staff"]\nentry = [{ kinds = ["student"], groups = ["cs"] }]\n',
        "entry = [{ dates = { from = 2026-10-01, to = 2026-11-24 } }]\n",
        'accepts = ["visitor"]\n',
        "[[calendar.workdays]]\ndate = 2026-12-12\nas = 'mon'\n",
        MORNING.replace("06:30", "00:00") + 'afternoon = { from = "13:00", to = "24:00" }\n',
    ],
)
def test_what_only_looks_odd_brings_none(more: str, tmp_path: Path) -> None:
    assert odd(tmp_path, GOOD + more) == []


def test_windows_that_two_notices_shift_together_do_not_overlap(tmp_path: Path) -> None:
    days = "[[check_in.notices]]\nfrom = 2026-12-01\nto = 2026-12-02\n"
    morning, afternoon = (
        'morning = { from = "06:30", to = "13:30" }\n',
        '{ from = "14:00", to = "15:00" }\n',
    )
    usual = GOOD + MORNING + 'afternoon = { from = "13:00", to = "14:00" }\n'
    assert read(tmp_path, f"{usual}{days}{morning}{days}afternoon = {afternoon}").warnings == ()
