"""The command `campusgate sync`."""

from __future__ import annotations

import json
import logging
import signal
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from config.control import ask
from config.options import settings_option
from config.settings import load_settings


@click.group()
def sync() -> None:
    """The sync daemon: records to central, roster and policy from it.

    \b
    Example:
      campusgate sync run
      campusgate sync status
      campusgate sync quarantine
    """


@sync.command()
@settings_option
def run(path: Path) -> None:
    """Carry records and rosters until stopped.

    \b
    Example:
      campusgate sync run --settings /etc/campusgate/campusgate.toml
    """
    settings = load_settings(path)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from config.process_ops import begin_anew_if
    from sync.daemon import Daemon

    daemon: Daemon | None = None
    told = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        if daemon:
            daemon.stop()

    # Before there is a daemon: it answers on its socket while it is still being made.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    daemon = Daemon(settings)
    if told:
        daemon.stop()
    daemon.run()
    begin_anew_if(lambda: daemon.restart)


@sync.command()
@settings_option
def status(path: Path) -> None:
    """What the running daemon says of itself, as JSON.

    \b
    Example:
      campusgate sync status
    """
    click.echo(json.dumps(ask(load_settings(path).socket("sync"), "status"), indent=2))


@sync.command()
@settings_option
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most records to list.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the records as they were sent.")
def quarantine(path: Path, limit: int, as_json: bool) -> None:
    """The records that central refused, the newest first: sequence, time, reason.

    \b
    Example:
      campusgate sync quarantine
      campusgate sync quarantine --json --limit 5
    """
    from sync.quarantine import Quarantine

    kept = Quarantine(load_settings(path).quarantine)
    entries = kept.newest(limit)
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    for entry in entries:
        click.echo(f"{entry.sequence}\t{entry.at}\t{entry.reason}")
    more = kept.count() - len(entries)
    if more > 0:
        click.echo(f"and {more} older ones: see --limit", err=True)
    elif not entries:
        click.echo("central has refused nothing", err=True)
