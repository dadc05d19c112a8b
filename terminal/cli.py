"""The commands `campusgate terminal` and `campusgate scan`."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import click

from config.options import settings_option
from config.settings import load_settings


@click.group()
def terminal() -> None:
    """The gate terminal on this machine.

    \b
    Example:
      campusgate terminal init --name north-gate-1 --place north-gate --trust trust.json
      campusgate terminal run
      campusgate terminal status
    """


@terminal.command()
@settings_option
@click.option("--name", required=True, help="The terminal's name at central, such as north-gate-1.")
@click.option("--place", required=True, help="The policy's name of the place, such as north-gate.")
@click.option(
    "--trust",
    "trust_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What central hands out: its URL, root of trust and record key (`campusgate central trust`).",
)
@click.option("--state", help="Directory of journal, keys and roster, if not /var/lib/campusgate.")
def init(path: Path, name: str, place: str, trust_file: Path, state: str | None) -> None:
    """Make this machine a terminal: settings, keys, trust. Prints the public key for central.

    The password for maintenance is shown once, on standard error, and by nothing again. If it is lost, remove
    keys/maintenance.json in the state directory and run this again, which makes a new one.

    \b
    Example:
      campusgate terminal init --name north-gate-1 --place north-gate --trust trust.json > north-gate-1.pem
      campusgate central register north-gate-1 north-gate-1.pem      (at central)
    """
    from terminal.console.setup_draft import SetupDraft
    from terminal.install import install

    SetupDraft(path).abandon()
    extra = f"\n[storage]\nstate = {json.dumps(state)}\nrun = {json.dumps(state)}\n" if state else ""
    made = install(path, name=name, place=place, trust_file=trust_file, extra=extra)
    click.echo(made.public_key, nl=False)
    click.echo(f"{path}: this machine is now {name}; register the key above at central", err=True)
    if made.password:
        click.echo(f"console login: {made.account}  password: {made.password}  (shown this once)", err=True)


@terminal.command()
@settings_option
def run(path: Path) -> None:
    """Serve people at the gate until stopped.

    \b
    Example:
      campusgate terminal run --settings /etc/campusgate/campusgate.toml
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from config.process_ops import begin_anew_if
    from terminal.app import Terminal
    from terminal.console.reverting import reverting

    with reverting(path, "terminal"):  # before they are loaded: they may be what keeps it from starting
        app = Terminal(load_settings(path))

        def stop(_number: int, _frame: FrameType | None) -> None:
            app.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        app.run()
    begin_anew_if(lambda: app.restart)


@terminal.command()
@settings_option
def status(path: Path) -> None:
    """What the running terminal says of itself, as JSON.

    \b
    Example:
      campusgate terminal status
    """
    from config.control import ask

    answer = ask(load_settings(path).socket("terminal"), "status")
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


@terminal.command("settings")
@click.option("--markdown", "as_markdown", is_flag=True, help="As a document (config/SETTINGS.md).")
def show_settings(as_markdown: bool) -> None:
    """Print a settings file with every key, its default and what is allowed.

    \b
    Example:
      campusgate terminal settings | less
    """
    from config.reference import markdown, reference

    click.echo(markdown() if as_markdown else reference(), nl=False)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def scan(paths: tuple[Path, ...], as_json: bool) -> None:
    """Read the codes in pictures, as the terminal would. A directory stands for the pictures in it.

    Exit status 0 when there was a picture and every file was one, 1 otherwise.

    \b
    Example:
      campusgate scan photo.jpg --json
      {"file": "photo.jpg", "texts": ["CC1:..."], "ms": 3.1}
    """
    failed = not any(path.is_file() or _pictures((path,)) for path in paths)
    pictures = _pictures(paths)
    if not pictures:
        click.echo(f"no pictures in {', '.join(map(str, paths))}", err=True)
    for path in pictures:
        result = _scanned(path)
        failed |= "error" in result
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False))
        elif "error" in result:
            click.echo(result["error"], err=True)
        else:
            texts = " ".join(json.dumps(text, ensure_ascii=False) for text in result["texts"]) or "(no code)"
            click.echo(f"{path}: {texts}  [{result['ms']} ms]")
    sys.exit(1 if failed else 0)


def _pictures(paths: tuple[Path, ...]) -> list[Path]:
    from hw.camera_files import may_be_picture

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(filter(may_be_picture, path.rglob("*")))
        else:
            found.append(path)
    return found


def _scanned(path: Path) -> dict[str, Any]:
    from hw.camera_files import read_picture
    from hw.errors import DeviceError
    from hw.frame import Frame
    from terminal.scanner import SMALLEST
    from terminal.scanner import read_picture as read_codes

    try:
        image = read_picture(path)
    except DeviceError as error:
        return {"file": str(path), "texts": [], "ms": 0.0, "error": str(error)}
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        small = f"{path}: has {width}x{height} pixels, too few for a code"
        return {"file": str(path), "texts": [], "ms": 0.0, "error": small}
    start = time.perf_counter()
    texts = read_codes(Frame(image, time.monotonic(), 0))
    milliseconds = round((time.perf_counter() - start) * 1000, 2)
    return {"file": str(path), "texts": texts, "ms": milliseconds}
