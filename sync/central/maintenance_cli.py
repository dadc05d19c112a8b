"""The command `campusgate central maintenance`: who of the maintenance staff did what, at which terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sync.central.options import site_option
from sync.central.people_cli import opened
from sync.central.store import Store
from terminal.console.render import harmless, text
from terminal.events import MAINTENANCE, Event, RecordError, rfc3339
from terminal.records import unseal


@click.command("maintenance")
@site_option
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with session and record.")
def maintenance_command(directory: Path, name: str | None, as_json: bool) -> None:
    """List who did what at the terminal NAME, or at every one: logins, changes, tests, lockdowns.

    In the order in which terminals wrote it; the time is the terminal's. It opens records: only for those who
    may read them (R28).

    \b
    Example:
      campusgate central maintenance north-gate-1
      campusgate central maintenance --json > maintenance.jsonl
    """
    from sync.central.site import Site

    found = 0
    with opened(directory) as store:
        key = Site(directory).record_key()
        for event in _events(store, name):
            try:
                document = unseal(event, key)
            except RecordError as error:  # it hides its own records and nobody else's
                document = {"action": str(error)}
            found += 1
            click.echo(_as_json(event, document) if as_json else _line(event, document))
    if not found:
        click.echo(f"no maintenance of {name or 'any terminal'} has come here", err=True)


def _events(store: Store, name: str | None) -> Iterator[Event]:
    after = 0
    while stored := store.records(after=after):
        after = stored[-1].identity
        for one in stored:
            if one.event.type == MAINTENANCE and name in (None, one.event.device):
                yield one.event


def _as_json(event: Event, document: Mapping[str, Any]) -> str:
    about = {
        "device": event.device,
        "sequence": event.sequence,
        "at": rfc3339(event.time),
        "trusted": event.clock_trusted,
    }
    return json.dumps({**document, **about}, ensure_ascii=False)


def _line(event: Event, document: Mapping[str, Any]) -> str:
    """What is in a record is only as good as the terminal, which may be a thief's by now."""
    doubt = "" if event.clock_trusted else " (clock not trusted)"
    who = f"{text(document.get('user'))} ({text(document.get('role'))}, {text(document.get('via'))})"
    did = f"{rfc3339(event.time)}{doubt}  {event.device}  {who}  {text(document.get('action'))}"
    details = document.get("details")
    return harmless(f"{did}  {text(details)}" if details else did)
