"""The verbs of `campusgate roster` for what is reported of people: groups, absences, health, isolation.

Dates are days where the school is: the time zone is the policy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

import click

from sync.central.options import SYMPTOMS, site_option, symptoms_of
from sync.central.options import celsius as degrees
from sync.central.people_cli import iso, opened, say, subjects_argument
from terminal.declaration import Declaration
from terminal.person import Absence, Declared, Person, Status
from terminal.policy import Policy

_WHEN = "A day, both included, or a timestamp with its zone."


@click.command()
@site_option
@click.argument("name")
@subjects_argument
@click.option("--remove", is_flag=True, help="Take them out of it instead.")
def group(directory: Path, name: str, subjects: tuple[str, ...], remove: bool) -> None:
    """Put people into the group NAME of the policy, or take them out of it.

    \b
    Example:
      campusgate roster group chess-club S20240001 S20240002
      campusgate roster group chess-club S20240001 --remove
    """
    from sync.central.people_csv import parse_groups

    try:
        one_group = parse_groups(name) == (name,)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    if not one_group:
        raise click.BadParameter(f"{name!r} is not one group, such as cs-2024-1", param_hint="NAME")
    if not remove and name not in _policy(directory).groups:
        click.echo(f"warning: the policy has no group {name!r} yet: no rule speaks of it", err=True)

    def changed(one: Person) -> Person:
        others = tuple(other for other in one.groups if other != name)
        if remove:
            return replace(one, groups=others)
        return one if name in one.groups else replace(one, groups=(*others, name))

    _change(directory, subjects, changed, f"{'out of' if remove else 'in'} {name}")


@click.command()
@site_option
@subjects_argument
@click.option("--from", "start", metavar="TIME", help=f"When it begins. {_WHEN}")
@click.option("--until", "end", metavar="TIME", help=f"When it ends. {_WHEN}")
@click.option("--make-up-until", metavar="TIME", help=f"Until when check-ins may be made up. {_WHEN}")
@click.option("--withdraw", is_flag=True, help="Forget all absences that these people reported.")
def absence(
    *,
    directory: Path,
    subjects: tuple[str, ...],
    start: str | None,
    end: str | None,
    make_up_until: str | None,
    withdraw: bool,
) -> None:
    """Note an absence that was reported in advance (R12): its check-ins may be made up afterwards.

    \b
    Example:
      campusgate roster absence S20240001 --from 2026-11-24 --until 2026-11-26 --make-up-until 2026-11-30
      campusgate roster absence S20240001 --withdraw
    """
    times = {"--from": start, "--until": end, "--make-up-until": make_up_until}
    if withdraw:
        if any(times.values()):
            raise click.UsageError("--withdraw takes no times")
        _change(directory, subjects, lambda one: replace(one, absences=()), "no absence")
        return
    if missing := [option for option, text in times.items() if text is None]:
        raise click.UsageError(f"{', '.join(missing)} must be given, or --withdraw")
    zone = _policy(directory).calendar.zone
    seconds = [_seconds(option, text or "", zone) for option, text in times.items()]
    new = Absence(*seconds)
    if not new.start < new.end <= new.make_up_until:
        raise click.UsageError("times must rise: --from, --until, --make-up-until")

    def changed(one: Person) -> Person:
        others = [other for other in one.absences if (other.start, other.end) != (new.start, new.end)]
        absences = sorted([*others, new], key=lambda each: each.start)
        return replace(one, absences=tuple(absences))

    said = f"absent {iso(new.start)} until {iso(new.end)}, made up until {iso(new.make_up_until)}"
    _change(directory, subjects, changed, said)


@click.command()
@site_option
@click.argument("subject")
@click.option("--celsius", type=degrees, help="Body temperature, to one decimal, such as 36.5.")
@click.option("--symptom", "symptoms", multiple=True, type=click.Choice(SYMPTOMS), help="May be repeated.")
@click.option("--contact", is_flag=True, help="Contact with a confirmed or suspected case.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Of that day; by default today.")
@click.option("--withdraw", is_flag=True, help="Forget the declaration that central has of the person.")
def declare(
    *,
    directory: Path,
    subject: str,
    celsius: int | None,
    symptoms: tuple[str, ...],
    contact: bool,
    day: datetime | None,
    withdraw: bool,
) -> None:
    """Note a person's health declaration of a day (R4); without symptom and contact they are well.

    \b
    Example:
      campusgate roster declare S20240001 --celsius 36.5
      campusgate roster declare S20240001 --celsius 37.1 --symptom cough --contact --day 2026-11-24
    """
    if withdraw:
        if celsius is not None or symptoms or contact or day:
            raise click.UsageError("--withdraw takes no declaration")
        _change(directory, (subject,), lambda one: replace(one, declared=None), "no declaration")
        return
    today = _policy(directory).calendar.local(datetime.now(UTC)).date()
    of: date = day.date() if day else today
    if of < today:
        raise click.BadParameter(f"{of} has passed: only today's declaration counts", param_hint="--day")
    declaration = Declaration(celsius, symptoms_of(symptoms), contact)
    declared = Declared(of.isoformat(), declaration)
    _change(directory, (subject,), lambda one: replace(one, declared=declared), f"{of}: {declaration}")


@click.command()
@site_option
@subjects_argument
def isolate(directory: Path, subjects: tuple[str, ...]) -> None:
    """Let these people in nowhere while they are told to isolate (R22); `roster resume` lifts it.

    No import lifts it, whatever its column status says.

    \b
    Example:
      campusgate roster isolate S20240001
      campusgate roster resume S20240001
    """
    with opened(directory) as store:
        say(store.roster.set_status(subjects, Status.ISOLATED), subjects, "isolated")


REPORT_COMMANDS = (group, absence, declare, isolate)


def _policy(directory: Path) -> Policy:
    from sync.central.site import Site

    return Site(directory).policy()


def _change(directory: Path, subjects: tuple[str, ...], how: Callable[[Person], Person], said: str) -> None:
    with opened(directory) as store:
        say(store.roster.change(subjects, how), subjects, said)


def _seconds(option: str, text: str, zone: tzinfo) -> int:
    from sync.central.people_csv import parse_time

    try:
        return parse_time(text, end=option != "--from", zone=zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
