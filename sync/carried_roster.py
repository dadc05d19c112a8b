"""A roster that was carried here: central's TUF repository in one .roster file, or in a directory.

The file is a ZIP (APPNOTE 6.3, stored or deflated, no ZIP64) of the repository's own files under their own
names. Nothing is unpacked: python-tuf's client fetches from it by name as it does from central, with the same
trust and the same limits, and what it does not ask for is not read.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast
from urllib.parse import unquote

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from sync.faults import Fault, SyncFault
from terminal.reasons import Reason

SUFFIX = ".roster"
METADATA, TARGETS = "carried:/metadata", "carried:/targets"
MOST_FILES = 65_535
MOST_BYTES = 2**32 - 1  # of all files together; a file on FAT has no more
_LARGEST = 16_777_216  # bytes of one file; central publishes none that large
_MOST_LISTED = 8_388_608  # bytes of the ZIP's list of files, which is read whole
_PIECE = 65_536
_NAME = re.compile(
    r"metadata/[a-z0-9.]{1,80}\.json|targets/((people|recent)/)?[0-9a-f]{64}\.[a-z0-9.-]{1,80}"
)
_HINTS = {
    Reason.ROSTER_ROLLED_BACK: "it is older than what is here; carry a newer one",
    Reason.ROSTER_EXPIRED: "make a new one at central, or is this terminal's clock ahead?",
    Reason.ROSTER_WRONG_KEYS: "it is another school's",
    Reason.ROSTER_MISSING: "it is not whole; make it again with `campusgate roster bundle`",
    Reason.ROSTER_OVERSIZE: "it was altered; make it again with `campusgate roster bundle`",
    Reason.ROSTER_ALTERED: "it was altered or damaged; make it again with `campusgate roster bundle`",
}

Progress = Callable[[float], None]
"""Called with the bytes that were read so far."""


class CarriedRoster(FetcherInterface):
    """The .roster file or the directory at `path`, which must be absolute.

    Raises: SyncFault when it cannot be read, or can be no roster of ours.
    """

    unfit = Fault.ROSTER

    def __init__(self, path: Path, progress: Progress = lambda _: None) -> None:
        self.whose, self._path, self._progress = str(path), path, progress
        self._read = 0
        self._file: _Bounded | None = None
        self._zip: zipfile.ZipFile | None = None
        self.size = 0
        """Bytes of all that is in the file; of a directory nothing is known."""
        if not path.is_absolute():
            raise self._fault("is no absolute path")
        try:
            if not path.is_dir():
                self._zip = self._open()
                self._check(self._zip.infolist())
                self.size = sum(info.file_size for info in self._zip.infolist())
            elif not (path / "metadata").is_dir():
                raise self._fault("holds no roster: there is no directory metadata in it")
            self.timestamp = self._bytes("metadata/timestamp.json") or b""
        except SyncFault:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        if self._file:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hint(self, reason: Reason) -> str:
        """What to do about it."""
        return f"; {_HINTS[reason]}" if reason in _HINTS else ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = unquote(url).removeprefix("carried:/")
        data = self._bytes(name)
        if data is None:
            raise DownloadHTTPError(f"{name} is not in it", 404)
        self._read += len(data)
        self._progress(self._read)
        return iter([data])

    def _bytes(self, name: str) -> bytes | None:
        """The file `name`, or None when there is none. Raises: SyncFault."""
        if not _NAME.fullmatch(name):
            return None
        try:
            if self._zip is None:
                return self._whole(cast("IO[bytes]", _opened(self._path / name)), name)
            return self._whole(self._zip.open(name), name)
        except (KeyError, FileNotFoundError):
            if self._path.exists():
                return None
            raise self._fault("is gone; put the stick in again and run this again") from None
        except OSError as error:
            raise self._fault(f"{name} cannot be read ({error.strerror}); run this again") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise self._fault(f"{name} is damaged; copy it again") from error

    def _whole(self, file: IO[bytes], name: str) -> bytes:
        data = bytearray()
        with file:
            while piece := file.read(_PIECE):
                data += piece
                if len(data) > _LARGEST:
                    raise self._fault(f"{name} is too large for a roster")
        return bytes(data)

    def _open(self) -> zipfile.ZipFile:
        try:
            self._file = _opened(self._path, listed=_MOST_LISTED)
            return zipfile.ZipFile(cast("IO[bytes]", self._file))
        except FileNotFoundError as error:
            raise self._fault("no such file; is the stick mounted?") from error
        except OSError as error:
            raise self._fault(f"cannot be read: {error.strerror or error}") from error
        except (ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise self._fault("is no .roster file, or not whole; copy it again") from error

    def _check(self, files: list[zipfile.ZipInfo]) -> None:
        if len(files) > MOST_FILES:
            raise self._fault(f"has {len(files)} files; at most {MOST_FILES} are allowed")
        if sum(info.file_size for info in files) > MOST_BYTES:
            raise self._fault(f"unpacks to more than {MOST_BYTES} bytes")
        for info in files:
            if not _NAME.fullmatch(info.filename):
                raise self._fault(f"holds {info.filename!r:.100}, which is no part of a roster")
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise self._fault(f"holds {info.filename} as something other than a file")
            if max(info.file_size, info.compress_size) > _LARGEST:
                raise self._fault(f"{info.filename} is too large for a roster")

    def _fault(self, what: str) -> SyncFault:
        return SyncFault(Fault.ROSTER, f"{self._path}: {what}")


class _Bounded(io.FileIO):
    """A file of which no more than so many bytes are read at once."""

    def __init__(self, descriptor: int, most: int) -> None:
        super().__init__(descriptor, "rb")
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise zipfile.BadZipFile("lists too many files")
        return super().read(self._most if size is None or size < 0 else size) or b""


def _opened(path: Path, *, listed: int = _PIECE) -> _Bounded:
    """The file `path`, which is no link. A pipe or a device in its place neither hangs nor floods."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "is no file")
    return _Bounded(descriptor, max(listed, _PIECE))
