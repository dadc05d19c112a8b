"""`campusgate roster import`: the files that schools have, and every way in which they are wrong."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.keys import new_p256
from sync.central.people_csv import parse_time
from sync.central.roster_cli import _Progress
from sync.central.site import Site
from terminal.codes import compressed
from terminal.person import Person, PersonKind, Status
from tests.sync.office import good, opened, put, refused, run, student, write_csv

HEADER = "学号,姓名,类别"


def person(site: Site, subject: str) -> Person:
    with opened(site) as store:
        found = store.person(subject)
    assert found
    return found


def seconds(*day: int) -> int:
    return int(datetime(*day, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("gb18030", "GB18030")]
)
def test_the_encoding_is_found_and_said(encoding: str, said: str, site: Site, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [HEADER, "S1,张伟,学生", "S2,欧阳㐀𠮷,教师"], encoding)
    assert f"2 people taken in from {said}: 2 new" in good(site, "roster", "import", file)
    assert person(site, "S2") == Person("S2", "欧阳㐀𠮷", PersonKind.STAFF)


@pytest.mark.parametrize("header", ["sub,name,kind", "工号;姓名;类别", "ID\tName\tType", "编号,姓名,身份"])
def test_headers_in_either_language_and_other_separators(header: str, site: Site, tmp_path: Path) -> None:
    mark = next(mark for mark in ",;\t" if mark in header)
    file = write_csv(tmp_path / "p.csv", [header + f"{mark}备注", mark.join(["W1", "李雷", "worker", "x"])])
    good(site, "roster", "import", file)
    assert person(site, "W1").kind is PersonKind.WORKER


def test_every_column_is_taken_and_a_date_counts_to_its_end(site: Site, tmp_path: Path) -> None:
    point = compressed(new_p256().public_key())
    head = "sub,name,kind,status,from,until,key"
    row = f"S1,A,student,停用,2026-09-01,2030/7/1,{point.hex()}"
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", [head, row]))
    assert person(site, "S1") == Person(
        "S1", "A", PersonKind.STUDENT, Status.SUSPENDED, (point,), seconds(2026, 9, 1), seconds(2030, 7, 2)
    )
    assert parse_time("2026-09-01T08:00:00+08:00", end=True) == seconds(2026, 9, 1)


def test_an_empty_cell_leaves_what_is_known(site: Site, tmp_path: Path) -> None:
    before = replace(
        student("S1"), status=Status.SUSPENDED, keys=(compressed(new_p256().public_key()),), valid_until=7
    )
    put(site, before)
    file = write_csv(tmp_path / "p.csv", ["sub,name,kind,status,until,key", "S1,张伟,student,,,"])
    assert "0 new, 0 changed, 1 as they were" in good(site, "roster", "import", file)
    good(site, "roster", "import", write_csv(tmp_path / "p.csv", [HEADER, "S1,张三,学生"]))
    assert person(site, "S1") == replace(before, name="张三")


def test_a_column_that_means_nothing_is_named(site: Site, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", ["sub,name,kind,stauts,性别,", "S1,张伟,student,suspended,女,"])
    assert "left out: stauts, 性别\n" in good(site, "roster", "import", file)
    assert "left out" not in good(
        site, "roster", "import", write_csv(tmp_path / "p.csv", [HEADER, "S2,李,学生"])
    )


def test_lines_may_end_as_on_an_old_macintosh(site: Site, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sub,name,kind,groups\rS1,张伟,student,a;b;c;d;e\r", "utf-8", newline="")
    good(site, "roster", "import", str(tmp_path / "p.csv"))
    assert person(site, "S1").groups == ("a", "b", "c", "d", "e")


BAD = {
    "S 1,A,student,,": "sub: 'S 1' is not allowed",
    "S1,,student,,": "name: is missing",
    "S1,A\x07,student,,": "name: 'A\\x07' is not allowed",
    f"S1,{'长' * 101},student,,": "name: '长长",
    "S1,A,pupil,,": "kind: 'pupil' is not allowed: one of student, staff, worker, visitor",
    "S1,A,student,2026-13-01,": "from: '2026-13-01' is not a date such as 2027-07-01",
    "S1,A,student,,2026-02-03T10:00:00": "until: '2026-02-03T10:00:00' has no zone",
    "S1,A,student,2026-02-03,2026-02-01": "until: '2026-02-01' is before from",
    "OK,Twin,student,,": "sub: 'OK' is in line 2 already",
    "S1,A,student,,,cs-2": "'cs-2' stands behind the last of 5 columns",
}


def test_bad_lines_are_named_and_nothing_is_taken_unless_partial(site: Site, tmp_path: Path) -> None:
    rows = [
        "sub,name,kind,from,until",
        "OK,A,student,,",
        *BAD,
        "",
        '"LAST","two\nlines",student,,',
        "Z,Z,staff",
        "Y,Y,staff,,,,",
    ]
    file = write_csv(tmp_path / "p.csv", rows)
    said = refused(site, "roster", "import", file)
    for number, reason in enumerate(BAD.values(), start=3):
        assert f"p.csv:{number}: {reason}" in said
    assert "p.csv:14: name: 'two\\nlines' is not allowed" in said
    assert "11 bad lines: nothing is taken" in said
    with opened(site) as store:
        assert list(store.people()) == []
    done = run(site, "roster", "import", file, "--partial")
    assert done.exit_code == 1
    assert "3 people taken in" in done.stdout
    assert all(reason in done.stderr for reason in BAD.values())
    with opened(site) as store:
        assert [one.subject for one in store.people()] == ["OK", "Y", "Z"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "column kind, name, sub is missing"),
        (b"sub,name,kind\n", "has nobody in it"),
        ("学号,工号,姓名,类别\n".encode(), "学号 and 工号 are both the column sub"),
        ("sub,name,kind\nS1,张,student\n".encode("utf-16"), "UTF-8 or GB18030"),
        (b"sub,name,kind\nS1,\xff\xff,student\n", "UTF-8 or GB18030"),
        (b"sub,name,kind\nS1,a\0b,student\n", "UTF-8 or GB18030"),
        (b'sub,name,kind\nS1,"a,student\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_list_of_people(data: bytes, said: str, site: Site, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(data)
    assert said in refused(site, "roster", "import", str(tmp_path / "p.csv"))


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", "UTF-8"), ("gb18030", "GB18030")])
def test_a_line_that_is_no_text_or_no_csv_hurts_no_other(
    encoding: str, said: str, site: Site, tmp_path: Path
) -> None:
    lines = ["sub,name,kind", "A,张伟,student", "B,李?娜,student", 'C,"王"芳,student', "D,刘洋,student"]
    data = "\n".join([*lines, ""]).encode(encoding).replace(b"?", b"\xff")
    (tmp_path / "p.csv").write_bytes(data)
    bad = ("p.csv:3: '李\\udcff娜' is not " + said, "p.csv:4: is not CSV (',' expected after '\"')")
    told = refused(site, "roster", "import", str(tmp_path / "p.csv"))
    assert all(line in told for line in bad)
    done = run(site, "roster", "import", str(tmp_path / "p.csv"), "--partial")
    assert done.exit_code == 1
    assert f"2 people taken in from {said}" in done.stdout
    assert all(line in done.stderr for line in bad)
    with opened(site) as store:
        assert [(one.subject, one.name) for one in store.people()] == [("A", "张伟"), ("D", "刘洋")]


def test_a_quote_that_is_never_closed_takes_nobody_since_it_hides_the_lines_after_it(
    site: Site, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "p.csv", ["sub,name,kind", "S 1,A,staff", 'B,"B,staff', "C,C,staff"])
    told = refused(site, "roster", "import", file, "--partial")
    assert "p.csv:2: sub: 'S 1'" in told
    assert "p.csv:3: is not CSV: a quote is not closed" in told
    with opened(site) as store:
        assert list(store.people()) == []


def test_a_revoked_person_does_not_come_back_unless_reinstated(site: Site, tmp_path: Path) -> None:
    put(site, replace(student("S1"), status=Status.REVOKED))
    file = write_csv(tmp_path / "p.csv", ["sub,name,kind,status", "S1,张伟,student,active"])
    assert "1 stay revoked (S1)" in good(site, "roster", "import", file)
    assert person(site, "S1").status is Status.REVOKED
    assert "revoked" not in good(site, "roster", "import", file, "--reinstate")
    assert person(site, "S1").status is Status.ACTIVE


def test_a_hundred_thousand_lines_take_seconds(site: Site, tmp_path: Path) -> None:
    rows = [f"S{number:07d},张伟{number % 100},学生" for number in range(100_000)]
    file = write_csv(tmp_path / "p.csv", [HEADER, *rows], "gb18030")
    start = time.monotonic()
    assert "100000 new" in good(site, "roster", "import", file)
    assert time.monotonic() - start < 15


def test_a_long_import_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = _Progress()
    progress(5000)
    progress._next = 0
    progress(10_000)
    assert capsys.readouterr().err == "read up to line 10,000\n"
