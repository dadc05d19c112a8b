"""A line to a client: a serial port (UART, USB adapter, USB gadget), or this process's own input and output.

What goes wrong with it is one thing, `LineLost`: unplugged, hung up, or nobody takes what is written.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from pathlib import Path
from typing import Protocol

import serial

from hw.errors import DeviceError

WRITE_WITHIN = 10.0  # seconds for a client to take what is written


class LineLost(DeviceError):
    """Raised when the line is gone; what was said on it is over."""


class Line(Protocol):
    """Bytes each way."""

    def read(self, timeout: float) -> bytes:
        """Some bytes, or b"" after `timeout` seconds without any. Raises: LineLost."""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises: LineLost."""

    def client(self) -> bool | None:
        """Whether a client has the line open; None where the line does not tell."""

    def close(self) -> None:
        """Give the line back."""


class SerialLine:
    """The serial port `port` at `baud`, 8N1, without flow control, held against other programs.

    Raises: LineLost when it cannot be opened.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            self._port = serial.Serial(port, baud, timeout=0.0, write_timeout=WRITE_WITHIN, exclusive=True)
        except (OSError, ValueError) as error:
            raise LineLost(f"{port}: cannot be opened: {_reason(error)}") from error
        self._name = port

    def read(self, timeout: float) -> bytes:
        """See `Line.read`."""
        try:
            ready, _, _ = select.select([self._port.fileno()], [], [], timeout)
            return bytes(self._port.read(4096)) if ready else b""
        except (OSError, TypeError, ValueError) as error:  # pyserial: TypeError when closed meanwhile
            raise LineLost(f"{self._name}: {_reason(error)}") from error

    def write(self, data: bytes) -> None:
        """See `Line.write`."""
        try:
            self._port.write(data)
        except (OSError, TypeError) as error:
            raise LineLost(f"{self._name}: {_reason(error)}") from error

    def client(self) -> bool | None:
        """By DSR and DCD, which USB adapters and gadgets drop when the client closes the port."""
        try:
            return bool(self._port.dsr or self._port.cd)
        except (OSError, TypeError):  # a port without modem lines
            return None

    def close(self) -> None:
        """See `Line.close`."""
        with contextlib.suppress(OSError):
            self._port.close()


class StandIn(SerialLine):
    """A serial port that serves until the port `missed` is there, and is lost then. Raises: as SerialLine."""

    def __init__(self, port: str, baud: int, missed: Path) -> None:
        super().__init__(port, baud)
        self._missed = missed

    def read(self, timeout: float) -> bytes:
        """See `Line.read`."""
        if self._missed.exists():
            raise LineLost(f"{self._missed} is there now, and is served instead of {self._name}")
        return super().read(timeout)


class OwnLine:
    """Standard input and output; a terminal is switched to raw mode until `close`.

    Output blocks nobody until then: a program on the other side that is stopped takes none.
    """

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self._before = None
        if os.isatty(self._input):
            self._before = termios.tcgetattr(self._input)
            tty.setraw(self._input)
        self._blocks = os.get_blocking(self._output)
        os.set_blocking(self._output, False)  # and the input, where they are one terminal

    def read(self, timeout: float) -> bytes:
        """See `Line.read`."""
        ready, _, _ = select.select([self._input], [], [], timeout)
        if not ready:
            return b""
        try:
            data = os.read(self._input, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LineLost(f"standard input: {_reason(error)}") from error
        if not data:
            raise LineLost("standard input: ended")
        return data

    def write(self, data: bytes) -> None:
        """See `Line.write`."""
        try:
            while data:
                if not select.select([], [self._output], [], WRITE_WITHIN)[1]:
                    raise LineLost(f"standard output: nobody takes what is written for {WRITE_WITHIN:g} s")
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._output, data) :]
        except OSError as error:
            raise LineLost(f"standard output: {_reason(error)}") from error

    def client(self) -> bool | None:
        """It does not tell."""
        return None

    def close(self) -> None:
        """See `Line.close`."""
        os.set_blocking(self._output, self._blocks)
        if self._before is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text or type(error).__name__
