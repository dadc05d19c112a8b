"""The Melexis MLX90640: an array of 32x24 points over I2C; the face is found in it.

The arithmetic of calibration is that of the package adafruit-circuitpython-mlx90640 (MIT; Adafruit's port of
Melexis' own library), the extra `mlx90640`, loaded only when the settings name this driver. It talks through
our own bus, which works on any /dev/i2c-N and bounds what the package does not: it waits for ever for a
sensor that never gets ready. References are to the Melexis data sheet 3901090640.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import smbus2

from config.settings import Settings
from config.settings_thermal import ThermalSettings
from hw.errors import BusError, DeviceError, ThermalAbsent, ThermalGarbage
from hw.i2c import Bus, OpenBus, absent, ask, open_i2c, transfer
from hw.thermal_face import find_face
from hw.thermal_sampler import ThermalSampler
from hw.thermal_sensor import Sample

ADDRESS = 0x33
ROWS, COLUMNS = 24, 32
SKIN_EMISSIVITY = 0.98
# In open air the part is some 8 degrees warmer than what is around it, and that is what the skin reflects
# (data sheet, section 11.2.2.9, "Tr").
SELF_HEATING = 8.0
_STATUS, _READY = 0x8000, 0x0008
# Half pictures a second. One takes 150 ms on a bus of 100 kHz: at 8 Hz it would be overwritten while it is
# read.
_RATE = 0b011  # 4 Hz
_PATIENCE = 1.5  # seconds for a whole picture, of half a second
_PACE = 0.005  # seconds between two looks at whether the next half is ready
_KNOWN = 0.9  # share of the points that must have a temperature


class PacedBus:
    """An open bus as CircuitPython's drivers want one. They lock it, and poll as fast as they can."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._clock = bus, clock
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        """Let every transfer after `seconds` fail with ETIMEDOUT."""
        self._deadline = self._clock() + seconds

    def try_lock(self) -> bool:
        """Always: one thread alone has this bus, and the kernel keeps transfers whole."""
        return True

    def unlock(self) -> None:
        """Nothing was locked."""

    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: int | None = None) -> None:
        """Write `buffer[start:end]`. Raises: BusError."""
        self._check()
        transfer(self._bus, smbus2.i2c_msg.write(address, list(buffer[start:end])))

    def readfrom_into(
        self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None
    ) -> None:
        """Read into `buffer[start:end]`: only to see who answers, where a write of no bytes is refused."""
        self._check()
        stop = len(buffer) if end is None else end
        answer: Any = smbus2.i2c_msg.read(address, stop - start)
        transfer(self._bus, answer)
        buffer[start:stop] = bytes(list(answer))

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, then read after a repeated start, into `in_buffer[in_start:in_end]`. Raises: BusError."""
        self._check()
        register = bytes(out_buffer[out_start:out_end])
        end = len(in_buffer) if in_end is None else in_end
        in_buffer[in_start:end] = ask(self._bus, address, register, end - in_start)
        polled = register == _STATUS.to_bytes(2, "big")
        if polled and not int.from_bytes(in_buffer[in_start : in_start + 2], "big") & _READY:
            time.sleep(_PACE)

    def close(self) -> None:
        """Let the bus go."""
        self._bus.close()

    def _check(self) -> None:
        if self._clock() > self._deadline:
            error = BusError("MLX90640: answers but never has a picture ready; power it off and on")
            error.errno = errno.ETIMEDOUT
            raise error


class Mlx90640:
    """The array on an open bus; see `hw.thermal_sensor.Sensor`."""

    interval = 0.0
    remarks: tuple[str, ...] = ()

    def __init__(self, settings: ThermalSettings, opener: OpenBus = smbus2.SMBus) -> None:
        package = _package()
        self._min_area = settings.min_area
        address = ADDRESS if settings.address is None else settings.address
        self._bus = PacedBus(open_i2c(settings.bus, opener))
        try:
            self._bus.allow(3 * _PATIENCE)
            self._array = _calibrated(package, self._bus, address)
            self._array.refresh_rate = _RATE
        except DeviceError as error:
            self._bus.close()
            raise absent(error, f"MLX90640 at {address:#04x} on /dev/i2c-{settings.bus}") from error
        except Exception:
            self._bus.close()
            raise

    def sample(self) -> Sample:
        """See `hw.thermal_sensor.Sensor.sample`: the face in the next whole picture."""
        self._bus.allow(_PATIENCE)
        picture, ambient = self._picture()
        face = find_face(picture, self._min_area)
        if face is None:
            return Sample(time.monotonic(), None, ambient)
        return Sample(time.monotonic(), face.surface, ambient, area=face.area)

    def close(self) -> None:
        """Let the bus go."""
        self._bus.close()

    def _picture(self) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
        """Degrees Celsius of every point, NaN where unknown, and of the surroundings.

        The package's own `getFrame` is not used: it takes everything for 0.95 emissive and does not tell the
        ambient temperature. Raises: ThermalGarbage, BusError.
        """
        raw = [0] * 834
        points = [-273.15] * (ROWS * COLUMNS)  # what is not filled in by two halves stays unknown
        try:
            for _ in range(2):
                self._array._GetFrameData(raw)
                around = self._array._GetTa(raw) - SELF_HEATING
                self._array._CalculateTo(raw, SKIN_EMISSIVITY, around, points)
        except (ArithmeticError, ValueError, TypeError, RuntimeError) as error:
            raise ThermalGarbage(f"MLX90640: gave values that make no temperatures ({error})") from error
        picture = np.array(points, dtype=np.float64).reshape(ROWS, COLUMNS)
        picture[~(picture > -100)] = np.nan
        if np.isfinite(picture).mean() < _KNOWN:
            raise ThermalGarbage("MLX90640: gave half a picture; the bus is too slow or busy")
        return picture, float(around)


def _package() -> Any:
    try:
        return import_module("adafruit_mlx90640")
    except ImportError as error:
        raise ThermalAbsent(
            "the driver mlx90640 needs a package that is not installed: pip install 'campusgate[mlx90640]'"
        ) from error


def _calibrated(package: Any, bus: PacedBus, address: int) -> Any:
    """The package's object with the calibration out of the EEPROM. Raises: BusError, ThermalGarbage.

    That memory has no checksum, and a wrong bit in it would falsify every reading until the next start: it is
    read twice and must be the same.
    """
    memories = []
    for _ in range(2):
        # The package keeps these lists for all its objects together, so a sensor that is opened again would
        # have its bad points twice, and soon "more than 4" of them.
        package.MLX90640.brokenPixels, package.MLX90640.outlierPixels = [], []
        try:
            array = package.MLX90640(bus, address)
        except (ArithmeticError, ValueError, RuntimeError) as error:
            if isinstance(error.__context__, DeviceError):  # the package makes a ValueError of it
                raise error.__context__ from error
            raise ThermalGarbage(f"MLX90640: its calibration memory makes no sense ({error})") from error
        memories.append(list(package.eeData))
    if memories[0] != memories[1]:
        raise ThermalGarbage("MLX90640: its calibration memory reads differently twice; shorten the wires")
    return array


class Mlx90640Thermal(ThermalSampler):
    """The driver "mlx90640".

    opener: opens a bus by its number; another one stands in for hardware in tests.
    """

    def __init__(self, settings: Settings, opener: OpenBus = smbus2.SMBus) -> None:
        super().__init__(lambda: Mlx90640(settings.thermal, opener), settings.thermal)
