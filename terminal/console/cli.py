"""The command `campusgate console`."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from types import FrameType

import click

from config.options import settings_option

_USUAL = ("/dev/ttyGS0", "/dev/serial0", "/dev/ttyAMA0", "/dev/ttyUSB0")


@click.command()
@settings_option
@click.option(
    "--port", help="Serial port to serve; auto: console.port of the settings, else the first there is."
)
@click.option("--baud", type=click.IntRange(300, 4_000_000), help="Its speed, if not console.baud (115200).")
@click.option("--json", "as_json", is_flag=True, help="JSON lines for a tool, from the start.")
def console(path: Path, port: str | None, baud: int | None, as_json: bool) -> None:
    """The maintenance console: on a serial port for as long as it is there, or without --port here, once.

    Needs neither the terminal nor the sync daemon to run. On the laptop: picocom -b 115200 /dev/ttyUSB0

    \b
    Example:
      campusgate console --port auto          (a service: serves whoever plugs in)
      campusgate console                      (on the machine itself)
    """
    from hw.serial_line import Line, OwnLine, SerialLine
    from terminal.console.catalogue import Catalogue
    from terminal.console.command import installed
    from terminal.console.server import Console
    from terminal.console.staff import Station

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if port is None:
        # What it has to say to a log would stand between what it says to the person.
        logging.getLogger().setLevel(logging.CRITICAL)

    def open_line() -> Line:
        if port is None:
            return OwnLine()
        chosen, speed = _port(path, port)
        return SerialLine(chosen, baud or speed)

    station = Station(path, Catalogue(tuple(installed())), port or "here")
    server = Console(station, open_line, as_json=as_json, once=port is None)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run()


def _port(path: Path, port: str) -> tuple[str, int]:
    """The port and its speed. Raises: LineLost when there is none."""
    from config.errors import SettingsError
    from config.settings import load_settings
    from hw.serial_line import LineLost

    set_port, speed = None, 115_200
    try:
        settings = load_settings(path).console
        set_port, speed = settings.port, settings.baud
    except SettingsError:
        pass  # not provisioned, or broken: that is what a console is for
    if port != "auto":
        return port, speed
    found = set_port or next((usual for usual in _USUAL if Path(usual).exists()), None)
    if found is None:
        raise LineLost(f"no serial port: none of {', '.join(_USUAL)}; set console.port or give --port")
    return found, speed
