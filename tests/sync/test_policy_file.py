"""policy.toml: what is wrong is told by file, line and key, as a clerk understands it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SettingsError
from sync.central.policy_file import read_policy
from sync.central.site import Site
from terminal.policy import Policy
from tests.sync.office import good, opened, put, refused, student
from tests.sync.policies import GOOD, LESSON, after, read, wrong


def test_a_good_policy_is_read_without_a_word(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.warnings == ()
    assert found.policy.places["gate"].campus == "east"
    assert found.size == len(found.policy.model_dump_json(by_alias=True).encode())


def test_a_mark_before_the_text_as_windows_writes_it_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(GOOD.encode("utf-8-sig"))
    assert read_policy(tmp_path / "policy.toml").policy.places["gate"].campus == "east"


# --- What each value may be, by the model

VALUES = {
    after("[calendar]", 'time_zone = "Asia/Shangai"'): [
        "policy.toml:2: calendar.time_zone: 'Asia/Shangai' is not allowed: a name such as Asia/Shanghai"
    ],
    GOOD + "\n[thermal]\nfever = 37.35\n": [
        "policy.toml:19: thermal.fever: 37.35 is not allowed: degrees Celsius with one decimal, such as 37.3"
    ],
    GOOD + 'anti_passback = "firm"\n': [
        "policy.toml:17: places.room.anti_passback: 'firm' is not allowed: input should be "
        "'off', 'timed', 'soft' or 'hard'"
    ],
    GOOD + "antipassback = 1\n": [
        "policy.toml:17: places.room.antipassback: unknown key; allowed here: accepts, admits, "
        "anti_passback, campus, check_in, declaration, entry, languages, name_en, name_zh, passback_minutes, "
        "pulse_seconds, purpose, requires_bound, thermal, unrecorded"
    ],
    GOOD.replace('name_en = "Room"\n', ""): [
        "policy.toml:14: places.room.name_en: is missing; it must be given"
    ],
    GOOD + '[places."North Gate"]\nname_zh = "北"\nname_en = "N"\n': [
        "policy.toml:17: places.North Gate: is not allowed: "
        "lower-case letters, digits and -, at most 63, such as north-gate"
    ],
    GOOD.replace("2027-01-17", "2026-01-17"): [
        "policy.toml:2: calendar.term: {'from': 2026-08-31, 'to': 2026-01-17} is not allowed: "
        "ends on 2026-01-17, before it begins on 2026-08-31"
    ],
    GOOD + "[check_in]\nmorning = { from = 06:30:00, to = 08:30:00 }\ndays = [[2026-08-31]]\n": [
        f"policy.toml:18: check_in.morning.{key}: {value} is not allowed: a time of day in quotes, "
        'such as "07:30"; "24:00" is the end of the day'
        for key, value in (("from", "06:30:00"), ("to", "08:30:00"))
    ]
    + [
        "policy.toml:19: check_in.days.0: [2026-08-31] is not allowed: input should be "
        "'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
    ],
    GOOD
    + '[events.fair]\nname_zh = "会"\nname_en = "Fair"\nplace = "gate"\n'
    + 'from = 2026-12-01\nto = "2026-12-02"\n': [
        f"policy.toml:{line}: events.fair.{key}: {value} is not allowed: "
        "a local time with its hour, such as 2026-12-01T19:00:00"
        for line, key, value in ((21, "from", "2026-12-01"), (22, "to", "'2026-12-02'"))
    ],
    GOOD + '[check_in]\nmorning = { from = "6:30", to = "08:30" }\n': [
        "policy.toml:18: check_in.morning.from: '6:30' is not allowed: a time of day in quotes, "
        'such as "07:30"; "24:00" is the end of the day'
    ],
    GOOD + '[check_in]\nmorning = { form = "06:30", to = "08:30" }\n': [
        "policy.toml:18: check_in.morning.from: is missing; it is the first minute",
        "policy.toml:18: check_in.morning.form: unknown key; allowed here: from, to",
    ],
    "pulse_seconds = 3.0\n": [
        "policy.toml:1: places: is missing; it is places by the name that terminals are set to"
    ],
}


@pytest.mark.parametrize(("text", "said"), VALUES.items(), ids=[said[0][12:40] for said in VALUES.values()])
def test_a_value_is_refused_with_its_line_and_what_is_allowed(
    text: str, said: list[str], tmp_path: Path
) -> None:
    assert wrong(tmp_path, text) == said


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    assert len(wrong(tmp_path, GOOD + 'purpose = "pub"\nthermal = "hot"\nfoo = 1\n')) == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[places\n", "policy.toml:1: is not TOML: Expected ']' at the end of a table declaration"),
        (b"a = 1\nb = \n", "policy.toml:2: is not TOML: Invalid value"),
        (b'a = 1\nb = """x\n', "policy.toml:3: is not TOML: "),
        (b"a = " + b"[" * 5000, "policy.toml: has brackets in brackets, too deep to be read"),
        ("a = 1\nname = '门'".encode("gb18030"), "policy.toml:2: is not UTF-8; save it as UTF-8"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        read_policy(tmp_path / "policy.toml")
    assert said in str(caught.value)


# --- Included files


def test_included_files_are_merged_as_if_they_were_written_there(tmp_path: Path) -> None:
    own = f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs"]\n{LESSON}'
    more = (
        own.replace('"A"', '"B"').replace("mon", "tue") + "[groups]\nma = { name_zh = '数', name_en = 'M' }\n"
    )
    found = read(tmp_path, f'include = ["more.toml"]\n{GOOD}{own}', more=more).policy
    assert [lesson.course for lesson in found.timetable.lessons] == ["A", "B"]
    assert set(found.groups) == {"cs", "cs-1", "cs-2", "ma"}


def test_a_problem_is_told_in_the_file_where_it_stands(tmp_path: Path) -> None:
    own = f'[[timetable.lessons]]\ncourse = "A"\ngroups = ["cs"]\n{LESSON}'
    more = f'# lessons\n\n[[timetable.lessons]]\ncourse = "B"\ngroups = ["xx"]\n{LESSON}day2 = 1\n'
    said = wrong(tmp_path, f'include = ["more.toml"]\n{GOOD}{own}', more=more)
    assert said[0].startswith("more.toml:9: timetable.lessons.1.day2: unknown key")
    said = wrong(tmp_path, f'include = ["more.toml"]\n{GOOD}{own}', more=more.replace("day2 = 1\n", ""))
    assert said[0].startswith("more.toml:5: timetable.lessons.1.groups.0: 'xx' is not allowed")


@pytest.mark.parametrize(
    ("include", "more", "said"),
    [
        ('"more.toml"', "", "policy.toml:1: include: a list of files is allowed"),
        ("[3]", "", "policy.toml:1: include: a list of files is allowed"),
        (
            '[\n"more.toml",\n"gone.toml" ]',
            "",
            "policy.toml:3: include: 'gone.toml' cannot be read: No such file",
        ),
        (
            '["more.toml", "more.toml"]',
            "",
            "policy.toml:1: include: 'more.toml' is not allowed: another file",
        ),
        ('["policy.toml"]', "", "policy.toml:1: include: 'policy.toml' is not allowed"),
        ('[""]', "", "policy.toml:1: include: '' is not allowed: another file"),
        ('["a\\u0000b"]', "", "policy.toml:1: include: 'a\\x00b' is not allowed: another file"),
        ('["../more.toml"]', "", "policy.toml:1: include: '../more.toml' is not allowed"),
        ('["more.toml"]', 'include = ["x.toml"]', "more.toml:1: include: only policy.toml may include files"),
        ('["more.toml"]', "x = ", "more.toml:1: is not TOML"),
        (
            '["more.toml"]',
            '[places.gate]\nname_zh = "门"',
            "more.toml:2: places.gate.name_zh: is given in policy.toml:12 already",
        ),
        (
            '["more.toml"]',
            "[places]\ngate = 3",
            "more.toml:2: places.gate: is given in policy.toml:11 already",
        ),
    ],
)
def test_what_cannot_be_included(include: str, more: str, said: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, f"include = {include}\n{GOOD}", more=more)[0].startswith(said)


# --- Publishing


def test_central_refuses_to_publish_a_policy_that_does_not_fit_and_prints_what_is_odd(site: Site) -> None:
    file = site.directory / "policy.toml"
    sample = file.read_text("utf-8")
    file.write_text(sample + "admits_ = 1\n", "utf-8")
    assert f"{file}:{sample.count(chr(10)) + 1}: places.north-gate.admits_" in refused(
        site, "roster", "publish"
    )
    file.write_text(sample + '[places.attic]\nname_zh = "顶"\nname_en = "Attic"\nadmits = []\n', "utf-8")
    said = good(site, "roster", "publish")
    assert "warning: places.attic: nobody can enter" in said
    assert "is published" in said


def test_a_change_of_an_included_file_is_published_by_central_itself(site: Site) -> None:
    file = site.directory / "policy.toml"
    more = site.directory / "more.toml"
    file.write_text('include = ["more.toml"]\n' + file.read_text("utf-8"), "utf-8")
    more.write_text("[groups]\n", "utf-8")
    with opened(site) as store:
        site.publish(store)
        assert site.publish_changes(store) is None
        more.write_text('[groups]\ncs = { name_zh = "计", name_en = "CS" }\n', "utf-8")
        assert site.publish_changes(store) is not None
    published = list((site.directory / "tuf" / "targets").glob("*.policy.json"))
    assert any("cs" in Policy.model_validate_json(each.read_bytes()).groups for each in published)


def test_a_policy_that_is_being_edited_holds_up_nobodys_suspension(site: Site) -> None:
    put(site, student("S1"))
    file = site.directory / "policy.toml"
    with opened(site) as store:
        version = site.publish(store)
        file.write_text(file.read_text("utf-8") + "half a li", "utf-8")
        good(site, "roster", "suspend", "S1")
        with pytest.raises(SettingsError, match="is not TOML"):
            site.publish_changes(store)
        assert store.roster.unpublished()[1] == []
    (overlay,) = (site.directory / "tuf" / "targets" / "recent").iterdir()
    assert b'"status":"suspended"' in overlay.read_bytes()
    timestamps = (site.directory / "tuf" / "metadata" / "timestamp.json").read_text("utf-8")
    assert f'"version": {version + 1}' in timestamps or f'"version":{version + 1}' in timestamps
