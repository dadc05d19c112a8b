"""The simulated camera and its stage: one process paints frames into a shared file, the terminal films it.

The file is a seqlock: the painter makes the counter odd, writes, makes it even again; the camera copies and
takes the copy only if the counter was even and unchanged. So neither waits for the other, a reader never
sees half a frame, and a painter that stops leaves a frozen camera, as a real one would freeze.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from config.settings import Settings
from hw.camera import checked
from hw.errors import CameraAbsent, CameraGarbage
from hw.frame import Frame

_HEADER = struct.Struct("<QII")  # counter, height, width; the picture is BGR, 3 bytes a pixel
_MAX_SIDE = 4096


class Stage:
    """The painter's side. size: (height, width) in pixels; every frame shown has it."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        length = _HEADER.size + size[0] * size[1] * 3
        # A new file, never the old one cut short: whoever still films that would die of SIGBUS.
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, length)
            self._map = mmap.mmap(descriptor, length)
        finally:
            os.close(descriptor)
        _HEADER.pack_into(self._map, 0, 0, *size)
        # Stored whole, which struct does not do: it clears all bytes before it writes them.
        self._counter = np.frombuffer(self._map, np.uint64, count=1)
        self._picture: npt.NDArray[np.uint8] = np.frombuffer(
            self._map, np.uint8, offset=_HEADER.size
        ).reshape(*size, 3)

    def show(self, image: npt.NDArray[np.uint8]) -> None:
        """Put `image` (height, width, 3) before the camera."""
        self._counter[0] += 1
        self._picture[:] = image
        self._counter[0] += 1


class SimulatedCamera:
    """Films the stage file at `camera.path`. Raises: CameraAbsent when there is none."""

    recorded = False
    remarks: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.camera.path or "")
        try:
            with self._path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
                self._inode = os.fstat(file.fileno()).st_ino
        except (OSError, ValueError) as error:
            raise CameraAbsent(f"{self._path}: no stage is set up here") from error
        self._seen = -1
        self._number = -1

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`: waits up to a second for a frame not seen before."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            counter, height, width = self._header()
            if counter % 2 == 0 and counter not in (0, self._seen):
                captured_at = time.monotonic()
                image = self._copy(height, width)
                if self._header()[0] == counter:
                    self._seen = counter
                    self._number += 1
                    return Frame(checked(image, str(self._path)), captured_at, self._number)
            time.sleep(0.002)
        if not self._path.exists() or self._path.stat().st_ino != self._inode:
            raise CameraAbsent(f"{self._path}: the stage was taken away")
        return None

    def close(self) -> None:
        """Let the file go."""
        self._map.close()

    def _header(self) -> tuple[int, int, int]:
        if len(self._map) < _HEADER.size:
            raise CameraGarbage(f"{self._path}: is no stage file")
        counter, height, width = _HEADER.unpack_from(self._map)
        return counter, height, width

    def _copy(self, height: int, width: int) -> npt.NDArray[np.uint8]:
        length = height * width * 3
        if not (0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE) or len(self._map) < _HEADER.size + length:
            raise CameraGarbage(f"{self._path}: says {width}x{height}, which its size does not hold")
        data = self._map[_HEADER.size : _HEADER.size + length]
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)
