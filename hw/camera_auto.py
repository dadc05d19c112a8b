"""The camera that this machine has: a CSI camera through Picamera2 where there is one, otherwise Video4Linux.

On Raspberry Pi OS a CSI camera shows as /dev/video0 too, but gives raw sensor data there, not pictures.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from config.settings import CameraSettings, Settings
from hw.camera import Camera
from hw.camera_picamera2 import Picamera2Camera
from hw.camera_v4l2 import V4L2Camera
from hw.errors import CameraAbsent
from hw.frame import Frame


class AutoCamera:
    """Picamera2 for the CSI camera numbered `camera.device`, if there is one; otherwise V4L2.

    taken: the name of the driver that it came to. Raises: CameraAbsent.
    """

    recorded = False

    def __init__(self, settings: Settings) -> None:
        csi, trouble = _csi_camera(settings.camera)
        self.taken = "picamera2" if csi else "v4l2"
        try:
            self._camera: Camera = Picamera2Camera(settings) if csi else V4L2Camera(settings)
        except CameraAbsent as error:
            raise CameraAbsent("; ".join(filter(None, (str(error), trouble)))) from error
        self.remarks = tuple(filter(None, (*self._camera.remarks, trouble)))

    def read(self) -> Frame | None:
        """See `hw.camera.Camera.read`."""
        return self._camera.read()

    def close(self) -> None:
        """Let the device go."""
        self._camera.close()


def _csi_camera(camera: CameraSettings) -> tuple[bool, str]:
    """Whether Picamera2 knows a CSI camera of that number; if it is installed and fails, a sentence about it.

    A device given as a path is one of Video4Linux.
    """
    if not isinstance(camera.device, int):
        return False, ""
    try:
        picamera2: Any = import_module("picamera2")
        cameras: list[dict[str, Any]] = picamera2.Picamera2.global_camera_info()
    except Exception as error:  # noqa: BLE001 - built for another numpy or libcamera, it raises what it likes
        if isinstance(error, ImportError) and error.name == "picamera2":
            return False, ""
        return False, f"picamera2 is installed but does not work: {error}"
    # libcamera lists USB cameras too; those are better driven by V4L2, which sets exposure and focus. Older
    # versions give no "Num": with them the place in the list is the number.
    numbers = {
        info.get("Num", place) for place, info in enumerate(cameras) if "/usb" not in str(info.get("Id", ""))
    }
    return camera.device in numbers, ""
