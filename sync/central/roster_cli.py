"""The command `campusgate roster`: people at central, and publishing them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sync.central.options import site_option
from sync.central.people_cli import PEOPLE_COMMANDS
from sync.central.reports_cli import REPORT_COMMANDS
from sync.central.root_cli import root
from sync.roster_take import take_command

_QUIET = 2.0  # seconds; what takes longer says how far it is


@click.group()
def roster() -> None:
    """People at central, and the signed roster that terminals get.

    \b
    Example:
      campusgate roster import people.csv
      campusgate roster suspend S20240001
      campusgate roster publish
      campusgate roster bundle --to /media/usb     (for terminals without a network)
    """


for _command in (*PEOPLE_COMMANDS, *REPORT_COMMANDS, root, take_command):
    roster.add_command(_command)


@roster.command("import")
@site_option
@click.argument("people_csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--partial", is_flag=True, help="Take the good lines even when others are bad.")
@click.option("--reinstate", is_flag=True, help="Take revoked people back who are in the file.")
def import_people(directory: Path, people_csv: Path, partial: bool, reinstate: bool) -> None:
    """Add or change people from a CSV file in UTF-8 or GB18030.

    Columns: sub (学号, 工号), name (姓名), kind (类别: student, staff, worker, visitor), and, if wanted,
    status (状态), from, until (生效日期, 失效日期: UTC, both days included), key, groups (班级, 组, 部门: the
    policy's names, several separated by ; or 、 or |). An empty cell leaves what is known as it is. Ends
    with status 1 when a line was bad.

    \b
    Example:
      campusgate roster import people.csv
      sub,name,kind,until,groups
      S20240001,张伟,student,2028-07-31,cs-2024-1;chess-club
    """
    from config.errors import SettingsError
    from sync.central.people_csv import read_people
    from sync.central.site import Site
    from sync.central.store import Store

    url = Site(directory).database_url
    read = read_people(people_csv, _Progress())
    if read.problems and not partial:
        what = "nothing is taken; --partial takes the good lines"
        raise SettingsError([*read.problems, f"{people_csv}: {len(read.problems)} bad lines: {what}"])
    store = Store(url)
    try:
        taken = store.roster.take_in(read.entries, reinstate=reinstate)
    finally:
        store.close()
    click.echo(
        f"{len(read.entries)} people taken in from {read.encoding}: {taken.new} new, "
        f"{taken.changed} changed, {taken.unchanged} as they were; "
        "`campusgate roster publish` sends them to the terminals"
    )
    if read.unread:
        click.echo(f"columns that mean nothing here were left out: {', '.join(read.unread)}")
    for what, still, how in (
        ("revoked", taken.still_revoked, "--reinstate takes them back"),
        ("isolated", taken.still_isolated, "`campusgate roster resume` lets them in again"),
    ):
        if still:
            some = ", ".join(still[:10]) + (", ..." if len(still) > 10 else "")
            click.echo(f"{len(still)} stay {what} ({some}); {how}")
    if read.problems:
        click.echo("\n".join(read.problems), err=True)
        click.echo(f"campusgate: {people_csv}: {len(read.problems)} bad lines were left out", err=True)
        sys.exit(1)


@roster.command()
@site_option
def publish(directory: Path) -> None:
    """Sign people and policy and put them where terminals fetch them.

    `campusgate central run` does so by itself; this does it now.

    \b
    Example:
      campusgate roster publish --dir central
    """
    from sync.central.site import Site
    from sync.central.store import Store

    site = Site(directory)
    store = Store(site.database_url)
    try:
        version = site.publish(store)
    finally:
        store.close()
    for warning in site.policy_file().warnings:
        click.echo(warning, err=True)
    click.echo(f"version {version} is published")


@roster.command()
@site_option
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    help="The stick's directory, or a file that ends in .roster.",
)
def bundle(directory: Path, to: Path) -> None:
    """Write what is published now into one file, to be carried to terminals that have no network.

    It is signed as it is and holds no secret: every terminal verifies it as if it came over the network.

    \b
    Example:
      campusgate roster bundle --to /media/usb
      campusgate roster take /media/usb/campusgate-42.roster          (at the terminal)
    """
    from sync.bar import bar
    from sync.central.roster_bundle import write_bundle

    with bar("files", 1) as show:
        done = write_bundle(directory / "tuf", to, lambda files, of: show(files / of))
    click.echo(f"{done.path}: roster version {done.version}, {done.files} files, {done.size} bytes")


class _Progress:
    """Says on stderr how far a long import is; a short one says nothing."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET

    def __call__(self, line: int) -> None:
        if time.monotonic() >= self._next:
            self._next += _QUIET
            click.echo(f"read up to line {line:,}", err=True)
