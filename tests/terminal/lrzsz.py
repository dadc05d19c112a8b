"""lrzsz at the other end of a real pty, as it runs under picocom and minicom; and a line that hurts."""

from __future__ import annotations

import os
import pty
import random
import select
import shutil
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from terminal.console.blocks import Patience

_UNPACKED = Path(".venv/test-programs/usr/bin").absolute()  # .ci/test-programs unpacks Debian's there
LRZSZ = shutil.which("sz") or shutil.which("sz", path=str(_UNPACKED))
PATIENCE = Patience(start=30.0, answer=2.0, byte=0.3, quiet=0.1)


def program(name: str) -> str:
    """The path of sz, rz, sx or rx."""
    return str(Path(LRZSZ or name).with_name(name))


class Descriptor:
    """A file descriptor as a stream."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int, timeout: float) -> bytes:
        ready, _, _ = select.select([self._descriptor], [], [], timeout)
        return os.read(self._descriptor, size) if ready else b""

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]


@contextmanager
def line() -> Iterator[tuple[int, int]]:
    """A pty without any translation: the console's end, and the client's."""
    ends = pty.openpty()
    for end in ends:
        tty.setraw(end)
    try:
        yield ends
    finally:
        for end in ends:
            with suppress(OSError):
                os.close(end)


class Hurt:
    """What a bad cable does: seeded, and to at most `times` bytes, so that it comes to an end."""

    def __init__(self, seed: int, *, times: int, every: int) -> None:
        self._rng, self._left, self._every = random.Random(seed), times, every

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if not self._left or self._rng.randrange(self._every):
                out.append(byte)
                continue
            self._left -= 1
            match self._rng.randrange(3):
                case 0:
                    out.append(byte ^ (1 << self._rng.randrange(8)))
                case 1:
                    out += bytes([byte, self._rng.randrange(256)])
                case _:
                    pass  # lost
        return bytes(out)


@contextmanager
def hurting_line(seed: int, *, times: int = 5, every: int = 4000) -> Iterator[tuple[int, int]]:
    """Two ptys and what lies between them, which hurts bytes on their way both ways."""
    hurt, stopped = Hurt(seed, times=times, every=every), threading.Event()
    with line() as (near, near_end), line() as (far_end, far):
        ways = {near_end: far_end, far_end: near_end}

        def carry() -> None:
            while not stopped.is_set():
                for source in select.select(list(ways), [], [], 0.05)[0]:
                    Descriptor(ways[source]).write(hurt(os.read(source, 4096)))

        thread = threading.Thread(target=carry, name="cable")
        thread.start()
        try:
            yield near, far
        finally:
            stopped.set()
            thread.join()


@contextmanager
def at_other_end(end: int, name: str, *arguments: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program `name` of lrzsz with the line as its input and output."""
    process = subprocess.Popen(
        [program(name), *arguments], stdin=end, stdout=end, stderr=subprocess.DEVNULL, cwd=cwd
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
