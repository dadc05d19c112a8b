"""The command `campusgate records`: records to central, and its receipts back, on a stick."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from config.options import settings_option
from config.settings import load_settings


@click.group()
def records() -> None:
    """Carry records to central on a USB stick, where there is no network.

    \b
    Example:
      campusgate records export --to /media/usb
      campusgate central import /media/usb/campusgate-*.records          (at central)
      campusgate records receipt /media/usb/campusgate-north-gate-1.receipt
    """


@records.command("export")
@settings_option
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    help="The stick's directory, or one file on it that ends in .records.",
)
@click.option(
    "--after",
    type=click.IntRange(0),
    metavar="SEQUENCE",
    help="Begin after this record, when those before it are on another stick.",
)
def export_records(path: Path, to: Path, after: int | None) -> None:
    """Write the records that central lacks to a stick: sealed, signed, and gone on with if cut off.

    May run while the terminal and the sync daemon do. Run it again after anything that stopped it.

    \b
    Example:
      campusgate records export --to /media/usb
      campusgate records export --to /media/second --after 51234      (the first stick was full)
    """
    from sync.export import Stick
    from terminal.journal import JournalReader
    from terminal.provision import device_key
    from terminal.receipt import Receipt

    settings = load_settings(path)
    journal, receipt = JournalReader(settings.journal), Receipt.load(settings.receipt)
    stick = Stick(to, device=settings.device.name, key=device_key(settings), journal=journal)
    begin, newest = receipt.through if after is None else after, journal.newest()
    reached = begin

    try:
        with _progress(begin, newest) as show:

            def progress(through: int) -> None:
                nonlocal reached
                reached = through
                show(through)

            done = stick.export(receipt, after=after, progress=progress)
    except KeyboardInterrupt:
        click.echo(f"stopped after record {reached}; run it again to go on", err=True)
        raise SystemExit(130) from None
    if not newest:
        click.echo(f"{settings.journal}: there is no record in it; has the terminal run here?")
    elif not done.files:
        click.echo(f"nothing new: all records up to {done.through} are on the stick or at central")
    for file in done.files:
        click.echo(f"{file}: complete")
    if done.files:
        click.echo(f"{done.records} records written, up to {done.through}; the stick may be taken out")


@records.command()
@settings_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def receipt(path: Path, file: Path) -> None:
    """Take up central's receipt FILE, which `campusgate central import` wrote.

    \b
    Example:
      campusgate records receipt /media/usb/campusgate-north-gate-1.receipt
    """
    from config.control import ask
    from sync.carried import read_token, take_up

    settings, token = load_settings(path), read_token(file)

    def by_daemon(text: str) -> Mapping[str, Any]:
        return ask(settings.socket("sync"), "receipt", timeout=60.0, token=text)

    click.echo(f"central has all records up to {take_up(settings, token, by_daemon)}")


@records.command()
@settings_option
def status(path: Path) -> None:
    """How many records there are and how many central is known to have, as JSON. Needs no daemon.

    \b
    Example:
      campusgate records status
    """
    from terminal.journal import JournalReader
    from terminal.receipt import Receipt

    settings = load_settings(path)
    newest, known = JournalReader(settings.journal).newest(), Receipt.load(settings.receipt)
    document = {"device": settings.device.name, "newest": newest, "through": known.through}
    click.echo(json.dumps(document | {"waiting": known.lacking(newest)}))


@contextmanager
def _progress(begin: int, newest: int) -> Iterator[Callable[[int], None]]:
    from sync.bar import bar

    with bar("records", newest - begin) as show:
        yield lambda through: show(through - begin)
