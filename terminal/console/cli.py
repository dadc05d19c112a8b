"""The command `campusgate console`."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from config.options import settings_option

if TYPE_CHECKING:
    from config.settings import Settings

_USUAL = ("/dev/ttyGS0", "/dev/serial0", "/dev/ttyAMA0", "/dev/ttyUSB0")


@click.command()
@settings_option
@click.option(
    "--port", help="Serial port to serve; auto: console.port of the settings, or the first there is."
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
    from hw.serial_line import Line, OwnLine, SerialLine, StandIn
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
        chosen, speed, missed = _port(station.settings, port)
        return StandIn(chosen, baud or speed, missed) if missed else SerialLine(chosen, baud or speed)

    station = Station(path, Catalogue(tuple(installed())), port or "here")
    server = Console(station, open_line, as_json=as_json, once=port is None)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run()


def _port(settings: Callable[[], Settings], port: str) -> tuple[str, int, Path | None]:
    """The port, its speed, and console.port where that is not there and another stands in for it.

    A mistake in console.port, or an adapter that broke, is to be mended by the console. No port is taken that
    the thermal sensor is on. Raises: LineLost when there is none.
    """
    from config.errors import SettingsError
    from hw.serial_line import LineLost

    set_port, speed, taken = None, 115_200, None
    with suppress(SettingsError):  # not provisioned, or broken: that is what a console is for
        found = settings()
        set_port, speed = found.console.port, found.console.baud
        taken = found.thermal.port if found.thermal.driver == "serial" else None
    if port != "auto":
        return port, speed, None
    if set_port and Path(set_port).exists():
        return set_port, speed, None
    for usual in _USUAL:
        if Path(usual).exists() and not (taken and Path(usual).resolve() == Path(taken).resolve()):
            return usual, speed, Path(set_port) if set_port else None
    wanted = ", ".join([*([set_port] if set_port else []), *_USUAL])
    raise LineLost(f"no serial port: none of {wanted}; set console.port or give --port")
