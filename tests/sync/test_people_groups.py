"""What is reported of people reaches terminals: groups, absence (R12), declaration (R4), isolation (R22)."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.central.people_rows import current
from sync.central.site import Site
from terminal.declaration import Declaration, Symptom
from terminal.person import Absence, Declared, Person, Status
from tests.sim.campus import Campus
from tests.sync.office import good, opened, put, refused, student, write_csv
from tests.sync.world import at, downlink_from, open_roster

HEADER = "sub,name,kind,班级"
WELL = Declaration(365, Symptom(0), False)
SHANGHAI = timedelta(hours=8)


def person(site: Site, subject: str) -> Person:
    with opened(site) as store:
        (found,) = store.roster.several([subject])
    return found


def seconds(*moment: int) -> int:
    """A time in Shanghai as Unix seconds."""
    return int((datetime(*moment, tzinfo=UTC) - SHANGHAI).timestamp())  # type: ignore[misc,arg-type]


def today() -> str:
    """The date in Shanghai."""
    return f"{datetime.now(UTC) + SHANGHAI:%Y-%m-%d}"


# --- Groups


@pytest.mark.parametrize(
    "cell", ["cs-2024-1;chess", "cs-2024-1、chess", "cs-2024-1 | chess", "cs-2024-1；chess"]
)
def test_an_import_takes_groups_however_they_are_separated(cell: str, site: Site, tmp_path: Path) -> None:
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", [HEADER, f"S1,张伟,student,{cell}"]))
    assert person(site, "S1").groups == ("cs-2024-1", "chess")


def test_department_and_class_may_stand_in_columns_of_their_own(site: Site, tmp_path: Path) -> None:
    rows = ["sub,name,kind,部门,班级", "S1,张伟,student,dept-cs,cs-2024-1", "T1,Li Wei,staff,dept-cs,"]
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", rows))
    assert person(site, "S1").groups == ("dept-cs", "cs-2024-1")
    assert person(site, "T1").groups == ("dept-cs",)


def test_an_empty_cell_of_groups_and_all_that_an_import_does_not_speak_of_stay(
    site: Site, tmp_path: Path
) -> None:
    before = replace(
        student("S1"),
        groups=("b", "a"),
        absences=(Absence(1, 2, 3),),
        declared=Declared("2026-11-24", Declaration(371, Symptom.COUGH | Symptom.FATIGUE, True)),
    )
    put(site, before)
    said = good(site, "roster", "import", write_csv(tmp_path / "p.csv", [HEADER, "S1,张伟,student,"]))
    assert "1 as they were" in said
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", [HEADER, "S1,张三,student,c"]))
    assert person(site, "S1") == replace(before, name="张三", groups=("c",))


def test_names_that_no_group_can_have_are_refused_by_line(site: Site, tmp_path: Path) -> None:
    rows = [HEADER, "S1,A,student,cs-1", "S2,B,student,cs-1;计算机1班", "S3,C,student,CS-1"]
    said = refused(site, "roster", "import", write_csv(tmp_path / "p.csv", rows))
    assert "p.csv:3: groups: '计算机1班' is not allowed: the policy's name of a group" in said
    assert "p.csv:4: groups: 'CS-1' is not allowed" in said
    assert ":2:" not in said


def test_a_list_with_groups_is_read_again_by_import(site: Site, tmp_path: Path) -> None:
    put(site, replace(student("S1"), groups=("a", "b")), student("S2"))
    listed = good(site, "roster", "list")
    assert [row["groups"] for row in csv.DictReader(io.StringIO(listed))] == ["a;b", ""]
    (tmp_path / "p.csv").write_text(listed, "utf-8")
    assert "2 as they were" in good(site, "roster", "import", str(tmp_path / "p.csv"))


def test_people_are_put_into_a_group_and_taken_out_again(site: Site) -> None:
    put(site, student("S1"), replace(student("S2"), groups=("a", "chess")))
    said = good(site, "roster", "group", "chess", "S1", "S2")
    assert "S1, S2: in chess (1 were so already)" in said
    assert "warning: the policy has no group 'chess' yet" in said
    assert (person(site, "S1").groups, person(site, "S2").groups) == (("chess",), ("a", "chess"))
    good(site, "roster", "group", "chess", "S2", "--remove")
    assert person(site, "S2").groups == ("a",)
    assert "groups      a" in good(site, "roster", "show", "S2")
    assert "'Chess' is not allowed" in refused(site, "roster", "group", "Chess", "S1")
    assert "'a;b' is not one group" in refused(site, "roster", "group", "a;b", "S1")
    assert "nobody has the number S9" in refused(site, "roster", "group", "chess", "S9")


def test_a_group_that_the_policy_knows_brings_no_warning(site: Site) -> None:
    policy = site.directory / "policy.toml"
    policy.write_text(policy.read_text("utf-8") + '[groups]\nchess = { name_zh = "棋", name_en = "Chess" }\n')
    put(site, student("S1"))
    assert "warning" not in good(site, "roster", "group", "chess", "S1")


def test_more_people_than_one_query_takes_keep_their_own_groups(site: Site) -> None:
    people = [replace(student(f"S{n:04d}"), groups=(f"g{n}", "all")) for n in range(1201)]
    put(site, *people)
    with opened(site) as store:
        assert list(store.people()) == people
        assert [one.groups for one in store.roster.several(["S1200", "S0003"])] == [
            ("g1200", "all"),
            ("g3", "all"),
        ]


# --- Absences


def test_a_reported_absence_is_of_days_where_the_school_is(site: Site) -> None:
    put(site, student("S1"))
    times = ("--from", "2026-11-24", "--until", "2026-11-26", "--make-up-until", "2026-11-30")
    said = good(site, "roster", "absence", "S1", *times)
    first = Absence(seconds(2026, 11, 24), seconds(2026, 11, 27), seconds(2026, 12, 1))
    assert person(site, "S1").absences == (first,)
    assert "S1: absent 2026-11-23T16:00:00Z until 2026-11-26T16:00:00Z" in said
    good(site, "roster", "absence", "S1", *times[:-1], "2026-12-24T08:00:00+08:00")  # said anew: prolonged
    later = ("--from", "2026-10-01", "--until", "2026-10-02", "--make-up-until", "2026-10-03")
    good(site, "roster", "absence", "S1", *later)
    prolonged = replace(first, make_up_until=seconds(2026, 12, 24, 8))
    earlier = Absence(seconds(2026, 10, 1), seconds(2026, 10, 3), seconds(2026, 10, 4))
    assert person(site, "S1").absences == (earlier, prolonged)
    assert "absent      2026-11-23T16:00:00Z until" in good(site, "roster", "show", "S1")
    good(site, "roster", "absence", "S1", "--withdraw")
    assert person(site, "S1").absences == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2026-11-24"), "--until, --make-up-until must be given"),
        (
            ("--from", "soon", "--until", "2026-11-26", "--make-up-until", "2026-11-30"),
            "'soon' is not a date",
        ),
        (("--from", "2026-11-27", "--until", "2026-11-26", "--make-up-until", "2026-11-30"), "must rise"),
        (("--from", "2026-11-24", "--until", "2026-11-26", "--make-up-until", "2026-11-25"), "must rise"),
        (("--withdraw", "--from", "2026-11-24"), "--withdraw takes no times"),
    ],
)
def test_times_that_make_no_absence(options: tuple[str, ...], said: str, site: Site) -> None:
    put(site, student("S1"))
    assert said in refused(site, "roster", "absence", "S1", *options)
    assert person(site, "S1").absences == ()


# --- Declarations


def test_a_declaration_is_noted_in_tenths_of_a_degree_and_the_newest_counts(site: Site) -> None:
    put(site, student("S1"))
    good(site, "roster", "declare", "S1", "--celsius", "36.5")
    assert person(site, "S1").declared == Declared(today(), WELL)
    symptoms = ("--symptom", "cough", "--symptom", "breathing")
    said = good(site, "roster", "declare", "S1", *symptoms, "--contact", "--day", "2099-02-28")
    assert "S1: 2099-02-28: cough, breathing, contact" in said
    declared = Declaration(None, Symptom.COUGH | Symptom.BREATHING, True)
    assert person(site, "S1").declared == Declared("2099-02-28", declared)
    assert "declared    2099-02-28: cough, breathing, contact" in good(site, "roster", "show", "S1")
    good(site, "roster", "declare", "S1", "--withdraw")
    assert person(site, "S1").declared is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--celsius", "36.55"), "'36.55' is not 30.0 to 45.0 degrees"),
        (("--celsius", "46"), "'46' is not"),
        (("--celsius", "nan"), "'nan' is not"),
        (("--celsius", "warm"), "'warm' is not"),
        (("--symptom", "boredom"), "'boredom'"),
        (("--day", "2020-01-01"), "2020-01-01 has passed"),
        (("--withdraw", "--contact"), "--withdraw takes no declaration"),
    ],
)
def test_what_is_no_declaration(options: tuple[str, ...], said: str, site: Site) -> None:
    put(site, student("S1"))
    assert said in refused(site, "roster", "declare", "S1", *options)
    assert person(site, "S1").declared is None


# --- Isolation


def test_isolation_is_lifted_by_resume_and_by_no_import(site: Site, tmp_path: Path) -> None:
    put(site, student("S1"))
    assert "S1: isolated" in good(site, "roster", "isolate", "S1")
    rows = ["sub,name,kind,status", "S1,张伟,student,正常"]
    said = good(site, "roster", "import", write_csv(tmp_path / "p.csv", rows))
    assert "1 stay isolated (S1); `campusgate roster resume`" in said
    assert person(site, "S1").status is Status.ISOLATED
    good(site, "roster", "resume", "S1")
    assert person(site, "S1").status is Status.ACTIVE


def test_an_import_can_isolate_and_revoke(site: Site, tmp_path: Path) -> None:
    rows = ["sub,name,kind,status", "S1,张伟,student,隔离", "S2,张伟,student,isolated"]
    assert "stay" not in good(site, "roster", "import", write_csv(tmp_path / "p.csv", rows))
    assert person(site, "S1").status is person(site, "S2").status is Status.ISOLATED
    rows = ["sub,name,kind,status", "S1,张伟,student,注销"]
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", rows))
    assert person(site, "S1").status is Status.REVOKED


def test_whoever_is_revoked_is_not_isolated_instead(site: Site) -> None:
    put(site, replace(student("S1"), status=Status.REVOKED))
    assert "S1 is revoked" in refused(site, "roster", "isolate", "S1")


# --- What reaches the terminals


def test_what_has_passed_does_not_travel() -> None:
    past, open_ = Absence(1, 2, 99), Absence(1, 2, 100)
    one = replace(student("S1"), absences=(past, open_), declared=Declared("2026-11-24", WELL))
    assert current(one, now=100, today="2026-11-24") == replace(one, absences=(open_,))
    assert current(one, now=98, today="2026-11-25") == replace(one, declared=None)
    bare = student("S2")
    assert current(bare, now=100, today="2026-11-24") is bare


def test_everything_reported_reaches_a_terminal_as_a_recent_change(campus: Campus, central: str) -> None:
    subject = next(one.person.subject for one in campus.citizens if not one.person.groups)
    site = campus.site
    settings = at(campus.settings, central)

    def at_the_terminal() -> Person:
        with opened(site) as store:
            site.publish_changes(store)
        with downlink_from(settings) as downlink:
            downlink.step()
        found = open_roster(campus).person(subject)
        assert found
        return found

    assert at_the_terminal().groups == ()
    index = sorted((site.directory / "tuf" / "targets").glob("*.index.bin"))
    good(site, "roster", "group", "chess", subject)
    times = ("--from", "2020-01-01", "--until", "2099-01-02", "--make-up-until", "2099-01-03")
    good(site, "roster", "absence", subject, *times)
    passed = ("--from", "2020-01-01", "--until", "2020-01-02", "--make-up-until", "2020-01-03")
    good(site, "roster", "absence", subject, *passed)
    good(site, "roster", "declare", subject, "--celsius", "36.5")
    good(site, "roster", "isolate", subject)
    found = at_the_terminal()
    assert found.groups == ("chess",)
    assert [absence.make_up_until for absence in found.absences] == [seconds(2099, 1, 4)]
    assert found.declared == Declared(today(), told_well=True), "what was declared stays at central"
    assert found.status is Status.ISOLATED
    assert sorted((site.directory / "tuf" / "targets").glob("*.index.bin")) == index  # no full publication
    with opened(site) as store:
        site.publish(store)
        assert len(store.roster.several([subject])[0].absences) == 2  # central keeps what has passed
    with downlink_from(settings) as downlink:
        downlink.step()
    assert open_roster(campus).person(subject) == found


def test_removing_a_person_leaves_nothing_behind(site: Site) -> None:
    full = replace(
        student("S1"), groups=("a",), absences=(Absence(1, 2, 3),), declared=Declared("2026-11-24", WELL)
    )
    put(site, full)
    good(site, "roster", "remove", "S1")
    put(site, student("S1"))
    assert person(site, "S1") == student("S1")
