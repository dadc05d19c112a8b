"""One process of a kind for one directory: a second terminal would drive the same relay."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from config.errors import CampusgateError


class AlreadyRunning(CampusgateError, RuntimeError):
    """Raised when another process of that kind holds the directory; says which."""


class Single:
    """Held from construction until `close` or the end of the process, however it ends.

    Raises: AlreadyRunning; OSError when the directory cannot be written.
    """

    def __init__(self, directory: Path, process: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{process}.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = path.read_text("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(f"{process} is already running on {directory} (process {holder})") from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def close(self) -> None:
        """Let another process have the directory."""
        os.close(self._descriptor)
