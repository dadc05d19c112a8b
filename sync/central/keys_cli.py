"""The verbs of `campusgate central` that renew and revoke keys, none of which needs a visit to a terminal."""

from __future__ import annotations

from pathlib import Path

import click

from sync.central.options import site_option
from sync.central.people_cli import opened


@click.command("devices")
@site_option
def list_devices(directory: Path) -> None:
    """List terminals and whether what they send is taken.

    \b
    Example:
      campusgate central devices
    """
    with opened(directory) as store:
        for name, status in store.devices.all().items():
            due = "  new key asked for" if store.devices.rotation_due(name) else ""
            click.echo(f"{name}  {status}{due}")


@click.command()
@site_option
@click.argument("name")
def rotate_device(directory: Path, name: str) -> None:
    """Ask the terminal NAME for a new key; it makes one by itself with its next records.

    \b
    Example:
      campusgate central rotate-device north-gate-1
    """
    with opened(directory) as store:
        store.devices.rotate(name)
    click.echo(f"{name}: asked for a new key; until it uses one, the present key stays good")


@click.command()
@site_option
@click.argument("name")
def revoke_device(directory: Path, name: str) -> None:
    """Take nothing from the terminal NAME any more: it is lost, stolen or scrapped.

    Records that it sent before stay. A terminal in its stead needs a name of its own.

    \b
    Example:
      campusgate central revoke-device north-gate-1
    """
    with opened(directory) as store:
        store.devices.revoke(name)
    click.echo(f"{name}: revoked; its batches and device codes are refused from now on")


@click.command()
@site_option
@click.option("--retire", metavar="KID", help="Make no new key, but publish the old key KID no more.")
def rotate_issuer(directory: Path, retire: str | None) -> None:
    """Sign passes with a new key from now on; those signed before stay good until their key is retired.

    \b
    Example:
      campusgate central rotate-issuer
      campusgate central rotate-issuer --retire 4f0c2d1e9a8b7c65
    """
    from sync.central.site import Site

    site = Site(directory)
    sent = "`campusgate roster publish`, or central by itself, tells the terminals"
    if retire:
        site.issuers.retire(retire)
        click.echo(f"{retire}: retired; passes signed by it are refused once published; {sent}")
        return
    old, new = site.issuers.rotate()
    click.echo(f"{new}: signs passes now, publish before handing any out; {old} stays good; {sent}")


@click.command("issuers")
@site_option
def list_issuers(directory: Path) -> None:
    """List the issuer keys whose passes terminals take, the signing one first.

    \b
    Example:
      campusgate central issuers
    """
    from sync.central.site import Site
    from terminal.codes import key_id

    for number, key in enumerate(Site(directory).issuers.published()):
        click.echo(f"{key_id(key)}  {'earlier' if number else 'signs'}")


@click.command()
@site_option
def maintenance_key(directory: Path) -> None:
    """Make the key that staff log in at terminals by, unless there is one, and print its public half.

    Terminals that are provisioned from `campusgate central trust` from now on take what it signs. The private
    half may be moved away from here, to the laptop where `campusgate answer` uses it.

    \b
    Example:
      campusgate central maintenance-key
      campusgate central trust > trust.json
    """
    from sync.central.site import Site

    site = Site(directory)
    file = site.make_maintenance_key()
    click.echo(site.maintenance_key(), nl=False)
    if file.exists():
        say = "the private half, for `campusgate answer --key`: whoever has it is admin of every terminal"
        click.echo(f"{file}: {say}", err=True)


KEY_COMMANDS = (list_devices, rotate_device, revoke_device, rotate_issuer, list_issuers, maintenance_key)
