"""The command `campusgate policy`: is a policy right, why does it decide so, and what can one look like?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from sync.central.options import celsius as degrees
from sync.central.options import declaration, site_option
from terminal.findings import MarkKind
from terminal.person import Person, PersonKind
from terminal.policy.places import Accepted

if TYPE_CHECKING:
    from terminal.declaration import Declaration
    from terminal.policy import Policy

_SAMPLE = Path(__file__).with_name("campus-sample")
_NAMES = ("policy", "timetable")
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def policy() -> None:
    """The school's policy: who may enter where and when, and what it counts as.

    \b
    Example:
      campusgate policy sample --to campus
      campusgate policy check campus/policy.toml
      campusgate policy explain campus/policy.toml --person S1 --kind student \\
          --place east-north-gate --at 2026-11-24T07:10 --celsius 36.5
    """


@policy.command()
@_FILE
def check(file: Path) -> None:
    """Say what is wrong with the policy in FILE, by file, line and key; status 1 when it cannot be published.

    \b
    Example:
      campusgate policy check central/policy.toml
    """
    from sync.central.policy_file import read_policy

    read = read_policy(file)
    for warning in read.warnings:
        click.echo(warning, err=True)
    found = read.policy
    counts = {
        "campuses": len(found.campuses),
        "places": len(found.places),
        "groups": len(found.groups),
        "lessons": len(found.timetable.lessons),
        "events": len(found.events),
        "warnings": len(read.warnings),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    click.echo(f"{file}: good: {told}; {read.size} bytes for terminals")


@policy.command()
@_FILE
@site_option
@click.option("--person", "subject", required=True, metavar="NUMBER", help="Whose code it is.")
@click.option("--place", required=True, help="Where: a place of the policy.")
@click.option("--at", "moment", required=True, metavar="TIME", help="When; without a zone, the school's.")
@click.option(
    "--kind",
    type=click.Choice([str(kind) for kind in PersonKind]),
    help="Make the person up, of this kind, instead of asking the central in --dir.",
)
@click.option("--group", "groups", multiple=True, help="A group of the person made up. May be repeated.")
@click.option(
    "--code", type=click.Choice(get_args(Accepted)), default="personal", show_default=True, help="Shown."
)
@click.option("--celsius", type=degrees, help="What the terminal measures; by default it has no sensor.")
@click.option(
    "--declared", type=declaration, help="What a personal code declares: 36.4,cough,contact or well."
)
@click.option(
    "--marked",
    multiple=True,
    metavar="KEY[=TIME]",
    help="What the terminal remembers of the person, such as check-in:2026-11-24/morning; "
    "by default of 10 minutes ago.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def explain(
    *,
    file: Path,
    directory: Path,
    subject: str,
    place: str,
    moment: str,
    kind: str | None,
    groups: tuple[str, ...],
    code: Accepted,
    celsius: int | None,
    declared: Declaration | None,
    marked: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what the policy in FILE decides on a person, and what each rule said, in order.

    \b
    Example:
      campusgate policy explain central/policy.toml --person S20240001 --place north-gate \\
          --at 2026-11-24T07:10 --celsius 36.5
      campusgate policy explain policy.toml --person S1 --kind student --group cs-2026-1 \\
          --place east-dormitory-1 --at 2026-11-24T23:45 --celsius 36.5 --declared 36.4,cough
    """
    from sync.central.policy_explain import as_document, as_lines, explained
    from sync.central.policy_file import read_policy

    read = read_policy(file).policy
    if groups and not kind:
        raise click.UsageError("--group is for a person made up: give --kind too")
    if declared and code != "personal":
        raise click.UsageError("--declared is for a personal code: cards and passes carry no declaration")
    if place not in read.places:
        known = ", ".join(sorted(read.places))
        raise click.BadParameter(f"{place!r} is not allowed: one of {known}", param_hint="--place")
    if unknown := [name for name in groups if name not in read.groups]:
        raise click.BadParameter(f"the policy has no group {unknown[0]!r}", param_hint="--group")
    now = _moment(moment, read, "--at")
    person = Person(subject, "", PersonKind(kind), groups=groups) if kind else _of_central(directory, subject)
    told = explained(
        read,
        place=place,
        now=now,
        subject=subject,
        person=person,
        code=code,
        decidegrees=celsius,
        declaration=declared,
        marks=dict(_mark(text, now, read) for text in marked),
    )
    if as_json:
        click.echo(json.dumps(as_document(told), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(as_lines(told)))


@policy.command()
@click.argument("name", type=click.Choice(_NAMES), default=_NAMES[0])
@click.option(
    "--to",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write all of it there instead.",
)
def sample(name: str, directory: Path | None) -> None:
    """Print the policy of a whole campus: 3 campuses, 40 places, 200 groups; or its timetable.

    \b
    Example:
      campusgate policy sample
      campusgate policy sample timetable
      campusgate policy sample --to campus
    """
    if directory is None:
        click.echo((_SAMPLE / f"{name}.toml").read_text("utf-8"), nl=False)
        return
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"{each}.toml" for each in _NAMES]
    if there := [file for file in files if file.exists()]:
        raise click.ClickException(f"{there[0]} is there already and is left as it is")
    for file in files:
        file.write_bytes((_SAMPLE / file.name).read_bytes())
    click.echo(f"{', '.join(map(str, files))}: written")


def _moment(text: str, read: Policy, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        said = f"{text!r} is not a time such as 2026-11-24T07:10"
        raise click.BadParameter(said, param_hint=option) from error
    if moment.tzinfo:
        return moment
    local = moment.replace(tzinfo=read.calendar.zone)
    try:  # a time that clocks skip is the one that they show then, as at a gate
        return local.astimezone(UTC)
    except OverflowError:  # at the ends of all years
        return local


def _mark(text: str, now: datetime, read: Policy) -> tuple[str, int]:
    """A key, and when the mark was made in Unix seconds."""
    key, given, time = text.partition("=")
    if key.partition(":")[0] not in set(MarkKind) or ":" not in key:
        allowed = ", ".join(MarkKind)
        said = f"{key!r} is not allowed: KIND:NAME, such as check-in:2026-11-24/morning; kinds are {allowed}"
        raise click.BadParameter(said, param_hint="--marked")
    return key, int(_moment(time, read, "--marked").timestamp()) if given else int(now.timestamp()) - 600


def _of_central(directory: Path, subject: str) -> Person | None:
    """The person whom the central in `directory` knows by that number, or None."""
    from sync.central.people_cli import opened

    with opened(directory) as store:
        return store.person(subject)
