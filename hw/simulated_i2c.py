"""An I2C bus with simulated chips on it, for tests and for trying drivers without hardware.

It carries smbus2's own messages, so a driver meets here what it meets on /dev/i2c-N: registers, repeated
starts, and the errors of a real bus, which can be ordered one by one or for good. It knows no temperature:
chips do.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Any, Protocol

_READ = 0x0001  # I2C_M_RD of linux/i2c.h

NACK = errno.EREMOTEIO  # nobody at that address
NOISE = errno.EIO
STUCK = errno.ETIMEDOUT  # a line is held low


class Chip(Protocol):
    """A device on the bus, at the level of its bytes."""

    def write(self, data: bytes) -> None:
        """Take the bytes of one write."""

    def read(self, size: int) -> bytes:
        """Answer a read of `size` bytes."""


class SimulatedBus:
    """Chips by their addresses. Its method `open` is what a driver takes for opening a bus by its number.

    absent: the bus itself is not there (a missing /dev/i2c-N). transfers: how many were asked for.
    """

    def __init__(self, chips: dict[int, Chip]) -> None:
        self.chips = dict(chips)
        self.absent = False
        self.transfers = 0
        self.open_handles = 0
        self._ordered: deque[int | None] = deque()
        self._lasting: int | None = None
        self._flips: deque[int] = deque()

    def open(self, number: int) -> SimulatedBus:
        """The bus, whatever its number. Raises: FileNotFoundError."""
        if self.absent:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", f"/dev/i2c-{number}")
        self.open_handles += 1
        return self

    def close(self) -> None:
        """Let one handle go."""
        self.open_handles -= 1

    def fail(self, *errors: int | None) -> None:
        """Let the next transfers fail with these errno values; None is one that works."""
        self._ordered.extend(errors)

    def fail_always(self, error: int | None) -> None:
        """Let every transfer fail with `error` from now on; None mends it."""
        self._lasting = error

    def flip(self, *bits: int) -> None:
        """Turn over one bit of the answer in each of the next reads, counted from the first byte's lowest."""
        self._flips.extend(bits)

    def i2c_rdwr(self, *messages: Any) -> None:
        """See `hw.i2c.Bus`."""
        self.transfers += 1
        error = self._ordered.popleft() if self._ordered else None
        error = error or self._lasting
        if error is not None:
            raise OSError(error, "simulated bus error")
        for message in messages:
            chip = self.chips.get(message.addr)
            if chip is None:
                raise OSError(NACK, "Remote I/O error")
            if not message.flags & _READ:
                chip.write(bytes(message.buf[: message.len]))
                continue
            answer = bytearray(chip.read(message.len))
            answer += b"\xff" * (message.len - len(answer))  # nobody pulls the line low
            if self._flips:
                bit = self._flips.popleft()
                answer[bit // 8] ^= 1 << bit % 8
            for index, byte in enumerate(answer):
                message.buf[index] = byte
