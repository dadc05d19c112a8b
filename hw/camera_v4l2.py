"""A USB or CSI camera through Video4Linux and OpenCV.

Of all the buffers a driver may queue, only one is asked for: an old frame is worth nothing at a gate.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2

from config.settings import Settings
from hw.camera import checked
from hw.errors import CameraAbsent
from hw.frame import Frame

# OpenCV's own chatter about missing devices goes to stderr; our errors say the same, once, and usefully.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class V4L2Camera:
    """The camera at `camera.device` (a number or a path such as /dev/video0).

    Raises: CameraAbsent when there is none or another program holds it.
    """

    def __init__(self, settings: Settings) -> None:
        camera = settings.camera
        device = camera.device
        self._node = Path(f"/dev/video{device}") if isinstance(device, int) else Path(device)
        if not self._node.exists():
            raise CameraAbsent(f"{self._node}: no such camera; plug it in or set camera.device")
        self._capture = cv2.VideoCapture(str(self._node), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraAbsent(f"{self._node}: cannot be opened; is another program using it?")
        # MJPG first: over USB 2 raw 1280x720 comes at 10 frames a second, MJPG at 30.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, camera.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, camera.height)
        self._capture.set(cv2.CAP_PROP_FPS, camera.fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._number = -1

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`; OpenCV itself waits at most ten seconds for a frame."""
        good, image = self._capture.read()
        if not good:
            if not self._node.exists():
                raise CameraAbsent(f"{self._node}: was unplugged")
            return None
        self._number += 1
        return Frame(checked(image, str(self._node)), time.monotonic(), self._number)

    def close(self) -> None:
        """Let the device go."""
        self._capture.release()
