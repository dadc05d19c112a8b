"""What the camera sees, in words: light, contrast, focus, and what became of the codes before it.

For a technician without a picture. Focus is the variance of the Laplacian (Pech-Pacheco et al., "Diatom
autofocusing in brightfield microscopy", 2000), which only tells something where there are edges to see.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hw.frame import Frame
from terminal.reasons import Reason, Verdict
from terminal.scanner import Scan
from terminal.scanner.likeness import likely
from terminal.scanner.sighting import grey

_WIDTH = 640  # pixels that a picture is judged at, so that words mean the same for every camera
_FRAMES = 30  # over which frames a second are counted
_ANSWERS = 5
_STALE = 2.0  # seconds

_DARK, _BRIGHT = 40.0, 215.0  # mean of 0 to 255
_BLOWN, _BLOWN_SHARE = 250, 0.25  # a quarter of the picture without any drawing in it
_FLAT, _LOW = 12.0, 30.0  # standard deviation
_BLURRED, _SOFT = 40.0, 120.0  # variance of the Laplacian

_PREVIEW_WIDTH = 320  # pixels


class Light(StrEnum):
    """How bright the picture is."""

    DARK = "dark"
    GOOD = "good"
    OVEREXPOSED = "overexposed"


class Contrast(StrEnum):
    """How much there is to see in it."""

    FLAT = "flat"
    LOW = "low"
    GOOD = "good"


class Focus(StrEnum):
    """How sharp it is."""

    UNKNOWN = "unknown"  # nothing with an edge is in view
    BLURRED = "blurred"
    SOFT = "soft"
    SHARP = "sharp"


@dataclass(frozen=True, slots=True)
class Look:
    """One picture in words and numbers. mean, deviation: of 0 to 255. laplacian: its variance."""

    light: Light
    mean: int
    contrast: Contrast
    deviation: int
    focus: Focus
    laplacian: int


def look_at(image: npt.NDArray[np.uint8]) -> Look:
    """`image`, grey or BGR, in words. Raises: ValueError when it is no picture."""
    picture = grey(image)
    if picture.shape[1] > _WIDTH:
        height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
        picture = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    mean, deviation = float(picture.mean()), float(picture.std())
    laplacian = float(cv2.Laplacian(picture, cv2.CV_64F).var())
    light = Light.DARK if mean < _DARK else Light.GOOD
    if mean > _BRIGHT or float((picture >= _BLOWN).mean()) > _BLOWN_SHARE:
        light = Light.OVEREXPOSED
    contrast = Contrast.FLAT if deviation < _FLAT else Contrast.LOW if deviation < _LOW else Contrast.GOOD
    focus = Focus.BLURRED if laplacian < _BLURRED else Focus.SOFT if laplacian < _SOFT else Focus.SHARP
    if contrast is Contrast.FLAT:
        focus = Focus.UNKNOWN
    return Look(light, round(mean), contrast, round(deviation), focus, round(laplacian))


class Sight:
    """Remembers what the gate's thread looked at last; `seen` and `answered` are for it, the rest for any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._times: deque[float] = deque(maxlen=_FRAMES)
        self._read_at = float("-inf")
        self._answers: deque[Mapping[str, Any]] = deque(maxlen=_ANSWERS)
        self._reads = 0
        self.preview: npt.NDArray[np.uint8] | None = None
        """The newest picture, small, for the idle screen."""

    def seen(self, frame: Frame, scan: Scan) -> None:
        """Note a frame and what the scanner made of it."""
        self.preview = _thumbnail(frame.image)
        with self._lock:
            self._frame = frame
            self._times.append(frame.captured_at)
            if scan.codes:
                self._read_at = frame.captured_at
                self._reads += 1

    def answered(self, verdict: Verdict, reason: Reason, at: datetime) -> None:
        """Note what somebody was answered; not who."""
        answer = {"at": at.isoformat(timespec="seconds"), "verdict": str(verdict), "reason": str(reason)}
        with self._lock:
            self._answers.append(answer)

    def document(self) -> dict[str, Any]:
        """All of it now: nothing in it says who stood there.

        code: "read" or "unread" of the newest picture (something like a code is in it), or "none".
        """
        with self._lock:
            frame, times = self._frame, list(self._times)
            read_at, reads, answers = self._read_at, self._reads, list(self._answers)
        now = time.monotonic()
        if frame is None or now - frame.captured_at > _STALE:
            return {"picture": None, "code": "none", "reads": reads, "answers": answers}
        span = times[-1] - times[0]
        height, width = frame.image.shape[:2]
        code = "read" if read_at == frame.captured_at else "none"
        if code == "none" and likely(grey(frame.image)) is not None:
            code = "unread"
        return {
            "picture": {
                "width": width,
                "height": height,
                "frames_a_second": round((len(times) - 1) / span, 1) if span > 0 else 0.0,
                **asdict(look_at(frame.image)),
            },
            "code": code,
            "reads": reads,
            "answers": answers,
        }


def _thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A small copy; nearest-neighbour, because every frame pays for it."""
    height = max(1, round(image.shape[0] * _PREVIEW_WIDTH / image.shape[1]))
    small = cv2.resize(image, (_PREVIEW_WIDTH, height), interpolation=cv2.INTER_NEAREST)
    return small.astype(np.uint8, copy=False)
