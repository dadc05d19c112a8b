"""A USB or CSI camera through Video4Linux and OpenCV.

Of all the buffers a driver may queue, only one is asked for: an old frame is worth nothing at a gate. What a
camera refuses is remarked, not an error: most cameras refuse something.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from config.settings import CameraSettings, Settings
from hw.camera import checked
from hw.errors import CameraAbsent
from hw.frame import Frame

_MANUAL, _FIXED = 1.0, 0.0  # V4L2_EXPOSURE_MANUAL; focus_automatic_continuous off


class V4L2Camera:
    """The camera at `camera.device` (a number or a path such as /dev/video0).

    opener: opens a device node; another one stands in for the hardware in tests.
    Raises: CameraAbsent when there is none or another program holds it.
    """

    recorded = False

    def __init__(
        self, settings: Settings, opener: Callable[[str, int], cv2.VideoCapture] = cv2.VideoCapture
    ) -> None:
        device = settings.camera.device
        self._node = Path(f"/dev/video{device}") if isinstance(device, int) else Path(device)
        if not self._node.exists():
            raise CameraAbsent(f"{self._node}: no such camera; plug it in or set camera.device")
        self._capture = opener(str(self._node), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraAbsent(f"{self._node}: cannot be opened; is another program using it?")
        self.remarks = tuple(_configured(self._capture, settings.camera))
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


def _configured(capture: cv2.VideoCapture, camera: CameraSettings) -> Iterator[str]:
    """Set what `camera` asks for and read it back; a sentence for each thing that the device did not take."""
    wanted: list[tuple[str, int, float, float]] = [  # key, property, value, how far off it may be
        ("width", cv2.CAP_PROP_FRAME_WIDTH, camera.width, 0.5),
        ("height", cv2.CAP_PROP_FRAME_HEIGHT, camera.height, 0.5),
        ("fps", cv2.CAP_PROP_FPS, camera.fps, 1.0),
        ("buffer of one frame", cv2.CAP_PROP_BUFFERSIZE, 1, 0.5),
    ]
    if camera.exposure_ms is not None:
        wanted.append(("exposure_ms: manual exposure", cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL, 0.5))
        # V4L2_CID_EXPOSURE_ABSOLUTE counts in 100 microseconds.
        wanted.append(("exposure_ms", cv2.CAP_PROP_EXPOSURE, round(camera.exposure_ms * 10), 1.5))
    if camera.focus is not None:
        wanted.append(("focus: autofocus off", cv2.CAP_PROP_AUTOFOCUS, _FIXED, 0.5))
        wanted.append(("focus", cv2.CAP_PROP_FOCUS, camera.focus, 5.0))
    code = cv2.VideoWriter.fourcc(*camera.format) if camera.format else None
    # The format first: over USB 2 raw 1280x720 comes at 10 frames a second, MJPG at 30.
    if code is not None:
        capture.set(cv2.CAP_PROP_FOURCC, code)
    for _, control, value, _ in wanted:
        capture.set(control, value)
    # Read back only now: OpenCV keeps a width until it has the height too, and format, size and buffer each
    # set the device up anew.
    if code is not None and int(capture.get(cv2.CAP_PROP_FOURCC)) != code:
        yield f"camera.format {camera.format}: gives {_fourcc(capture.get(cv2.CAP_PROP_FOURCC))} instead"
    for key, control, value, slack in wanted:
        given = capture.get(control)
        if abs(given - value) > slack:
            yield f"camera.{key}: asked for {value:g}, the camera gives {given:g}"


def _fourcc(code: float) -> str:
    """A four-character code as text, unprintable bytes as "?"."""
    letters = int(code).to_bytes(4, "little", signed=code < 0).decode("ascii", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in letters)
