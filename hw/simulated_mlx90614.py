"""The registers of an MLX90614: RAM, EEPROM, SMBus packets with their checksum.

References are to the Melexis data sheet 3901090614 and the application note 390119061402. Its checksum is
made by a table of its own, so that it proves the driver's rather than repeating it.
"""

from __future__ import annotations

_POLYNOMIAL = 0x07  # CRC-8 of SMBus


def _table() -> bytes:
    """CRC-8 of every byte."""
    table = []
    for byte in range(256):
        rest = byte << 8
        for shift in range(7, -1, -1):
            if rest >> (shift + 8) & 1:
                rest ^= (0x100 | _POLYNOMIAL) << shift
        table.append(rest)
    return bytes(table)


_TABLE = _table()


class SimulatedMlx90614:
    """One sensor. surface, ambient: degrees Celsius that it sees and has. wrong: it flags its measurement.

    address: its 7-bit address, part of every checksum. emissivity: as its EEPROM has it; factory-new 1.0.
    """

    def __init__(
        self, surface: float = 34.0, ambient: float = 22.0, *, address: int = 0x5A, emissivity: float = 0.98
    ) -> None:
        self.surface, self.ambient, self.address = surface, ambient, address
        self.wrong = False
        self.eeprom = [0] * 0x20
        self.eeprom[0x04] = round(emissivity * 65535)  # register 0x24
        self.eeprom[0x0E] = 0xBE00 | address
        self._register = 0

    def write(self, data: bytes) -> None:
        """Take a register's address. Words written to the EEPROM are refused: no driver here may."""
        if len(data) != 1:
            raise AssertionError("a driver wrote to the sensor's EEPROM")
        self._register = data[0]

    def read(self, size: int) -> bytes:
        """Low byte, high byte, checksum; after them nothing drives the line."""
        word = self._word().to_bytes(2, "little")
        crc = 0
        for byte in (self.address << 1, self._register, self.address << 1 | 1, *word):
            crc = _TABLE[crc ^ byte]
        return (word + bytes([crc]))[:size]

    def _word(self) -> int:
        """The word in the register (data sheet, "RAM", "EEPROM", "Flags")."""
        if self._register == 0x06:
            return self._linear(self.ambient)
        if self._register in (0x07, 0x08):
            return self._linear(self.surface)
        if 0x20 <= self._register < 0x40:
            return self.eeprom[self._register - 0x20]
        return 0x0010 if self._register == 0xF0 else 0  # INIT is over

    def _linear(self, celsius: float) -> int:
        """Degrees as a word: 0.02 kelvin a unit, the error flag on top."""
        return round((celsius + 273.15) / 0.02) & 0x7FFF | (0x8000 if self.wrong else 0)
