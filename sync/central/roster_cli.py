"""The command `campusgate roster`: people at central, and publishing them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TypeVar

import click

from config.errors import SettingsError
from sync.central.cli import site_option
from terminal.codes import from_compressed
from terminal.person import SUBJECT, Person, PersonKind, Status


@click.group()
def roster() -> None:
    """People at central, and the signed roster that terminals get.

    \b
    Example:
      campusgate roster import people.csv
      campusgate roster publish
    """


@roster.command("import")
@site_option
@click.argument("people_csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_people(directory: Path, people_csv: Path) -> None:
    """Add people from a CSV file with the columns sub,name,kind (and status, key).

    \b
    Example:
      campusgate roster import people.csv
      sub,name,kind
      S20240001,张伟,student
    """
    from sync.central.site import Site
    from sync.central.store import Store

    people = read_people(people_csv)
    store = Store(Site(directory).database_url)
    store.put_people(people)
    store.close()
    click.echo(f"{len(people)} people taken in; `campusgate roster publish` sends them to the terminals")


@roster.command()
@site_option
def publish(directory: Path) -> None:
    """Sign people and policy and put them where terminals fetch them.

    \b
    Example:
      campusgate roster publish --dir central
    """
    from sync.central.site import Site
    from sync.central.store import Store

    site = Site(directory)
    store = Store(site.database_url)
    version = site.publish(store)
    store.close()
    click.echo(f"version {version} is published")


def read_people(path: Path) -> list[Person]:
    """The people in the CSV file `path` (UTF-8). Raises: SettingsError naming every bad line."""
    people: list[Person] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"sub", "name", "kind"} - set(rows.fieldnames or [])
            if missing:
                raise SettingsError([f"{path}:1: column {', '.join(sorted(missing))} is missing"])
            for row in rows:
                try:
                    person = _person(row)
                except ValueError as error:
                    problems.append(f"{path}:{rows.line_num}: {error}")
                    continue
                first = lines.setdefault(person.subject, rows.line_num)
                if first == rows.line_num:
                    people.append(person)
                else:
                    problems.append(
                        f"{path}:{rows.line_num}: sub: {person.subject!r} is in line {first} already"
                    )
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError([f"{path}: is not CSV text in UTF-8 ({error})"]) from error
    if problems:
        raise SettingsError(problems)
    if not people:
        raise SettingsError([f"{path}: has nobody in it"])
    return people


def _person(row: dict[str, str | None]) -> Person:
    subject, name = (row["sub"] or "").strip(), (row["name"] or "").strip()
    if not SUBJECT.fullmatch(subject):
        raise ValueError(
            f"sub: {subject!r} is not allowed: 1 to 64 letters, digits, dots, dashes, underscores"
        )
    if not name:
        raise ValueError("name: is missing")
    try:
        key = bytes.fromhex((row.get("key") or "").strip())
        if key:
            from_compressed(key)
    except ValueError as error:
        raise ValueError(f"key: {row['key']!r} is not a compressed P-256 point in hex") from error
    return Person(
        subject,
        name,
        _one_of(PersonKind, "kind", row["kind"] or ""),
        _one_of(Status, "status", row.get("status") or "active"),
        (key,) if key else (),
    )


K = TypeVar("K", PersonKind, Status)


def _one_of(kinds: type[K], column: str, value: str) -> K:
    try:
        return kinds(value.strip())
    except ValueError as error:
        allowed = ", ".join(kind.value for kind in kinds)
        raise ValueError(f"{column}: {value!r} is not allowed: one of {allowed}") from error
