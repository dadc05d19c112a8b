"""A serial cable between two ptys: the console at the near end, a client at the far end, and its faults."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LATE = 10.0  # seconds


class NullModem:
    """A cable in `directory`. near, far: paths that programs open as serial ports; they stay while unplugged.

    screen: rows and columns of a terminal at the far end that says so when asked (DSR 6); None for one that
    does not. spoil: what becomes of the bytes on their way to the console. What nobody reads
    at the far end is lost, as on a cable; but who reads may be late, for this cable is faster than any UART.
    """

    def __init__(self, directory: Path) -> None:
        self.near, self.far = directory / "near", directory / "far"
        self.screen: tuple[int, int] | None = None
        self._read = True  # whether somebody at the far end takes what comes
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.heard = bytearray()  # all that the console said
        self._lock = threading.Lock()
        self._ends: dict[Path, tuple[int, int]] = {}
        self._wake, self._woken = os.pipe()
        self._closed = False
        self._plug(self.near)
        self._plug(self.far)
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Bytes to the console, whoever else is at the far end. Waits until they are taken."""
        rest = memoryview(data)
        while rest and not self._closed:
            with self._lock:
                if self.near not in self._ends:
                    return
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._ends[self.near][0], rest) :]
            if rest:
                time.sleep(0.005)

    def unplug(self) -> None:
        """Take the cable out at the console's end: its device file goes."""
        with self._lock:
            self.near.unlink()
            for descriptor in self._ends.pop(self.near):
                os.close(descriptor)
            termios.tcflush(self._ends[self.far][1], termios.TCIFLUSH)  # what nobody has read is no news
        os.write(self._woken, b".")

    def plug(self) -> None:
        """Put it in again: another device under the same name."""
        with self._lock:
            self._plug(self.near)
        os.write(self._woken, b".")

    def close(self) -> None:
        """Take it away for good."""
        self._closed = True
        os.write(self._woken, b".")
        self._thread.join()
        for ends in self._ends.values():
            for descriptor in ends:
                os.close(descriptor)
        os.close(self._wake)
        os.close(self._woken)

    def _plug(self, path: Path) -> None:
        master, slave = os.openpty()
        os.set_blocking(master, False)  # another end may get its number just after it was found ready
        tty.setraw(slave)  # held open: an end without a program neither hangs up nor echoes
        path.symlink_to(os.ttyname(slave))
        self._ends[path] = (master, slave)

    def _carry(self) -> None:
        while not self._closed:
            with self._lock:
                masters = {ends[0]: path for path, ends in self._ends.items()}
            ready, _, _ = select.select([*masters, self._wake], [], [])
            for descriptor in ready:
                if descriptor == self._wake:
                    os.read(descriptor, 100)
                    continue
                with self._lock:
                    if descriptor not in {ends[0] for ends in self._ends.values()}:
                        continue
                    try:
                        data = os.read(descriptor, 4096)
                    except BlockingIOError:
                        continue
                    to = self.far if masters[descriptor] == self.near else self.near
                    other = self._ends.get(to)
                if to == self.far:
                    self.heard += data
                    if self.screen and b"\x1b[6n" in data:
                        self.send("\x1b[{};{}R".format(*self.screen).encode())
                else:
                    data = self.spoil(data)
                if other and to == self.near:
                    self.send(data)
                elif other:
                    self._to_far(other[0], data)

    def _to_far(self, master: int, data: bytes) -> None:
        """Give it to whoever reads there; who has taken nothing for long is nobody, until they take again."""
        rest = memoryview(data)
        while rest:
            self._read = bool(select.select([], [master], [], _LATE if self._read else 0.0)[1])
            if not self._read:
                return
            with suppress(BlockingIOError):
                rest = rest[os.write(master, rest) :]
