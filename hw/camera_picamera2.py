"""A CSI camera through Picamera2 (libcamera), on Raspberry Pi OS.

Picamera2 comes with the system (`sudo apt install python3-picamera2`). The extra `campusgate[picamera2]`
installs it from PyPI, but the system's libcamera and its Python module (python3-libcamera) are needed all the
same. It is loaded only for the drivers picamera2 and auto. The luminance plane of YUV420 is all that scanning
needs, so no colour is converted.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from config.settings import Settings
from hw.camera import checked
from hw.errors import CameraAbsent
from hw.frame import Frame

_PATIENCE = 1.0  # seconds for a frame


class Picamera2Camera:
    """The CSI camera numbered `camera.device`. Raises: CameraAbsent, with what to install or connect."""

    recorded = False

    def __init__(self, settings: Settings) -> None:
        camera = settings.camera
        try:
            picamera2: Any = import_module("picamera2")
        except ImportError as error:
            raise CameraAbsent(
                f"picamera2 cannot be loaded ({error}): sudo apt install python3-picamera2, or with"
                " python3-libcamera installed pip install 'campusgate[picamera2]'; libcamera comes from the"
                " system alone, so make the environment with --system-site-packages"
            ) from error
        number = camera.device if isinstance(camera.device, int) else 0
        self._name = f"CSI camera {number}"
        controls: dict[str, float] = {"FrameRate": camera.fps}
        if camera.exposure_ms is not None:
            controls |= {"AeEnable": False, "ExposureTime": int(camera.exposure_ms * 1000)}  # microseconds
        try:
            self._device = picamera2.Picamera2(number)
            size = (camera.width, camera.height)
            self._device.configure(
                self._device.create_video_configuration(
                    main={"size": size, "format": "YUV420"}, buffer_count=2, controls=controls
                )
            )
            self._device.start()
        except (RuntimeError, IndexError, OSError) as error:
            raise CameraAbsent(
                f"{self._name}: {error}; is its cable in, and no other program using it?"
            ) from error
        width, height = self._device.camera_configuration()["main"]["size"]
        self._width, self._height = int(width), int(height)
        changed = (self._width, self._height) != size
        self.remarks: tuple[str, ...] = (
            (f"camera.width and height: asked for {size[0]}x{size[1]}, the camera gives {width}x{height}",)
            if changed
            else ()
        )
        self._number = -1

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`: the grey picture, (height, width)."""
        try:
            planes = self._device.capture_array("main", wait=_PATIENCE)
        except TimeoutError:
            return None
        except RuntimeError as error:
            raise CameraAbsent(f"{self._name}: {error}") from error
        self._number += 1
        # YUV420: `height` rows of luminance, then half as many of colour; rows may be padded on the right.
        return Frame(
            checked(planes[: self._height, : self._width], self._name), time.monotonic(), self._number
        )

    def close(self) -> None:
        """Stop and let the camera go."""
        self._device.stop()
        self._device.close()
