"""What came over the line and was not read yet, and whether the client is still there.

A thread reads all the time, so that Ctrl-C is seen while a command runs and a line that is gone is noticed
at once. What nobody reads is bounded: beyond that it is thrown away, as a UART would.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time

from config.errors import CampusgateError
from hw.serial_line import Line, LineLost

_UNREAD = 262_144  # bytes
_LOOK_EVERY = 0.5  # seconds between looks at the modem lines
_INTERRUPT = b"\x03"


class Interrupted(CampusgateError):
    """Raised when the client pressed Ctrl-C."""


class Wire:
    """Reads `line` in a thread of its own until closed."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._buffer = bytearray()
        self._lock = threading.Condition()
        self._lost: LineLost | None = None
        self._ended = False
        self._had_client = False
        self._heard, self._silence = time.monotonic(), 0.0
        self._ready, self._notify = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._pump, name="line", daemon=True)
        self._thread.start()

    @property
    def silence(self) -> float:
        """The longest time, in seconds, that nothing came since `begin`; the present one counts."""
        return max(self._silence, time.monotonic() - self._heard)

    def begin(self) -> None:
        """Measure silence from now on."""
        self._heard, self._silence = time.monotonic(), 0.0

    def fileno(self) -> int:
        """Readable while something is unread, or the line is lost."""
        return self._ready

    def read(self, size: int, timeout: float) -> bytes:
        """At most `size` bytes, b"" when none come within `timeout` seconds. Raises: LineLost."""
        with self._lock:
            self._lock.wait_for(lambda: self._buffer or self._lost, timeout)
            return self._take(size)

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises: LineLost."""
        self.line.write(data)

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`. Raises: Interrupted, LineLost."""
        with self._lock:
            self._lock.wait_for(
                lambda: _INTERRUPT in self._buffer or (self._lost and not self._buffer), seconds
            )
            if _INTERRUPT in self._buffer:
                self._take(len(self._buffer))  # what was typed before it is meant to go, too
                raise Interrupted("interrupted")
            if self._lost and not self._buffer:
                raise self._lost

    @property
    def unread(self) -> int:
        """Bytes that came and were not read."""
        return len(self._buffer)

    def peek(self) -> bytes:
        """What came and was not read, and stays so."""
        with self._lock:
            return bytes(self._buffer)

    def put_back(self, data: bytes) -> None:
        """Let `data` be read next."""
        with self._lock:
            self._buffer[:0] = data
            self._signal()

    def discard(self) -> int:
        """Throw away what is unread; how many bytes that was."""
        with self._lock:
            return len(self._take(len(self._buffer))) if self._buffer else 0

    def close(self) -> None:
        """Stop reading. The line itself stays as it is."""
        self._ended = True
        self._thread.join()
        os.close(self._ready)
        os.close(self._notify)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[: len(taken)]
        if not taken and self._lost:
            raise self._lost
        if not self._buffer and not self._lost:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._ready, 4096):
                    pass
        return taken

    def _pump(self) -> None:
        look_at = 0.0
        while not self._ended:
            try:
                data = self.line.read(0.1)
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + _LOOK_EVERY
                    self._look_for_client()
            except LineLost as lost:
                self._tell(lost=lost)
                return
            if data:
                self._silence, self._heard = self.silence, time.monotonic()
                self._tell(data)

    def _look_for_client(self) -> None:
        """A client that closed its end without a word is gone: the next one is to log in."""
        client = self.line.client()
        if self._had_client and client is False:
            raise LineLost("the client closed the line")
        self._had_client = self._had_client or bool(client)

    def _tell(self, data: bytes = b"", lost: LineLost | None = None) -> None:
        with self._lock:
            room = _UNREAD - len(self._buffer)
            self._buffer += data[:room]
            self._lost = lost
            self._signal()

    def _signal(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._notify, b".")
        self._lock.notify_all()
