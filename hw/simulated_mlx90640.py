"""The registers of an MLX90640: calibration memory, RAM with its two subpages, status and control.

A scene in degrees goes in; what comes out are the words of RAM that a real part with this calibration would
hold, by the data sheet 3901090640, section 11 ("Calculating object temperature") turned round. The
calibration is that of the data sheet's own worked example (section 11.2), with a pattern over the points so
that no two neighbours are alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS, COLUMNS = 24, 32
_EEPROM, _RAM, _STATUS, _CONTROL = 0x2400, 0x0400, 0x8000, 0x800D
_KELVIN = 273.15

# Data sheet, table of the worked example: scales, references, supply, gain, compensation point, slopes.
_EXAMPLE = {
    0x2410: 0x4210, 0x2411: 0xFFBB, 0x2420: 0x79A6, 0x2421: 0x2F44, 0x2430: 0x18EF, 0x2431: 0x2FF1,
    0x2432: 0x5952, 0x2433: 0x9D68, 0x2434: 0x5454, 0x2435: 0x0994, 0x2436: 0x6956, 0x2437: 0x5354,
    0x2438: 0x2363, 0x2439: 0xE446, 0x243A: 0xFBB5, 0x243B: 0x044B, 0x243C: 0xF020, 0x243D: 0x9797,
    0x243E: 0x9797, 0x243F: 0x2889,
}  # fmt: skip
# What these words mean.
_GAIN, _PTAT25, _KT_PTAT, _ALPHA_PTAT, _VDD25 = 6383, 12273, 338 / 8, 9.0, -13056
_PTAT = 1711  # a usual value of that register
_TGC, _KS_TA, _KS_TO = 1.0, -16 / 8192, -105 / 2**17
_CP_ALPHA = (70 / 2**34, 70 / 2**34 * (1 - 7 / 128))
_CP_OFFSET, _CP_KTA = (-75, -77), 75 / 2**14


class SimulatedMlx90640:
    """One array.

    scene: degrees Celsius, 24x32, which it sees with a skin's emissivity. ambient: of its surroundings.
    frozen: it measures nothing more, and is never ready. clock: monotonic seconds.
    """

    emissivity = 0.98

    def __init__(self, ambient: float = 22.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ambient, self.frozen, self._clock = ambient, False, clock
        self.scene = np.full((ROWS, COLUMNS), ambient)
        self.memory = dict(_EXAMPLE) | {_STATUS: 0x0000, _CONTROL: 0x1901}  # chess pattern, 2 Hz, 18 bits
        for row in range(ROWS):
            for column in range(COLUMNS):
                # Offset, sensitivity and temperature coefficient of each point; never 0, which means broken.
                offset, alpha, kta = (row * 5 + column * 3) % 11 - 5, (row * 7 + column * 11) % 13 - 6, 1
                word = (offset & 0x3F) << 10 | (alpha & 0x3F) << 4 | kta << 1
                self.memory[_EEPROM + 0x40 + row * COLUMNS + column] = word
        self._register, self._next, self._subpage = 0, self._clock(), 1

    def face(self, surface: float, *, rows: slice = slice(6, 18), columns: slice = slice(11, 21)) -> None:
        """Put a face of even temperature before an even background."""
        self.scene = np.full((ROWS, COLUMNS), self.ambient)
        self.scene[rows, columns] = surface

    def write(self, data: bytes) -> None:
        """Take the address of a register, and the word for it if there is one."""
        self._register = int.from_bytes(data[:2], "big")
        if len(data) == 4:
            if self._register not in (_STATUS, _CONTROL):
                raise AssertionError(f"a driver wrote to {self._register:#06x}")
            word = int.from_bytes(data[2:], "big")
            if self._register == _STATUS:  # the number of the subpage cannot be written (section 10.6.1)
                word = word & ~0x0007 | self.memory[_STATUS] & 0x0007
            self.memory[self._register] = word

    def read(self, size: int) -> bytes:
        """The words from the register on, high byte first."""
        self._measure()
        words = [self.memory.get(self._register + index, 0) for index in range(size // 2)]
        return b"".join(word.to_bytes(2, "big") for word in words)

    def _measure(self) -> None:
        """Measure the next half of the picture if its time has come (section 11.1, "Data ready")."""
        now = self._clock()
        if self.frozen or now < self._next or self.memory[_STATUS] & 0x0008:
            return
        rate = 2.0 ** ((self.memory[_CONTROL] >> 7 & 0x7) - 1)
        self._next = max(self._next + 1 / rate, now)
        self._subpage ^= 1
        self._fill(self._subpage)
        self.memory[_STATUS] = self.memory[_STATUS] & ~0x0007 | 0x0008 | self._subpage

    def _fill(self, subpage: int) -> None:
        """Write the RAM of one subpage: what section 11.2.2 reads, backwards, with VDD at 3.3 V."""
        ta = self.ambient + 8.0  # the part is warmer than what is around it
        target = (ta - 25) * _KT_PTAT + _PTAT25
        self._store(0x0720, _PTAT)
        self._store(0x0700, _PTAT * 2**18 / target - _PTAT * _ALPHA_PTAT)  # VBE
        self._store(0x070A, _GAIN)
        self._store(0x072A, _VDD25)
        drift = 1 + _CP_KTA * (ta - 25)
        self._store(0x0708, _CP_OFFSET[0] * drift)  # the compensation point sees nothing
        self._store(0x0728, _CP_OFFSET[1] * drift)
        row, column = np.indices((ROWS, COLUMNS))
        shown = (row + column) % 2 == subpage
        raw = self._raw(ta)
        for index in np.flatnonzero(shown):
            self._store(_RAM + int(index), float(raw.flat[index]))

    def _raw(self, ta: float) -> Any:
        """What each point's converter gives for the scene."""
        words = np.array([self.memory[_EEPROM + 0x40 + index] for index in range(ROWS * COLUMNS)])
        words = words.reshape(ROWS, COLUMNS)
        row, column = np.indices((ROWS, COLUMNS))
        # The row and column corrections of this part are zero; scales are those in 0x2410, 0x2420 and 0x2438.
        alpha = (_signed(words >> 4 & 0x3F, 6) * 2**6 + 0x2F44) / 2**37
        alpha = alpha - _TGC * sum(_CP_ALPHA) / 2
        offset = _signed(words >> 10 & 0x3F, 6) - 69
        parity = np.array([[0x69, 0x53], [0x56, 0x54]])  # Kta by odd and even rows and columns
        kta = (_signed(words >> 1 & 0x7, 3) * 2**3 + parity[row % 2, column % 2]) / 2**14
        kelvin4 = (self.scene + _KELVIN) ** 4
        reflected4, sensor4 = (self.ambient + _KELVIN) ** 4, (ta + _KELVIN) ** 4
        mixed4 = reflected4 - (reflected4 - sensor4) / self.emissivity
        sensitivity = alpha * (1 + _KS_TA * (ta - 25)) * (1 + _KS_TO * self.scene)
        seen = (kelvin4 - mixed4) * sensitivity * self.emissivity
        return seen + offset * (1 + kta * (ta - 25))

    def _store(self, address: int, value: float) -> None:
        self.memory[address] = round(value) & 0xFFFF


def _signed(values: Any, bits: int) -> Any:
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
