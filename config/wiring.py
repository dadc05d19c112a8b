"""What cannot be wired together on a Raspberry Pi: two parts on one pin, or on a bus that another uses.

Pins are those of the 40-pin header by GPIO number (BCM), with the functions that they have there: I2C 0 on 0
and 1, I2C 1 on 2 and 3, the UART on 14 and 15 (https://pinout.xyz).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings

_I2C_PINS = {0: (0, 1), 1: (2, 3)}
_UART_PINS = (14, 15)
_UART = ("/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0")  # names of one line: the Pi's own


def conflicts(settings: Settings) -> Iterator[str]:
    """What in `settings` cannot go together, a sentence each."""
    pins = _pins(settings)
    for (key, pin), (other, same) in combinations(pins.items(), 2):
        if pin == same:
            yield f"{key} and {other} are both {pin}; each needs its own"
    thermal = settings.thermal
    if thermal.driver in ("mlx90614", "mlx90640"):
        for key, pin in pins.items():
            if pin in _I2C_PINS.get(thermal.bus, ()):
                yield f"{key} is {pin}, which thermal.bus {thermal.bus} (I2C) uses; take another pin"
    ports = _ports(settings)
    for key, port in ports.items():
        for pin_key, pin in pins.items():
            if port in _UART and pin in _UART_PINS:
                yield f"{pin_key} is {pin}, which {key} {port} (UART) uses; take another pin"
    if len(ports) == 2 and (len(set(ports.values())) == 1 or set(ports.values()) <= set(_UART)):
        yield f"thermal.port and console.port are one line, {ports['console.port']}; each needs its own"


def _pins(settings: Settings) -> dict[str, int]:
    found = {
        "relay.pin": settings.relay.pin,
        "inputs.tamper": settings.inputs.tamper,
        "indicators.green": settings.indicators.green,
        "indicators.red": settings.indicators.red,
        "indicators.buzzer": settings.indicators.buzzer,
    }
    return {key: pin for key, pin in found.items() if pin is not None}


def _ports(settings: Settings) -> dict[str, str]:
    """The serial ports in use, as they are written; links are not followed, so that no machine is asked."""
    found = {
        "thermal.port": settings.thermal.port if settings.thermal.driver == "serial" else None,
        "console.port": settings.console.port,
    }
    return {key: posixpath.normpath(port) for key, port in found.items() if port is not None}
