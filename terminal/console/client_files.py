"""Files over JSON lines: base64 chunks, one on its way at a time, whole by SHA-256 or refused."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from config.errors import CampusgateError

_CHUNK = 3072  # bytes: 4096 characters of base64, a third of a second at 115200


class FileRefused(CampusgateError, ValueError):
    """Raised when a file is too large for the console, or did not come over the line whole."""


class Outgoing:
    """The file `name` on its way to the console, which takes at most `limit` bytes. Raises: FileRefused."""

    def __init__(self, name: str, data: bytes, *, limit: int) -> None:
        if len(data) > limit:
            raise FileRefused(f"{name}: has {len(data)} bytes; the console takes at most {limit}")
        self._name, self._data, self._sent = name, data, 0

    def next(self, received: int) -> dict[str, Any]:
        """The next chunk; `received` is how many bytes the console has. Raises: FileRefused."""
        if received != self._sent:
            raise FileRefused(f"{self._name}: the console has {received} bytes of the {self._sent} sent")
        chunk = self._data[self._sent : self._sent + _CHUNK]
        self._sent += len(chunk)
        if chunk:
            return {"chunk": base64.b64encode(chunk).decode("ascii")}
        return {"chunk": "", "name": self._name, "sha256": hashlib.sha256(self._data).hexdigest()}


class Incoming:
    """A file that the console sends, as its announcement {"name", "size", "sha256"} says, into `directory`.

    It has its name there once it is whole. Raises: FileRefused; OSError.
    """

    def __init__(self, directory: Path, announced: Mapping[str, Any]) -> None:
        name = PurePosixPath(str(announced.get("name", ""))).name
        if not name or name.startswith("."):
            raise FileRefused("the console sends a file without a name")
        self.path = directory / name
        self._partial = directory / f".{name}.{secrets.token_hex(4)}"
        self._size, self._sha256 = int(announced["size"]), str(announced["sha256"])
        self._digest = hashlib.sha256()
        self._received = 0
        self._partial.write_bytes(b"")

    def take(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take one chunk; the answer to it, or None after the last. Raises: FileRefused; OSError."""
        try:
            chunk = base64.b64decode(str(document["chunk"]), validate=True)
        except ValueError as error:
            self._refuse("a chunk of it is no base64", error)
        if not chunk:
            if self._received != self._size or self._digest.hexdigest() != self._sha256:
                self._refuse("it did not come whole")
            self._partial.replace(self.path)
            return None
        self._received += len(chunk)
        if self._received > self._size:
            self._refuse(f"there is more of it than the {self._size} bytes announced")
        self._digest.update(chunk)
        with self._partial.open("ab") as file:
            file.write(chunk)
        return {"more": self._received}

    def _refuse(self, why: str, cause: Exception | None = None) -> Any:
        self._partial.unlink(missing_ok=True)
        raise FileRefused(f"{self.path.name}: {why}; try again") from cause
