"""Cameras that play back: a video file, or a folder of pictures, at the settings' frame rate.

For trying a terminal on recorded footage. Each plays in a loop, as a camera never ends.
"""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from config.settings import Settings
from hw.camera import checked
from hw.errors import CameraAbsent, CameraGarbage
from hw.frame import Frame

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class _Pace:
    """Hands out frames no faster than `fps`, and their running number."""

    def __init__(self, fps: float) -> None:
        self._period = 1.0 / fps
        self._due = time.monotonic()
        self._number = -1

    def frame(self, image: object, source: str) -> Frame:
        picture = checked(image, source)
        now = time.monotonic()
        if now < self._due:
            time.sleep(self._due - now)
        self._due = max(self._due, now) + self._period
        self._number += 1
        return Frame(picture, time.monotonic(), self._number)


class VideoCamera:
    """The video file at `camera.path`, played over and over. Raises: CameraAbsent."""

    recorded = True
    remarks: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.camera.path or "")
        self._pace = _Pace(settings.camera.fps)
        if not self._path.is_file():
            raise CameraAbsent(f"{self._path}: no such file; set camera.path to a video")
        self._capture = cv2.VideoCapture(str(self._path))
        if not self._capture.isOpened():
            raise CameraAbsent(f"{self._path}: is not a video that OpenCV can read")

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`."""
        good, image = self._capture.read()
        if not good:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            good, image = self._capture.read()
            if not good:
                raise CameraGarbage(f"{self._path}: holds no readable frame")
        return self._pace.frame(image, str(self._path))

    def close(self) -> None:
        """Let the file go."""
        self._capture.release()


class FolderCamera:
    """The pictures in the directory `camera.path`, by name, over and over. Raises: CameraAbsent."""

    recorded = True
    remarks: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        directory = settings.path(settings.camera.path or "")
        self._pace = _Pace(settings.camera.fps)
        try:
            self._pictures = sorted(filter(may_be_picture, directory.iterdir()))
        except OSError as error:
            raise CameraAbsent(
                f"{directory}: cannot be listed ({error.strerror}); set camera.path"
            ) from error
        if not self._pictures:
            raise CameraAbsent(f"{directory}: holds no picture ({', '.join(PICTURES)})")
        self._next = 0

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`. After a file that is no picture (CameraGarbage) comes the next."""
        path = self._pictures[self._next % len(self._pictures)]
        self._next += 1
        return self._pace.frame(read_picture(path), str(path))

    def close(self) -> None:
        """Nothing is held open."""


def may_be_picture(path: Path) -> bool:
    """Whether `path`, found in a directory, is a file called a picture; a pipe would hang who reads it.

    A link to nothing is one, so that it is named when it is read.
    """
    return path.suffix.lower() in PICTURES and (path.is_file() or not path.exists())


def read_picture(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The picture in the file `path`, uint8 (height, width, 3) BGR.

    Raises: CameraAbsent when the file cannot be read; CameraGarbage when it is no picture.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise CameraAbsent(f"{path}: cannot be read ({error.strerror})") from error
    if not data.size:
        raise CameraGarbage(f"{path}: is empty")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # it raises at a picture whose header claims more pixels than it allows
        image = None
    if image is None:
        raise CameraGarbage(f"{path}: is not a picture that OpenCV can read")
    return image.astype(np.uint8, copy=False)
