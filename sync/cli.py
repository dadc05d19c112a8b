"""The command `campusgate sync`."""

from __future__ import annotations

import json
import logging
import signal
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
    from sync.daemon import Daemon

    daemon = Daemon(settings)

    def stop(_number: int, _frame: FrameType | None) -> None:
        daemon.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    daemon.run()


@sync.command()
@settings_option
def status(path: Path) -> None:
    """What the running daemon says of itself, as JSON.

    \b
    Example:
      campusgate sync status
    """
    click.echo(json.dumps(ask(load_settings(path).socket("sync"), "status"), indent=2))
