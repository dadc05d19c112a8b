"""Blocks of XMODEM and YMODEM on a byte stream: framing, checksums, cancelling, patience.

Source: Chuck Forsberg, XMODEM/YMODEM Protocol Reference (10-14-88), and the CRC-16 of its chapter 8, which is
`binascii.crc_hqx`. The library `xmodem` 0.5 is not used: it has no YMODEM, refuses a repeated block when an
ACK was lost (chapter 4 wants it acknowledged again), and neither its wait for a silent line nor its start
with a CAN now and then has an end.
"""

from __future__ import annotations

import binascii
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from config.errors import CampusgateError

SOH, STX, EOT, ACK, NAK, CAN, CRC = b"\x01", b"\x02", b"\x04", b"\x06", b"\x15", b"\x18", b"C"
PAD = b"\x1a"
SHORT, LONG = 128, 1024  # bytes of data in a block
_CTRL_C = b"\x03"
_CANCEL = CAN * 8 + b"\b" * 8  # more than two: one may be lost; backspaces rub them out in a shell
_TURNAROUND = 0.005  # seconds: lrzsz clears its line right after it has answered
_SLOWEST = 480.0  # bytes a second: 4800 baud. What is slower than that on the whole is given up

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are over, and with all there are if that is known."""


class TransferError(CampusgateError):
    """Raised when a file did not come over whole: says why, and what to do. The other end was told."""


class TransferCancelled(TransferError):
    """Raised when the other end, or the person at it, called the transfer off."""


class Stream(Protocol):
    """The line to the other end."""

    def read(self, size: int, timeout: float) -> bytes:
        """Up to `size` bytes, b"" when none come within `timeout` seconds."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds. start: for the other end to begin. answer: for a block, or for what is
    said to one. byte: between the bytes of a block. quiet: a line on which nothing came for so long is
    clear. retries: how often the same block is tried again."""

    start: float = 60.0
    answer: float = 10.0
    byte: float = 1.0
    quiet: float = 0.3
    retries: int = 10


class Said(Enum):
    """What came when a block was expected, and was none."""

    NOTHING = auto()
    GARBLED = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Block:
    """A block that is whole. number: 0 to 255."""

    number: int
    data: bytes


class BlockLine:
    """A stream as a transfer sees it. Raises, everywhere: TransferCancelled when the other end cancels;
    TransferError once the whole takes too long; what the stream raises."""

    def __init__(self, stream: Stream, patience: Patience) -> None:
        self._stream, self.patience = stream, patience
        self._end = time.monotonic() + 2 * patience.start
        self._cancelling = False
        self._interrupted = False  # the byte before was a Ctrl-C

    def allow(self, size: int) -> None:
        """Let the whole take as long as `size` bytes may, from now on."""
        self._end = time.monotonic() + 2 * self.patience.start + size / _SLOWEST

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self._stream.write(data)

    def byte(self, timeout: float, *, idle: bool = False) -> bytes:
        """The next byte, b"" when none comes within `timeout` seconds.

        idle: nothing was going on before it. A Ctrl-C by itself is then a person whose program does nothing.
        Two in a row always are one: sb that is stopped says nothing, and its person is back at the keyboard.
        """
        if time.monotonic() > self._end:
            raise TransferError("the transfer takes too long; is the line that bad? nothing was kept")
        came = self._stream.read(1, timeout)
        if idle and came == _CTRL_C and self._stream.read(1, self.patience.quiet) in (b"", _CTRL_C):
            raise TransferCancelled("interrupted")
        if came:
            self._twice(came)
        if came != CAN or self._cancelling:
            return came
        second = self._stream.read(1, self.patience.byte)
        if second == CAN:
            raise TransferCancelled("the other end cancelled the transfer")
        return second  # one alone is noise

    def block(self, timeout: float, *, idle: bool = False) -> Block | Said:
        """The next block with a good CRC-16, or what came instead within `timeout` seconds. See `byte`."""
        head = self.byte(timeout, idle=idle)
        if not head:
            return Said.NOTHING
        if head == EOT:
            return Said.END
        if head not in (SOH, STX):
            return Said.GARBLED
        size = SHORT if head == SOH else LONG
        rest = self._exactly(2 + size + 2)
        if len(rest) < 2 + size + 2 or rest[0] ^ rest[1] != 0xFF or binascii.crc_hqx(rest[2:], 0):
            return Said.GARBLED
        return Block(rest[0], rest[2:-2])

    def send_block(self, number: int, data: bytes, *, checksum: bool = False) -> None:
        """Send `data` as a block, padded to its size. checksum: the old one byte instead of CRC-16."""
        size = SHORT if len(data) <= SHORT else LONG
        data = data.ljust(size, PAD)
        tail = bytes([sum(data) & 0xFF]) if checksum else binascii.crc_hqx(data, 0).to_bytes(2, "big")
        number &= 0xFF
        self.write((SOH if size == SHORT else STX) + bytes([number, number ^ 0xFF]) + data + tail)

    def answer(self, wanted: bytes, timeout: float, *, idle: bool = False) -> bytes:
        """The first byte that is one of `wanted`, b"" when none comes within `timeout` seconds."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            came = self.byte(left, idle=idle)
            if came and came in wanted:
                return came
        return b""

    def clear(self) -> None:
        """Let the other end turn round, and take what has come till then: no answer to what is sent next."""
        time.sleep(_TURNAROUND)
        while self.byte(0.0):
            pass

    def drain(self) -> None:
        """Wait until the line is quiet, but no longer than for an answer."""
        end = time.monotonic() + self.patience.answer
        tail = b""
        while (came := self._stream.read(LONG, self.patience.quiet)) and time.monotonic() < end:
            tail = (tail + came)[-32:]
        if tail:
            self._twice(tail)
        if tail.rstrip(b"\b").endswith(CAN * 2) and not self._cancelling:
            raise TransferCancelled("the other end cancelled the transfer")

    def cancel(self, error: BaseException) -> None:
        """Tell the other end that it is over because of `error`, unless that end said so itself.

        What it still says is let pass: a part of a file is no command.
        """
        self._cancelling = True
        with contextlib.suppress(Exception):  # what is being raised already says more
            if not isinstance(error, TransferCancelled):
                self.write(_CANCEL)
            self.drain()

    def _twice(self, came: bytes) -> None:
        """Raises: TransferCancelled at the second Ctrl-C in a row."""
        pressed = not came.strip(_CTRL_C)
        if pressed and self._interrupted and not self._cancelling:
            raise TransferCancelled("interrupted")
        self._interrupted = pressed

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (came := self._stream.read(size - len(data), self.patience.byte)):
            data += came
        return data
