"""The command `campusgate status`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from config.options import settings_option
from config.settings import load_settings


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(path: Path, as_json: bool) -> None:
    """How this terminal is: both its processes, the gate, camera, clock, roster, records on their way.

    Exit status 0 when all is well, 1 otherwise.

    \b
    Example:
      campusgate status
      campusgate status --json
    """
    from config.control import ask
    from terminal.console.render import lines
    from terminal.overview import overview

    settings = load_settings(path)

    def asked(process: str, op: str) -> dict[str, Any]:
        return ask(settings.socket(process), op)

    page = overview(asked)
    if as_json:
        click.echo(json.dumps(page, ensure_ascii=False, indent=2))
    else:
        for line in lines(page):
            click.echo(line)
    sys.exit(1 if page["faults"] else 0)
