"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from config.settings import DEFAULT_PATH

settings_option = click.option(
    "--settings",
    "-s",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    help="The settings file.",
)
