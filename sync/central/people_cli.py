"""The verbs of `campusgate roster` that look at people, change them one by one, and hand out claims.

What is reported of people (groups, absences, declarations, isolation) is in reports_cli.py.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.central.options import site_option
from terminal.person import Person, PersonKind, Status

if TYPE_CHECKING:
    from sync.central.store import Store

_SENT = "`campusgate roster publish`, or central by itself, sends it to the terminals"
_KIND = click.option("--kind", type=click.Choice([str(kind) for kind in PersonKind]), help="Only these.")
subjects_argument = click.argument("subjects", nargs=-1, required=True, metavar="SUBJECT...")
_DAY = 86_400  # seconds


@contextmanager
def opened(directory: Path) -> Iterator[Store]:
    """The store of the central in `directory`. Raises: SettingsError."""
    from sync.central.site import Site
    from sync.central.store import Store

    store = Store(Site(directory).database_url)
    try:
        yield store
    finally:
        store.close()


@click.command("list")
@site_option
@_KIND
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Only these.")
@click.option("--without-key", is_flag=True, help="Only those who have not enrolled a phone.")
def list_people(directory: Path, kind: str | None, status: str | None, without_key: bool) -> None:
    """List people as CSV, which `roster import` reads again.

    \b
    Example:
      campusgate roster list --kind student --without-key
    """
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["sub", "name", "kind", "status", "from", "until", "key", "groups"])
    with opened(directory) as store:
        for one in store.roster.all(
            kind=PersonKind(kind) if kind else None,
            status=Status(status) if status else None,
            without_key=without_key,
        ):
            times = [iso(one.valid_from), iso(one.valid_until)]
            key = one.keys[0].hex() if one.keys else ""
            table.writerow([one.subject, one.name, one.kind, one.status, *times, key, ";".join(one.groups)])


@click.command()
@site_option
@click.argument("subject")
def show(directory: Path, subject: str) -> None:
    """Show all that central knows of the person SUBJECT.

    \b
    Example:
      campusgate roster show S20240001
    """
    with opened(directory) as store:
        (one,) = store.roster.several([subject])
        claim = store.claims.open_until(subject)
    click.echo(f"number      {one.subject}\nname        {one.name}\nkind        {one.kind}")
    click.echo(f"status      {one.status}")
    click.echo(f"valid       {iso(one.valid_from) or 'always'} until {iso(one.valid_until) or 'always'}")
    click.echo(f"phone       {'enrolled' if one.keys else 'none'}")
    click.echo(f"groups      {', '.join(one.groups) or 'none'}")
    for absence in one.absences:
        made_up = f"made up until {iso(absence.make_up_until)}"
        click.echo(f"absent      {iso(absence.start)} until {iso(absence.end)}, {made_up}")
    if one.declared:
        click.echo(f"declared    {one.declared.day}: {one.declared.declaration}")
    click.echo(f"claim       {f'open until {iso(claim)}' if claim else 'none'}")


@click.command()
@site_option
@subjects_argument
def suspend(directory: Path, subjects: tuple[str, ...]) -> None:
    """Let these people in nowhere until they are resumed.

    \b
    Example:
      campusgate roster suspend S20240001 S20240002
    """
    with opened(directory) as store:
        say(store.roster.set_status(subjects, Status.SUSPENDED, reinstate=False), subjects, "suspended")


@click.command()
@site_option
@subjects_argument
@click.option("--reinstate", is_flag=True, help="Also those who are revoked.")
def resume(directory: Path, subjects: tuple[str, ...], reinstate: bool) -> None:
    """Let suspended or isolated people in again.

    \b
    Example:
      campusgate roster resume S20240001
    """
    with opened(directory) as store:
        say(store.roster.set_status(subjects, Status.ACTIVE, reinstate=reinstate), subjects, "active")


@click.command()
@site_option
@subjects_argument
def revoke(directory: Path, subjects: tuple[str, ...]) -> None:
    """Let these people in nowhere for good: no import brings them back unless told to.

    \b
    Example:
      campusgate roster revoke S20240001
    """
    with opened(directory) as store:
        say(store.roster.set_status(subjects, Status.REVOKED), subjects, "revoked")


@click.command()
@site_option
@subjects_argument
@click.option("--on", required=True, metavar="DATE", help="The last day (UTC), a timestamp, or never.")
def expire(directory: Path, subjects: tuple[str, ...], on: str) -> None:
    """Set the last day on which these people are let in.

    \b
    Example:
      campusgate roster expire W-0007 --on 2027-06-30
      campusgate roster expire W-0007 --on never
    """
    from sync.central.people_csv import parse_time

    try:
        until = None if on == "never" else parse_time(on, end=True)
    except ValueError as error:
        raise click.BadParameter(f"{error}, or never", param_hint="--on") from error
    with opened(directory) as store:
        changed = store.roster.change(subjects, _until(until))
    say(changed, subjects, f"valid until {iso(until)}" if until else "valid without end")


@click.command()
@site_option
@subjects_argument
@click.option("--forget-revoked", is_flag=True, help="Also revoked people, whom an import could then add.")
def remove(directory: Path, subjects: tuple[str, ...], forget_revoked: bool) -> None:
    """Forget these people and their claims. Their records stay.

    \b
    Example:
      campusgate roster remove V-0412
    """
    with opened(directory) as store:
        store.roster.remove(subjects, forget_revoked=forget_revoked)
    say(len(set(subjects)), subjects, "removed")


@click.command()
@site_option
@click.argument("subjects", nargs=-1, metavar="[SUBJECT...]")
@_KIND
@click.option("--without-key", is_flag=True, help="Everyone active who has not enrolled a phone.")
@click.option("--days", type=click.FloatRange(0.01, 365), default=14, show_default=True, help="Good for.")
def claim(
    directory: Path, subjects: tuple[str, ...], kind: str | None, without_key: bool, days: float
) -> None:
    """Make one-time claim codes, printed as CSV; earlier ones of the same people stop being good.

    With one a person ties the key in their phone to their number, and to no other phone's. Hand it out only
    against proof of identity: central keeps no copy and cannot show it again.

    \b
    Example:
      campusgate roster claim S20240001 > claim.csv
      campusgate roster claim --kind student --without-key > claims.csv
    """
    if bool(subjects) == without_key or (kind and subjects):
        raise click.UsageError("name people by SUBJECT, or choose them with --without-key (and --kind)")
    expires_at = int(time.time() + days * _DAY)
    with opened(directory) as store:
        people = store.roster.several(subjects) if subjects else _without_key(store, kind)
        for one in people:
            if one.status is not Status.ACTIVE:
                raise click.ClickException(f"{one.subject} is {one.status}: no claim is made")
        made = store.claims.make([one.subject for one in people], expires_at=expires_at)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["sub", "name", "claim", "expires"])
    table.writerows([one.subject, one.name, made[one.subject], iso(expires_at)] for one in people)


PEOPLE_COMMANDS = (list_people, show, suspend, resume, revoke, expire, remove, claim)


def _without_key(store: Store, kind: str | None) -> list[Person]:
    chosen = PersonKind(kind) if kind else None
    return list(store.roster.all(kind=chosen, status=Status.ACTIVE, without_key=True))


def _until(until: int | None) -> Callable[[Person], Person]:
    def changed(one: Person) -> Person:
        if until is not None and one.valid_from is not None and until <= one.valid_from:
            raise click.ClickException(f"{one.subject} is valid only from {iso(one.valid_from)}")
        return replace(one, valid_until=until)

    return changed


def say(changed: int, subjects: tuple[str, ...], what: str) -> None:
    same = len(set(subjects)) - changed
    known = f" ({same} were so already)" if same else ""
    click.echo(f"{', '.join(dict.fromkeys(subjects))}: {what}{known}; {_SENT}")


def iso(moment: int | None) -> str:
    """Unix seconds as people write a time."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}" if moment is not None else ""
