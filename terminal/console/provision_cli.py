"""The command `campusgate provision`: a laptop sets up terminals alike, over their maintenance consoles."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from terminal.console.client import ConsoleClient, Greeting
    from terminal.console.provisioning import Outcome, Provisioning
    from terminal.console.site_file import Site
    from terminal.console.site_ledger import SiteLedger

_LOOK_EVERY = 1.0  # seconds between looks for the next terminal


@click.command()
@click.argument("site_file", metavar="SITE.TOML", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--port", help="The serial port that the terminals are plugged into, such as /dev/ttyUSB0.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where keys, passwords and progress go; without: beside SITE.TOML.",
)
@click.option("--name", "only", help="Set up this one, and no other; without: whichever is not done yet.")
@click.option("--once", is_flag=True, help="End after one terminal.")
@click.option("--dry-run", is_flag=True, help="Only check SITE.TOML, without a port, and list its terminals.")
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The school's private maintenance key, to log in with instead of the passwords kept in --out.",
)
@click.option("--as", "staff", help="Who logs in with --key, for the records; without: your user's name.")
def provision(  # noqa: PLR0917 - click passes options by name
    site_file: Path,
    port: str | None,
    out: Path | None,
    only: str | None,
    once: bool,
    dry_run: bool,
    key_file: Path | None,
    staff: str | None,
) -> None:
    """Make the terminals plugged in one after the other what SITE.TOML says, each by its own name.

    A blank machine becomes the next terminal that is not done; one that is set up gets what differs. It may
    be broken off anywhere and run again; where nothing differs nothing is changed.

    \b
    Example:
      campusgate provision --dry-run site.toml
      campusgate provision --port /dev/ttyUSB0 --out handover site.toml
      campusgate central register-all handover      (at central)

    \b
    site.toml:
      trust = "trust.json"            # campusgate central trust > trust.json
      [settings.camera]               # what all have
      width = 1920
      [[terminal]]
      name = "north-gate-1"
      place = "north-gate"
      settings.relay.pin = 22         # what only this one has
    """
    from terminal.console.site_file import read_site
    from terminal.console.site_ledger import SiteLedger

    site = read_site(site_file)
    if only and site.terminal(only) is None:
        names = ", ".join(one.name for one in site.terminals)
        raise click.BadParameter(f"is not in {site_file}; there are {names:.400}", param_hint="--name")
    if dry_run:
        for one in site.terminals:
            settings = ", ".join(f"{key} = {value!r}" for key, value in sorted(one.settings.items()))
            click.echo(f"{one.name}  {one.place}  {settings or 'default settings'}")
        return
    if port is None:
        raise click.UsageError("--port is missing, such as --port /dev/ttyUSB0; --dry-run needs none")
    ledger = SiteLedger(out or site_file.parent)
    from terminal.console.provisioning import Provisioning, Staff

    holder = None
    if key_file:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        from config.keys import load_private

        holder = Staff(staff or getpass.getuser(), load_private(key_file, Ed25519PrivateKey))
    _serve(
        port, site, ledger, Provisioning(site, ledger, holder, click.echo), only=only, once=once or bool(only)
    )


def _serve(
    port: str, site: Site, ledger: SiteLedger, provisioning: Provisioning, *, only: str | None, once: bool
) -> None:
    from config.errors import CampusgateError
    from terminal.console.client_line import LineError

    _show_progress(site, ledger)
    last: str | None = None
    said = ""
    while once or _left(site, ledger):
        try:
            outcome = _one(port, provisioning, only, last)
        except LineError as error:
            if once:
                raise
            if str(error) != said:
                click.echo(f"{error}; waiting", err=True)
            said = str(error)
            time.sleep(_LOOK_EVERY)
            continue
        except (CampusgateError, OSError) as error:
            if once or not sys.stdin.isatty():
                raise
            click.echo(f"campusgate: {error}", err=True)
            click.pause("plug in another, or put that right, and press a key")
            continue
        if outcome is None:
            time.sleep(_LOOK_EVERY)
            continue
        _tell(outcome)
        if once:
            return
        last, said = outcome.name, ""
        if left := _left(site, ledger):
            click.echo(f"{left} of {len(site.terminals)} to go: unplug {last} and plug in the next")
    click.echo(f"all {len(site.terminals)} terminals of {site.path} are done")


def _one(port: str, provisioning: Provisioning, only: str | None, last: str | None) -> Outcome | None:
    """Serve the terminal that is plugged in; None when that is still the last one."""
    from terminal.console.client import ConsoleClient

    console = ConsoleClient(port)
    try:
        greeting = console.synchronise()
        if last is not None and greeting.device == last:
            console.exit()
            return None
        return _served(console, greeting, provisioning, only)
    finally:
        console.close()


def _served(
    console: ConsoleClient, greeting: Greeting, provisioning: Provisioning, only: str | None
) -> Outcome:
    from config.errors import CampusgateError
    from terminal.console.client_line import LineError

    try:
        return provisioning.serve(console, greeting, only)
    except LineError:
        raise
    except (CampusgateError, OSError, KeyboardInterrupt):
        console.exit()  # nobody is to find a session that is logged in
        raise


def _left(site: Site, ledger: SiteLedger) -> int:
    from terminal.console.site_ledger import Progress

    return sum(ledger.progress(one) is not Progress.DONE for one in site.terminals)


def _show_progress(site: Site, ledger: SiteLedger) -> None:
    for one in site.terminals:
        click.echo(f"{one.name:24} {one.place:24} {ledger.progress(one)}")


def _tell(outcome: Outcome) -> None:
    for change in outcome.changes:
        click.echo(f"{outcome.name}: {change}")
    if not outcome.made and not outcome.changes:
        click.echo(f"{outcome.name}: nothing to do")
    else:
        click.echo(f"{outcome.name}: done")
