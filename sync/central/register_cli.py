"""The verbs `campusgate central register` and `register-all`: whose records central takes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.central.options import site_option
from sync.central.people_cli import opened

if TYPE_CHECKING:
    from sync.central.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_replace = click.option("--replace", is_flag=True, help="Also where a terminal of that name has another key.")


@click.command()
@site_option
@click.argument("name")
@click.argument("public_key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_replace
def register(directory: Path, name: str, public_key: Path, replace: bool) -> None:
    """Take records from the terminal NAME, whose PUBLIC_KEY `campusgate terminal init` printed.

    Run again, it changes nothing.

    \b
    Example:
      campusgate central register north-gate-1 north-gate-1.pem --dir central
    """
    with opened(directory) as store:
        click.echo(_register(store, name, public_key, replace=replace))


@click.command()
@site_option
@click.argument("keys", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_replace
def register_all(directory: Path, keys: Path, replace: bool) -> None:
    """Take records from every terminal whose public key is in DIR as NAME.pem (`campusgate provision`).

    Run again, it changes nothing. A file that is refused keeps no other from being taken.

    \b
    Example:
      campusgate central register-all handover
    """
    from config.errors import CampusgateError
    from sync.bar import bar

    files = sorted(keys.glob("*.pem"))
    if not files:
        raise click.BadParameter("there is no NAME.pem in it", param_hint="DIR")
    refused = 0
    with opened(directory) as store, bar("registering", len(files)) as show:
        for number, file in enumerate(files, 1):
            try:
                click.echo(_register(store, file.stem, file, replace=replace))
            except CampusgateError as error:
                refused += 1
                click.echo(f"{file}: {error}", err=True)
            show(number)
    if refused:
        click.echo(f"{refused} of {len(files)} were refused", err=True)
        sys.exit(1)


def _register(store: Store, name: str, file: Path, *, replace: bool) -> str:
    """Take the key in `file` for `name`; what was done, in words. Raises: DeviceError, KeyFileError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from config.keys import load_public, public_pem
    from sync.central.devices import DeviceError

    if not _NAME.fullmatch(name):
        raise DeviceError(f"{name!r:.70} is no name of a terminal: lower-case letters, digits and - only")
    pem = public_pem(load_public(file, Ed25519PublicKey))
    known = [public_pem(key) for key in store.devices.trusted_keys(name)]
    if pem in known:
        return f"{name}: is registered already"
    if known and not replace:
        raise DeviceError(
            f"another key is registered as {name}: a new machine gets its own name; --replace takes this "
            "key all the same"
        )
    store.register(name, pem)
    return f"{name}: registered"
