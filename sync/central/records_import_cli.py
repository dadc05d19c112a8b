"""The command `campusgate central import`: records that came on a stick, and the receipts to bring back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.central.options import site_option

if TYPE_CHECKING:
    from sync.central.records_import import Imported


@click.command("import")
@site_option
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--receipt-to",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the receipts go; by default beside each file.",
)
def import_command(directory: Path, files: tuple[Path, ...], receipt_to: Path | None) -> None:
    """Take the records in each FILE, which `campusgate records export` wrote, and write receipts for them.

    Importing twice, or what came over the network too, changes nothing. Files are taken in the order given:
    those of one terminal by their numbers. Exit status 0 when all of every file was taken, 1 otherwise.

    \b
    Example:
      campusgate central import /media/usb/campusgate-*.records
      campusgate records receipt /media/usb/campusgate-north-gate-1.receipt      (at the terminal)
    """
    from sync.bar import bar
    from sync.central.records_import import ImportRefused, import_records, write_receipt
    from sync.central.site import Site
    from sync.central.store import Store

    site = Site(directory)
    store = Store(site.database_url)
    failed = False
    receipts: dict[Path, Imported] = {}
    try:
        for file in files:
            try:
                with bar(file.name, file.stat().st_size) as progress:
                    done = import_records(store, file, progress=progress)
            except ImportRefused as refused:
                click.echo(str(refused), err=True)
                failed = True
                continue
            click.echo(
                f"{file}: {done.new} new, {done.known} known, {done.refused} refused, {done.alarms} alarms"
            )
            if done.fault:
                click.echo(f"{file}: {done.fault}", err=True)
            failed |= bool(done.fault or done.refused or done.alarms)
            where = receipt_to or file.parent
            try:
                receipts[write_receipt(site, done, where)] = done
            except OSError as error:  # a stick that is full or write-protected keeps no file from being taken
                click.echo(
                    f"{where}: cannot take the receipt ({error.strerror}); the records are taken, so run this"
                    " again with --receipt-to another directory",
                    err=True,
                )
                failed = True
        for path, done in receipts.items():
            click.echo(f"{path}: central has all records of {done.device} up to {done.through}")
    except KeyboardInterrupt:
        click.echo("stopped; what was taken is kept, run it again to go on", err=True)
        sys.exit(130)
    finally:
        store.close()
    sys.exit(1 if failed else 0)
