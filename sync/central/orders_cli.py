"""The verbs of `campusgate central` that command terminals and change their settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from config.errors import CampusgateError
from sync.central.options import site_option
from terminal.events import rfc3339
from terminal.orders import Do

if TYPE_CHECKING:
    from sync.central.store import Store

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}  # seconds
_SHORTEST = 5  # seconds
# Seconds: what it is unless told otherwise, and the longest. A gate that opens hours later opens for nobody.
_LIFETIMES = {
    Do.UNLOCK: (60, 3600),
    Do.LOCKDOWN: (86_400, 604_800),
    Do.RELEASE: (86_400, 604_800),
    Do.DIAGNOSTICS: (3600, 604_800),
}


@click.command()
@site_option
@click.argument("name")
@click.argument("do", type=click.Choice([str(do) for do in Do]))
@click.option(
    "--expires-in",
    metavar="TIME",
    help="Not to be done after that, such as 60s, 5m, 2h or 1d; when absent 60s for unlock, 1h for "
    "diagnostics, 1d for lockdown and release.",
)
def command(directory: Path, name: str, do: str, expires_in: str | None) -> None:
    """Have the terminal NAME do something, once: published now, done when it next fetches the roster.

    unlock opens the gate once. lockdown denies everybody until release. diagnostics has it say how it is.

    \b
    Example:
      campusgate central command north-gate-1 unlock --expires-in 60s
      campusgate central commands north-gate-1
    """
    from sync.central.people_cli import opened

    seconds = _seconds(Do(do), expires_in)
    with opened(directory) as store:
        issued = store.orders.issue(name, Do(do), seconds)
        until = rfc3339(issued.expires_at)
        version = _publish(directory, store, f"{name}: {do} until {until}, id {issued.identity},")
    click.echo(f"{name}: {do} is published in version {version}, to be done by {until}; id {issued.identity}")


@click.command()
@site_option
@click.argument("name", default="")
def commands(directory: Path, name: str) -> None:
    """List commands, of all terminals or of NAME, and what became of them, one JSON object a line.

    It opens records: only for those who may read them (R28). "waiting": may still be done; "no-word": has
    expired, and no record of it has come.

    \b
    Example:
      campusgate central commands north-gate-1
    """
    from sync.central.people_cli import opened
    from sync.central.site import Site

    with opened(directory) as store:
        for one in store.orders.issued(Site(directory).record_key(), name):
            line: dict[str, Any] = {"device": one.device} | one.command.to_document() | {"state": one.state}
            line |= {"reason": one.reason} if one.reason else {}
            line |= {"at": rfc3339(one.at)} if one.at else {}
            line |= {"details": one.details} if one.details else {}
            click.echo(json.dumps(line, ensure_ascii=False))


@click.command()
@site_option
@click.argument("name")
@click.argument("verb", type=click.Choice(["show", "set", "unset"]))
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE...|KEY...]")
def settings(directory: Path, name: str, verb: str, arguments: tuple[str, ...]) -> None:
    """Change settings of the terminal NAME from here. They win over its own file until they are unset.

    \b
    Example:
      campusgate central settings north-gate-1 set sync.roster_seconds=10 sync.batch_records=500
      campusgate central settings north-gate-1 unset sync.roster_seconds
      campusgate central settings north-gate-1 show
    """
    from sync.central.people_cli import opened

    if bool(arguments) == (verb == "show"):
        raise click.UsageError(f"{verb} takes {'nothing' if arguments else 'at least one KEY'}")
    with opened(directory) as store:
        if verb == "set":
            store.orders.set(name, dict(_assignment(text) for text in arguments))
        elif verb == "unset":
            store.orders.unset(name, list(arguments))
        for key, value in store.orders.settings(name).items():
            click.echo(f"{key} = {json.dumps(value)}")
        if verb != "show":
            click.echo(f"{name}: published in version {_publish(directory, store, name + ': this')}")


ORDER_COMMANDS = (command, commands, settings)


def _publish(directory: Path, store: Store, what: str) -> int:
    """The version in which `what`, which is in the database, is published. Raises: OrderError."""
    from sync.central.device_orders import OrderError
    from sync.central.site import Site

    try:
        return Site(directory).publish_orders(store)
    except (CampusgateError, OSError) as error:
        raise OrderError(
            f"{what} is noted but not published yet: {error}. Do not give it again: mend that, and"
            " it goes out with the next `campusgate roster publish`, or by itself while central runs"
        ) from error


def _seconds(do: Do, text: str | None) -> int:
    usual, longest = _LIFETIMES[do]
    if text is None:
        return usual
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _SHORTEST <= seconds <= longest:
        allowed = f"{_SHORTEST}s to {longest // 3600}h for {do}, as a number and one of s, m, h, d"
        raise click.BadParameter(f"{text!r} is not {allowed}", param_hint="--expires-in")
    return seconds


def _assignment(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, such as sync.roster_seconds=10")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value
