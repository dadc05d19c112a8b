"""Options that several commands of central share."""

from __future__ import annotations

from pathlib import Path

import click

site_option = click.option(
    "--dir",
    "-d",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("central"),
    show_default=True,
    help="The central's directory.",
)
