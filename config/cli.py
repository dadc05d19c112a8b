"""The command `campusgate`: finds its subcommands by entry point, so that each package brings its own.

A command's module imports what is heavy only when the command runs: `campusgate --help` stays fast on a Pi.
"""

from __future__ import annotations

import logging
import sys
from importlib.metadata import entry_points

import click

from config import VERSION
from config.errors import CampusgateError

_GROUP = "campusgate.commands"


class _Commands(click.Group):
    """Subcommands from the entry points of the group `campusgate.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(entry_points(group=_GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        found = entry_points(group=_GROUP, name=cmd_name)
        for entry in found:
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="campusgate")
def campusgate() -> None:
    """A campus gate terminal: reads campus codes, opens the gate, never loses a record.

    \b
    Example:
      campusgate demo --scans 60      the whole chain on this machine, with simulated hardware
      campusgate doctor               what this machine has, and what to do about what it lacks
    """


def main() -> None:
    """Run the command; an error of ours is one clear message and exit status 1, not a traceback."""
    try:
        campusgate()
    except (CampusgateError, OSError) as error:
        if logging.getLogger().handlers:  # a process that keeps what it logs is to keep why it ended
            logging.getLogger("campusgate").critical("%s", error)
        else:
            click.echo(f"campusgate: {error}", err=True)
        sys.exit(1)
