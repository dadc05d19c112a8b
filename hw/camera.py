"""The camera: anything that gives frames when asked.

A camera opens itself when constructed and never retries or waits longer than a frame or two: who holds it
(`hw.camera_feed`) decides about retries.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

import cv2
import numpy as np

from config.settings import CameraSettings, Settings
from hw.drivers import load_driver
from hw.errors import CameraGarbage
from hw.frame import Frame

# OpenCV's own chatter about missing devices goes to stderr; our errors say the same, once, and usefully.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Camera(Protocol):
    """What every camera driver is: constructed from settings (raises CameraAbsent), then read.

    recorded: it plays back, so that the same picture twice is no sign of a fault. remarks: one sentence for
    each setting that the device would not take.
    """

    recorded: bool
    remarks: tuple[str, ...]

    def read(self) -> Frame | None:
        """The next frame, or None when none came within about a second.

        Raises: CameraAbsent when the camera is gone; CameraGarbage when it gave no picture.
        """

    def close(self) -> None:
        """Let the device go. A closed camera is not read again."""


def open_camera(settings: Settings) -> Camera:
    """The camera that `settings.camera` names, open. Raises: UnknownDriver, CameraAbsent."""
    camera: Camera = load_driver("camera", settings.camera.driver)(settings)
    return camera


def checked(image: Any, source: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """`image` if it is a picture: uint8, (height, width) or (height, width, 3), 16 to 8192 pixels a side.

    Raises: CameraGarbage otherwise: some cameras give empty or odd arrays while they are being unplugged.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise CameraGarbage(f"{source}: gave something that is not an 8-bit picture")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise CameraGarbage(f"{source}: gave an array of shape {image.shape}, not a picture")
    if not all(16 <= side <= 8192 for side in image.shape[:2]):
        raise CameraGarbage(f"{source}: gave a picture of {image.shape[1]}x{image.shape[0]} pixels")
    return image


def described(settings: CameraSettings, taken: str = "") -> str:
    """A short name of the camera for status lines, such as "v4l2 0".

    taken: the driver that "auto" came to, if that is known.
    """
    driver = f"{settings.driver} ({taken})" if taken else settings.driver
    return f"{driver} {settings.path or settings.device}"
