"""Taking up a carried roster: by the running sync daemon, or in its place; and the command that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import requests

from config.control import ask
from config.options import settings_option
from config.settings import Settings, load_settings
from config.single import AlreadyRunning, Single
from sync.bar import bar
from sync.carried_roster import CarriedRoster
from sync.downlink import Downlink
from terminal.provision import trust

WITHIN = 900.0  # seconds; a million people take minutes on a slow card


@dataclass(frozen=True, slots=True)
class Taken:
    """The version that is on disk now. changed: whether it was not before."""

    version: int
    changed: bool


Ask = Callable[[str], Mapping[str, Any]]
"""Asks the running daemon to take up the roster at a path; its answer."""


def take(settings: Settings, path: Path, by_daemon: Ask, progress: Callable[[float, float], None]) -> Taken:
    """Take up the roster at `path`; only whoever holds the sync daemon's lock writes the mirror.

    progress: called with bytes read and all there are, when no daemon runs.
    Raises: SyncFault, ControlError, KeyFileError, OSError; what was there before stays then.
    """
    path = path.absolute()
    try:
        single = Single(settings.state, "sync")
    except AlreadyRunning:
        answer = by_daemon(str(path))
        return Taken(int(answer["version"]), bool(answer["changed"]))
    try:
        with CarriedRoster(path, lambda done: progress(done, carried.size)) as carried:
            downlink = Downlink(settings, trust(settings).root, requests.Session())
            changed = downlink.take(carried)
            return Taken(downlink.version, changed)
    finally:
        single.close()


@click.command("take")
@settings_option
@click.argument("file", type=click.Path(exists=True, path_type=Path))
def take_command(path: Path, file: Path) -> None:
    """Take up, at a terminal, the roster FILE that `campusgate roster bundle` wrote.

    It is verified as if it came from central over the network. FILE may be a directory that holds central's
    directories metadata and targets.

    \b
    Example:
      campusgate roster take /media/usb/campusgate-42.roster
    """
    settings = load_settings(path)

    def by_daemon(where: str) -> Mapping[str, Any]:
        return ask(settings.socket("sync"), "roster", timeout=WITHIN, path=where)

    with bar("roster", 1) as show:
        taken = take(settings, file, by_daemon, lambda done, size: show(done / size if size else 0))
    told = "is on disk; the terminal opens it within seconds" if taken.changed else "was there already"
    click.echo(f"roster version {taken.version} {told}")
