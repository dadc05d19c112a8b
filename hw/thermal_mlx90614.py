"""The Melexis MLX90614: one spot, over SMBus, every word with its checksum.

It sees the mean of whatever fills its view (90 degrees wide in the standard part, 35 to 5 in others), so a
face must be near or the view narrow. Nothing is ever written to it: its EEPROM holds the factory's
calibration. References are to the Melexis data sheet 3901090614 and the application note 390119061402, "SMBus
communication with MLX90614".
"""

from __future__ import annotations

import time

import smbus2

from config.settings import Settings
from config.settings_thermal import ThermalSettings
from hw.errors import BusError, DeviceError, ThermalGarbage
from hw.i2c import Bus, OpenBus, absent, ask, open_i2c
from hw.thermal_sampler import ThermalSampler
from hw.thermal_sensor import Sample

ADDRESS = 0x5A
AMBIENT, OBJECT = 0x06, 0x07  # RAM: linearised temperatures
EMISSIVITY = 0x24  # EEPROM
SKIN_EMISSIVITY = 0.98
_COLDEST = 0x27AD  # -70.01 degrees Celsius, the lowest of the range (application note, section on RAM)
_NEAR = 0.006  # how far off the emissivity may be: under 0.1 degree at 22 degrees around
_INTERVAL = 0.1  # seconds; the sensor renews its values about as often with the factory's filters


def pec(data: bytes) -> int:
    """The packet error code of SMBus: CRC-8 with polynomial x^8 + x^2 + x + 1 (SMBus 2.0, section 5.4)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x107 if crc & 0x80 else 0)
    return crc


def celsius(word: int) -> float:
    """A word of RAM as degrees Celsius: 0.02 kelvin a unit.

    Raises: ThermalGarbage when bit 15 is set, or for less than the part can measure: what is there after
    power-up.
    """
    if word & 0x8000:
        raise ThermalGarbage("MLX90614: flags its own measurement as wrong; power it off and on")
    if word < _COLDEST:
        raise ThermalGarbage("MLX90614: has not measured yet; if it goes on, power it off and on")
    return word * 0.02 - 273.15


class Mlx90614:
    """The sensor on an open bus; see `hw.thermal_sensor.Sensor`."""

    interval = _INTERVAL

    def __init__(self, settings: ThermalSettings, opener: OpenBus = smbus2.SMBus) -> None:
        self._address = ADDRESS if settings.address is None else settings.address
        self._bus: Bus = open_i2c(settings.bus, opener)
        try:
            emissivity = self._word(EMISSIVITY) / 65535
        except DeviceError as error:
            self._bus.close()
            raise absent(error, f"MLX90614 at {self._address:#04x} on /dev/i2c-{settings.bus}") from error
        self.remarks = tuple(_odd(emissivity))

    def sample(self) -> Sample:
        """See `hw.thermal_sensor.Sensor.sample`."""
        ambient = celsius(self._word(AMBIENT))
        surface = celsius(self._word(OBJECT))
        return Sample(time.monotonic(), surface, ambient)

    def close(self) -> None:
        """Let the bus go."""
        self._bus.close()

    def _word(self, register: int) -> int:
        """One word ("Read Word" of SMBus: low byte, high byte, PEC). Raises: BusError."""
        data = ask(self._bus, self._address, bytes([register]), 3)
        # The checksum covers the whole transfer with both addresses, so an answer to another question fails
        # too.
        if pec(bytes([self._address << 1, register, self._address << 1 | 1]) + data) != 0:
            raise BusError("I2C: checksum (PEC) is wrong; keep the wires short and away from motors")
        return int.from_bytes(data[:2], "little")


def _odd(emissivity: float) -> list[str]:
    if abs(emissivity - SKIN_EMISSIVITY) <= _NEAR:
        return []
    # At 34 degrees of skin and 22 around, each hundredth of emissivity moves the reading by 0.12 degrees.
    shift = (SKIN_EMISSIVITY - emissivity) * 12
    return [
        f"the sensor's emissivity is {emissivity:.2f}, that of skin {SKIN_EMISSIVITY}: it reads some"
        f" {abs(shift):.1f} degrees {'high' if shift > 0 else 'low'};"
        " set thermal.offset by a trusted thermometer"
    ]


class Mlx90614Thermal(ThermalSampler):
    """The driver "mlx90614".

    opener: opens a bus by its number; another one stands in for hardware in tests.
    """

    def __init__(self, settings: Settings, opener: OpenBus = smbus2.SMBus) -> None:
        super().__init__(lambda: Mlx90614(settings.thermal, opener), settings.thermal)
