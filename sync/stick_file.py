"""A file on a stick: whole lines, made durable every few megabytes, written by one process at a time."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.errors import CampusgateError

UNSYNCED = 4_194_304  # bytes written before they are made durable


class ExportError(CampusgateError, OSError):
    """Raised when an export cannot begin, or stopped early; says how far it came."""


class DurableLines:
    """Writes whole lines to `file`. size: bytes of whole lines in it. Raises, everywhere: OSError."""

    def __init__(self, file: io.FileIO, size: int) -> None:
        self._file, self.size, self._waiting = file, size, 0

    def write(self, data: bytes) -> None:
        """Take one or more lines."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)
        self._waiting += len(data)
        if self._waiting >= UNSYNCED:
            self.sync()

    def sync(self) -> None:
        """Make durable what was taken."""
        os.fsync(self._file.fileno())
        self._waiting = 0

    def leave_whole(self) -> None:
        """Cut off what was written of a line; a stick that was pulled out takes not even that."""
        with suppress(OSError):
            self._file.truncate(self.size)
            os.fsync(self._file.fileno())


@contextmanager
def opened(path: Path, size_now: int, size: int) -> Iterator[io.FileIO]:
    """The file `path` of `size_now` bytes, cut off after `size` and held against another export.

    Raises: ExportError, OSError.
    """
    with io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(f"{path}: another export is writing it") from error
        if os.fstat(file.fileno()).st_size != size_now:
            raise ExportError(f"{path}: another export has just written it; run this again")
        file.truncate(size)
        file.seek(size)
        yield file
