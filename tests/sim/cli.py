"""The command `campusgate demo`."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option(
    "--scans", type=click.IntRange(1), help="End after so many people; without it, go on until Ctrl-C."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Who comes, and how.")
@click.option("--kills", type=click.IntRange(0), default=0, help="Kill a process so many times on the way.")
@click.option("--json", "as_json", is_flag=True, help="Print only the summary, as one JSON object.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Of the web page."
)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Save a picture (JPEG).")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Work in this new directory.")
def demo(  # noqa: PLR0917 - click passes options by name
    scans: int | None,
    seed: int,
    kills: int,
    as_json: bool,
    port: int,
    picture: Path | None,
    keep: Path | None,
) -> None:
    """The whole chain on this machine: people, codes, gate, records, an outage, nothing lost.

    Hardware is simulated; codes, camera frames, decoding, decision, journal, sync and central are real.
    Exit status 0 only if every record reached central exactly once and every answer was the right one.

    \b
    Example:
      campusgate demo --scans 60 --seed 1 --json
    """
    if kills and scans is None:
        raise click.UsageError("--kills needs --scans")
    if keep and keep.exists():
        raise click.BadParameter(f"{keep} exists; name a new directory", param_hint="--keep")
    # A shell that starts it in the background has SIGINT ignored: set it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="campusgate-") as temporary:
            directory = keep or Path(temporary)
            directory.mkdir(parents=True, exist_ok=True)
            summary = _play(
                directory.absolute(), scans, seed, kills, port=port, picture=picture, as_json=as_json
            )
    except KeyboardInterrupt:
        click.echo("\nstopped", err=True)
        sys.exit(0 if scans is None else 130)
    if summary["stopped"] and scans is not None:
        sys.exit(130)
    sys.exit(0 if summary["ok"] else 1)


def _play(
    directory: Path,
    scans: int | None,
    seed: int,
    kills: int,
    *,
    port: int,
    picture: Path | None,
    as_json: bool,
) -> dict[str, Any]:
    """Run the demo, print its summary and give it back."""
    from tests.sim.demo import Demo
    from tests.sim.page import Page
    from tests.sim.table import Table

    run = Demo(directory, scans, seed, kills)
    page = Page(run, port)
    try:
        with Table(run, page.url, quiet=as_json) as table:
            summary = run.run(table.say, table.show)
            if picture:
                table.save_picture(picture)
    finally:
        page.close()
    click.echo(json.dumps(summary, ensure_ascii=False) if as_json else table.summary(summary))
    return summary
