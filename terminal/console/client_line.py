"""A laptop's end of the serial line: whole lines out of a stream that may hold anything.

A line ends with \\n, \\r\\n or \\r; colours and cursor movements, which are for people, are taken out.
"""

from __future__ import annotations

import errno
import re
import time

import serial

from config.errors import CampusgateError

LONGEST = 65_536  # bytes in a line
_BAUD = 115_200
_CONTROL_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_LINE_END = re.compile(rb"[\r\n]")


class LineError(CampusgateError, ConnectionError):
    """Raised when the line to a console cannot be opened, is gone, or is silent for too long."""


class ClientLine:
    """The serial device at `port` (or any pty), at 115200 8N1, held by this process alone.

    Raises: LineError when it cannot be opened.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self._bytes = bytearray()
        try:
            self._serial = serial.Serial(port, _BAUD, timeout=0, write_timeout=10, exclusive=True)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY):
                raise LineError(f"{port}: another program has it open, such as picocom; end it") from error
            why = getattr(error, "strerror", None) or error
            raise LineError(
                f"{port}: cannot be opened: {why}; is the cable in, may you use it (group dialout)?"
            ) from error

    def close(self) -> None:
        """Let another process have the device."""
        self._serial.close()

    def write(self, data: bytes) -> None:
        """Send `data`. Raises: LineError."""
        try:
            self._serial.write(data)
        except (OSError, TypeError) as error:  # pyserial's TypeError: closed by the unplugging just now
            raise LineError(f"{self.port}: the line is gone ({error})") from error

    def read_line(self, within: float) -> str | None:
        """The next line that is not empty, or None when `within` seconds bring no end of one.

        Raises: LineError when the line is gone.
        """
        deadline = time.monotonic() + within
        while True:
            while end := _LINE_END.search(self._bytes):
                line = _plain(bytes(self._bytes[: end.start()]))
                del self._bytes[: end.end()]
                if line:
                    return line
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._read(left)

    @property
    def unfinished(self) -> str:
        """What came since the last line end: a prompt, or half a line."""
        return _plain(bytes(self._bytes))

    def discard(self) -> bool:
        """Forget what came so far; whether there was anything. Raises: LineError."""
        self._read(0)
        found = bool(self._bytes)
        self._bytes.clear()
        return found

    def _read(self, within: float) -> None:
        """Take what comes next, waiting at most `within` seconds for it."""
        try:
            self._serial.timeout = within
            data = self._serial.read(1)
            self._bytes += data + self._serial.read(self._serial.in_waiting)
        except (OSError, TypeError) as error:
            raise LineError(f"{self.port}: the line is gone ({error})") from error
        if len(self._bytes) > LONGEST and not _LINE_END.search(self._bytes):
            self._bytes.clear()  # noise: no line is that long


def _plain(line: bytes) -> str:
    return _CONTROL_SEQUENCE.sub(b"", line).decode("utf-8", "replace").strip(" \0")
