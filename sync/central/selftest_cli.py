"""The command `campusgate central report`: whether a terminal's self-test is what that terminal signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sync.central.options import site_option
from terminal.selftest import MAX_REPORT, Report, ReportRefused, summary, verify_report


@click.command("report")
@site_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def report_command(directory: Path, file: Path, as_json: bool) -> None:
    """Verify the report of a self-test in FILE, and print it.

    A terminal's console makes it (`test all`) and gives it out (`send report`). Exit status 1 when it is not
    signed by the registered key of the terminal that it names.

    \b
    Example:
      campusgate central report selftest-0001.json --dir central
    """
    from sync.central.site import Site
    from sync.central.store import Store

    with file.open("rb") as opened:
        data = opened.read(MAX_REPORT + 1)
    store = Store(Site(directory).database_url)
    try:
        report = verify_report(data, store.devices.trusted_keys)
    except ReportRefused as refused:
        raise ReportRefused(f"{file}: {refused}") from refused
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for line in _lines(report):
        click.echo(line)


def _lines(report: Report) -> Iterator[str]:
    user, clock = _table(report, "user"), _table(report, "clock")
    trust = "trusted" if clock.get("trusted") else "not trusted"
    yield f"{report['device']} at {report.get('place')}: signed by its registered key"
    yield f"{report.get('at')}, clock {trust} ({clock.get('source')}), by {user.get('name')}"
    for result in report["results"]:
        word = {True: "ok", False: "!!"}.get(result.get("passed"), "--")
        yield f"{word}  {result.get('part')!s:<10} {result.get('found')}"
    yield summary(report["results"])


def _table(report: Report, name: str) -> dict[str, Any]:
    """A part of the report; empty when it is none: its signer may be a thief."""
    found = report.get(name)
    return found if isinstance(found, dict) else {}
