"""`campusgate policy`: what it checks, how it explains a decision, and the sample that it hands out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.errors import CampusgateError
from sync.central.policy_cli import policy
from sync.central.site import Site
from terminal.declaration import Declaration, Symptom
from terminal.person import Declared, Status
from tests.sync.office import put, student
from tests.sync.policies import GOOD
from tests.sync.test_campus_sample import SAMPLE

STUDENT = ("--kind", "student", "--group", "cs-2026-1")
MORNING = "2026-11-24T07:10"
FRESHMAN = ("--person", "S1", *STUDENT, "--celsius", "36.5")


def run(*words: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `campusgate policy WORDS`."""
    done = CliRunner().invoke(policy, list(words))
    if isinstance(done.exception, CampusgateError | OSError):
        return 1, done.stdout, str(done.exception)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def explained(*words: str, file: Path = SAMPLE) -> str:
    status, out, err = run("explain", str(file), *words)
    assert status == 0, err
    return out


def as_document(*words: str, file: Path = SAMPLE) -> dict[str, Any]:
    document = json.loads(explained(*words, "--json", file=file))
    assert isinstance(document, dict)
    return document


def refused(*words: str) -> str:
    status, out, err = run("explain", str(SAMPLE), *words)
    assert status != 0, out
    return err


# --- check


