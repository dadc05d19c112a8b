"""`campusgate roster`: people changed one by one, and the database that an earlier version made."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import click
import pytest

from sync.central.site import Site
from terminal.person import PersonKind, Status
from tests.sync.office import GROUPS, good, opened, put, refused, student


def status(site: Site, subject: str) -> Status | None:
    with opened(site) as store:
        found = store.person(subject)
        return found.status if found else None


def test_suspend_resume_and_revoke(site: Site) -> None:
    put(site, student("S1"), student("S2"))
    assert "S1, S2: suspended" in good(site, "roster", "suspend", "S1", "S2")
    assert "(1 were so already)" in good(site, "roster", "suspend", "S1")
    good(site, "roster", "resume", "S1")
    assert (status(site, "S1"), status(site, "S2")) == (Status.ACTIVE, Status.SUSPENDED)
    good(site, "roster", "revoke", "S1")
    assert "S1 is revoked" in refused(site, "roster", "resume", "S2", "S1")
    assert "S1 is revoked" in refused(site, "roster", "suspend", "S1")
    assert (status(site, "S1"), status(site, "S2")) == (Status.REVOKED, Status.SUSPENDED)  # all or none
    good(site, "roster", "resume", "S1", "--reinstate")
    assert status(site, "S1") is Status.ACTIVE


@pytest.mark.parametrize(
    "words",
    [("suspend",), ("resume",), ("revoke",), ("remove",), ("expire", "--on", "2027-01-01"), ("claim",)],
)
def test_unknown_numbers_are_named_and_nothing_changes(words: tuple[str, ...], site: Site) -> None:
    put(site, student("S1"))
    verb, *options = words
    said = refused(site, "roster", verb, "S1", "S8", "S9", *options)
    assert "nobody has the number S8, S9" in said
    assert status(site, "S1") is Status.ACTIVE


def test_expire_sets_the_last_day_and_show_says_it(site: Site) -> None:
    put(site, replace(student("S1"), valid_from=1_800_000_000))
    assert "valid until 2027-07-01T00:00:00Z" in good(site, "roster", "expire", "S1", "--on", "2027-06-30")
    shown = good(site, "roster", "show", "S1")
    assert "valid       2027-01-15T08:00:00Z until 2027-07-01T00:00:00Z" in shown
    assert "phone       none" in shown
    assert "valid only from" in refused(site, "roster", "expire", "S1", "--on", "2026-06-30")
    assert "not a date" in refused(site, "roster", "expire", "S1", "--on", "soon")
    assert "without end" in good(site, "roster", "expire", "S1", "--on", "never")
    assert "nobody has the number S2" in refused(site, "roster", "show", "S2")


def test_remove_forgets_but_not_a_revoked_person_by_accident(site: Site) -> None:
    put(site, student("S1"), replace(student("S2"), status=Status.REVOKED, valid_until=9))
    assert "S2 is revoked" in refused(site, "roster", "remove", "S1", "S2")
    assert status(site, "S1")
    good(site, "roster", "remove", "S1", "S2", "--forget-revoked")
    put(site, student("S2"))
    with opened(site) as store:
        assert list(store.people()) == [student("S2")]  # nor does an old validity come back


def test_list_filters_and_is_read_again_by_import(site: Site, tmp_path: Path) -> None:
    people = [
        replace(student("S1", "欧阳, 娜"), valid_from=5, valid_until=1_900_000_000),
        replace(student("S2"), keys=(bytes.fromhex("02" + "6b17d1f2e12c4247f8bce6e563a440f2" * 2),)),
        replace(student("W1"), kind=PersonKind.WORKER, status=Status.SUSPENDED),
    ]
    put(site, *people)
    everyone = good(site, "roster", "list")
    (tmp_path / "p.csv").write_text(everyone.replace("026b17d1f2e12c4247f8bce6e563a440f2" * 2, ""), "utf-8")
    for options, expected in {
        ("--kind", "worker"): ["W1"],
        ("--status", "active"): ["S1", "S2"],
        ("--without-key",): ["S1", "W1"],
    }.items():
        rows = list(csv.DictReader(io.StringIO(good(site, "roster", "list", *options))))
        assert [row["sub"] for row in rows] == expected
    rows = list(csv.DictReader(io.StringIO(everyone)))
    (tmp_path / "p.csv").write_text(
        everyone.replace(rows[1]["key"], ""), "utf-8"
    )  # the made-up point is on no curve
    assert "3 as they were" in good(site, "roster", "import", str(tmp_path / "p.csv"))


def test_every_verb_has_help_with_an_example() -> None:
    for name, group in GROUPS.items():
        for verb, command in group.commands.items():
            if not isinstance(command, click.Group):
                assert f"campusgate {name} {verb}" in (command.help or ""), (name, verb)
