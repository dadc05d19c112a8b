"""Any thermal module that writes lines to a serial port: what a line looks like is in the settings.

Only whole lines count, and a line only if all of it matches: half of "36.5" is a temperature too. Memory is
bounded whatever comes; nothing is ever sent to the module.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Protocol

import serial

from config.settings import Settings
from config.settings_thermal import ThermalSettings
from hw.errors import ThermalAbsent, ThermalGarbage
from hw.thermal_sampler import ThermalSampler
from hw.thermal_sensor import Sample

LONGEST = 256  # bytes of a line; longer ones are dropped
_PATIENCE = 1.0  # seconds for a line
_WAIT = 0.2  # seconds for a byte

_CELSIUS: dict[str, Callable[[float], float]] = {
    "celsius": lambda value: value,
    "fahrenheit": lambda value: (value - 32) / 1.8,
    "tenths": lambda value: value / 10,
    "hundredths": lambda value: value / 100,
}


class Port(Protocol):
    """What is needed of pyserial's port."""

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class Lines:
    """Whole lines out of bytes as they come. The first piece is dropped: it may be the end of a line."""

    def __init__(self) -> None:
        self._rest = b""
        self._broken = True  # the present line is not whole

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends; both \\n and \\r end one."""
        *ended, rest = data.replace(b"\r", b"\n").split(b"\n")
        lines = []
        for piece in ended:
            line, self._rest = self._rest + piece, b""
            if line and not self._broken and len(line) <= LONGEST:
                lines.append(line)
            self._broken = False
        self._rest += rest
        if len(self._rest) > LONGEST:
            self._rest, self._broken = b"", True
        return lines


def parse_line(line: bytes, pattern: re.Pattern[str], unit: str, at: float) -> Sample:
    """What `line` says, if `pattern` matches all of it but blanks around. Raises: ThermalGarbage."""
    text = line.decode("ascii", "replace").strip()
    match = pattern.fullmatch(text)
    if match is None:
        raise ThermalGarbage(f"thermal.pattern does not match the module's line {text:.60}")
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        numbers = {name: float(value) for name, value in found.items()}
    except ValueError as error:
        raise ThermalGarbage(f"no number in the module's line {text:.60}") from error
    if "celsius" not in numbers or not all(math.isfinite(number) for number in numbers.values()):
        raise ThermalGarbage(f"no temperature in the module's line {text:.60}")
    convert = _CELSIUS[unit]
    return Sample(
        at,
        convert(numbers["celsius"]),
        convert(numbers["ambient"]) if "ambient" in numbers else None,
        round(numbers["distance_mm"]) if "distance_mm" in numbers else None,
    )


def open_port(settings: ThermalSettings) -> Port:
    """The port that the settings name, 8N1. Raises: ThermalAbsent."""
    try:
        # exclusive: two readers would each get half of the bytes.
        return serial.Serial(settings.port, settings.baudrate, timeout=_WAIT, exclusive=True)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise ThermalAbsent(
            f"{settings.port}: cannot be opened: {error}; plug the module in, or set thermal.port"
        ) from error


class SerialModule:
    """The module at `thermal.port`; see `hw.thermal_sensor.Sensor`."""

    interval = 0.0
    remarks: tuple[str, ...] = ()

    def __init__(
        self, settings: ThermalSettings, opener: Callable[[ThermalSettings], Port] = open_port
    ) -> None:
        self._name = settings.port
        self._pattern = re.compile(settings.pattern or "", re.ASCII)
        self._unit = settings.unit
        self._lines = Lines()
        self._port = opener(settings)

    def sample(self) -> Sample:
        """See `hw.thermal_sensor.Sensor.sample`: of the newest line, older ones are dropped."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            lines = self._lines.feed(self._bytes())
            if lines:
                return parse_line(lines[-1], self._pattern, self._unit, time.monotonic())
        raise ThermalGarbage(
            f"{self._name}: no whole line within {_PATIENCE:.0f} s; is thermal.baudrate right?"
        )

    def close(self) -> None:
        """Let the port go."""
        self._port.close()

    def _bytes(self) -> bytes:
        try:
            return self._port.read(min(max(1, self._port.in_waiting), 4096))
        except (OSError, TypeError) as error:  # TypeError: pyserial, of a port closed under it
            raise ThermalAbsent(f"{self._name}: was unplugged ({error})") from error


class SerialThermal(ThermalSampler):
    """The driver "serial". opener: opens the port; another one stands in for hardware in tests."""

    def __init__(self, settings: Settings, opener: Callable[[ThermalSettings], Port] = open_port) -> None:
        super().__init__(lambda: SerialModule(settings.thermal, opener), settings.thermal)