def test_check_counts_what_a_good_policy_has(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(GOOD + "admits = []\n", "utf-8")
    status, out, err = run("check", str(tmp_path / "policy.toml"))
    assert status == 0
    assert "good: 1 campuses, 2 places, 3 groups, 0 lessons, 0 events, 1 warnings; " in out
    assert "policy.toml:14: warning: places.room: nobody can enter" in err


def test_check_tells_every_problem_and_fails(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(GOOD + 'purpose = "pub"\nfoo = 1\n', "utf-8")
    status, out, err = run("check", str(tmp_path / "policy.toml"))
    assert (status, out) == (1, "")
    assert "policy.toml:17: places.room.purpose: 'pub' is not allowed" in err
    assert "policy.toml:18: places.room.foo: unknown key" in err


# --- explain


def test_explain_says_the_verdict_the_sentences_and_each_rule_in_order() -> None:
    out = explained(*FRESHMAN, "--place", "east-north-gate", "--at", MORNING)
    assert out.startswith("ALLOW  ok\n")
    assert "when        2026-11-24 07:10 Asia/Shanghai, counts as tue, teaching week 13" in out
    assert "who         S1, active student, cs-2026-1 (part of dept-cs)" in out
    assert "told        请通行\n            Welcome" in out
    assert "counts as   check-in 2026-11-24/morning" in out
    rules = ["R3 code", "R1 person", "R17 temperature", "entry permits", "R11 check-in"]
    numbered = [line for line in out.splitlines() if line[:4].strip().rstrip(".").isdigit()]
    assert [rule in line for rule, line in zip(rules, numbered, strict=True)] == [True] * 5
    assert "[counts as check-in 2026-11-24/morning]" in numbered[-1]


def test_explain_says_what_refuses_and_what_the_person_is_told_to_do() -> None:
    words = (*FRESHMAN, "--place", "east-dormitory-1", "--declared", "36.4,cough,contact")
    out = explained(*words, "--at", "2026-11-24T23:45")
    assert out.startswith("DENY  entry.hours, health.declared, health.contact\n")
    assert "现在不是开放时间 — 请在规定时间前来" in out
    assert "Not open to you now — Please come at the permitted time" in out
    assert "cough declared  [refer: health.declared]" in out
    assert "counts as   nothing" in out
    assert explained(*words, "--at", "2026-11-27T23:45").startswith("REFER  health.declared")  # a Friday
    assert "entry.hours" not in explained(*words, "--at", "2026-11-28T00:30")


def test_explain_shows_violations_with_their_evidence() -> None:
    words = ("--place", "east-north-gate", "--at", MORNING, "--declared", "36.2")
    out = explained("--person", "S1", *STUDENT, "--celsius", "37.8", *words)
    assert out.startswith("DENY  health.fever\n")
    assert "violation   false-report: source code, declared 36.2, measured 37.8" in out
    assert "[noted: declared-mismatch; violation: false-report]" in out


def test_what_the_terminal_remembers_changes_the_answer() -> None:
    words = (*FRESHMAN, "--place", "east-lab-1", "--at", "2026-11-24T12:10")
    assert as_document(*words)["violations"] == []
    told = as_document(*words, "--marked", "entry:")
    assert (told["verdict"], told["violations"][0]["kind"]) == ("allow", "passback")
    assert told["violations"][0]["evidence"]["inside_since"] == 1_795_493_400 - 600
    gate = (*FRESHMAN, "--place", "east-north-gate", "--at", MORNING)
    told = as_document(*gate, "--marked", "check-in:2026-11-24/morning=2026-11-24T06:40")
    assert (told["marks"], told["notices"]) == ([], ["already-done"])


def test_the_json_has_all_that_the_text_has() -> None:
    told = as_document(*FRESHMAN, "--place", "east-t1-101", "--at", "2026-11-24T08:07")
    assert told["at"] == "2026-11-24T08:07:00+08:00"
    assert told["groups"] == ["cs-2026-1", "dept-cs"]
    assert told["verdict"] == "allow"
    assert told["told"]["zh"] == "请通行"
    attendance = next(mark for mark in told["marks"] if mark["kind"] == "attendance")
    assert (attendance["name"], attendance["late"]) == ("CS102/2026-11-24T08:00", 7)
    assert [finding["rule"] for finding in told["findings"]][:2] == ["R3 code", "R1 person"]
    assert all(finding["effect"] for finding in told["findings"])


@pytest.mark.parametrize(
    "moment", ["2026-11-23T23:10:00+00:00", "2026-11-24T07:10", "2026-11-24T08:10+09:00"]
)
def test_a_time_without_a_zone_is_the_schools(moment: str) -> None:
    told = as_document(*FRESHMAN, "--place", "east-north-gate", "--at", moment)
    assert told["marks"][0]["name"] == "2026-11-24/morning"


def test_a_time_that_clocks_skip_is_the_one_that_they_show_then(tmp_path: Path) -> None:
    text = '[calendar]\ntime_zone = "America/New_York"\n[places.gate]\nname_zh = "门"\nname_en = "Gate"\n'
    (tmp_path / "policy.toml").write_text(text, "utf-8")
    words = ("--person", "S1", "--kind", "student", "--place", "gate", "--at", "2026-03-08T02:30")
    assert as_document(*words, file=tmp_path / "policy.toml")["at"] == "2026-03-08T03:30:00-04:00"


def test_each_kind_of_code_is_shown_as_it_would_be() -> None:
    at = ("--place", "west-paper-room", "--at", "2026-11-24T10:00", "--celsius", "36.5")
    teacher = ("--person", "T1", "--kind", "staff", "--group", "dept-law")
    assert as_document(*teacher, *at)["reasons"] == ["ok"]  # a phone that has scanned the terminal
    assert as_document(*teacher, *at, "--code", "card")["reasons"] == ["code.unsupported"]
    gate = ("--place", "east-north-gate", "--at", "2026-11-24T10:00", "--celsius", "36.5")
    assert as_document(*teacher, *gate, "--code", "card")["reasons"] == ["ok"]


# --- explain, with the people of a central


def test_people_come_from_central_unless_they_are_made_up(site: Site) -> None:
    day = Declared("2026-11-24", Declaration(365, Symptom.COUGH, False))
    put(site, student("S1"), replace(student("S2"), groups=("cs-2026-1",), declared=day))
    put(site, replace(student("S3"), status=Status.ISOLATED))
    place = ("--place", "east-north-gate", "--at", MORNING, "--celsius", "36.5", "--dir", str(site.directory))
    out = explained("--person", "S2", *place)
    assert "who         S2, 张*, active student, cs-2026-1 (part of dept-cs)" in out
    assert "declared for 2026-11-24: unwell" in out
    assert "[refer: health.declared]" in out
    assert as_document("--person", "S1", *place)["groups"] == []
    assert as_document("--person", "S3", *place)["reasons"] == ["person.isolated"]
    unknown = as_document("--person", "S9", *place)
    assert (unknown["known"], unknown["reasons"]) == (False, ["person.unknown"])
    assert "nobody that the roster knows" in explained("--person", "S9", *place)
    assert as_document("--person", "V1", *place, "--code", "visitor")["reasons"] == ["ok"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--person", "S1", "--kind", "student", "--place", "moon", "--at", MORNING),
            "'moon' is not allowed",
        ),
        (
            ("--person", "S1", "--kind", "student", "--place", "east-hall", "--at", "noon"),
            "'noon' is not a time",
        ),
        (
            ("--person", "S1", "--group", "cs-2026-1", "--place", "east-hall", "--at", MORNING),
            "give --kind too",
        ),
        ((*FRESHMAN, "--group", "xx", "--place", "east-hall", "--at", MORNING), "no group 'xx'"),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--celsius", "36.55"), "'36.55' is not"),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--declared", "36,ache"), "'ache' is not"),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--declared", "36.55"), "'36.55' is not"),
        (
            (*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--declared", "well", "--code", "card"),
            "carry no declaration",
        ),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--marked", "x:y"), "'x:y' is not allowed"),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--marked", "entry"), "'entry' is not allowed"),
        ((*FRESHMAN, "--place", "east-hall", "--at", MORNING, "--marked", "entry:=x"), "'x' is not a time"),
        (("--person", "S1", "--place", "east-hall", "--at", MORNING, "--dir", "/nowhere"), "central init"),
    ],
)
def test_what_cannot_be_explained_is_said(words: tuple[str, ...], said: str) -> None:
    assert said in refused(*words)


# --- sample


def test_the_sample_is_printed_or_written_and_checks(tmp_path: Path) -> None:
    assert run("sample") == (0, SAMPLE.read_text("utf-8"), "")
    assert "[timetable]" in run("sample", "timetable")[1]
    there = tmp_path / "campus"
    assert "written" in run("sample", "--to", str(there))[1]
    status, out, _ = run("check", str(there / "policy.toml"))
    assert status == 0
    assert "40 places, 200 groups, 420 lessons" in out
    status, _, err = run("sample", "--to", str(there))
    assert status == 1
    assert "is there already" in err
