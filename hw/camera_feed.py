"""The camera kept alive: a thread that opens it, reads it, tries again, and keeps only the newest frame.

Whoever asks gets the newest frame not asked for before; older ones are dropped, so decoding never works on
a backlog. What is wrong with the camera is a state with a sentence, never an exception for the reader.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from config.errors import CampusgateError
from hw.camera import Camera
from hw.errors import CameraGarbage
from hw.frame import Frame

log = logging.getLogger(__name__)

FROZEN_AFTER = 2.0  # seconds without a new picture
_SAMPLE = 16  # every so many pixels one is compared


class FeedState(StrEnum):
    """What the camera is doing."""

    OPENING = "opening"
    LIVE = "live"
    ABSENT = "absent"
    GARBAGE = "garbage"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The camera's state, a sentence about it (empty when live), and frames since start.

    remarks: what the camera would not do of what the settings ask.
    """

    state: FeedState
    sentence: str
    frames: int
    remarks: tuple[str, ...] = ()


class CameraFeed:
    """Runs the camera that `opener` opens until closed.

    retry: seconds between attempts to open an absent camera.
    """

    def __init__(self, opener: Callable[[], Camera], *, retry: float) -> None:
        self._opener = opener
        self._retry = retry
        self._box = threading.Condition()
        self._frame: Frame | None = None
        self._status = FeedStatus(FeedState.OPENING, "camera is being opened", 0)
        self._last = time.monotonic()  # when the last new picture came
        self._sample = b""  # of that picture
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def status(self) -> FeedStatus:
        """What the camera is doing now; a driver that hangs, while opening or reading, counts as frozen."""
        status = self._status
        silent = time.monotonic() - self._last
        if status.state in (FeedState.OPENING, FeedState.LIVE) and silent > FROZEN_AFTER:
            return FeedStatus(
                FeedState.FROZEN, f"no new picture for {silent:.0f} s", status.frames, status.remarks
            )
        return status

    def newest(self, timeout: float) -> Frame | None:
        """The newest frame not yet given out; None when none came within `timeout` seconds."""
        with self._box:
            if self._frame is None:
                self._box.wait(timeout)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Stop reading and let the camera go; waits at most three seconds for a driver that hangs."""
        self._stop.set()
        self._thread.join(3.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with contextlib.closing(self._opener()) as camera:
                    self._film(camera)
                continue  # it has been waited for already, and it must be back within three seconds
            except CampusgateError as error:
                self._say(FeedState.ABSENT, str(error))
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; the gate goes on
                self._say(FeedState.GARBAGE, f"camera driver failed: {type(error).__name__}: {error}")
            self._stop.wait(self._retry)

    def _film(self, camera: Camera) -> None:
        """Read until told to stop, or until nothing good has come for two seconds.

        Then the camera is opened again: one that was unplugged and is back leaves a handle that is silent or
        raves for ever.
        """
        self._last = time.monotonic()
        while not self._stop.is_set():
            try:
                frame = camera.read()
            except CameraGarbage as error:
                self._say(FeedState.GARBAGE, str(error))
                frame = None
            if frame is not None and not self._seen_before(camera, frame):
                self._last = frame.captured_at
                with self._box:
                    self._frame = frame
                    self._box.notify_all()
                self._status = FeedStatus(FeedState.LIVE, "", self._status.frames + 1, camera.remarks)
                continue
            if time.monotonic() - self._last > FROZEN_AFTER:
                if self._status.state is not FeedState.GARBAGE:
                    self._say(FeedState.FROZEN, "no new picture for two seconds")
                return
            self._stop.wait(0.05)  # a driver that fails at once must not take a core

    def _seen_before(self, camera: Camera, frame: Frame) -> bool:
        """Whether a live camera gave the very same picture again: sensor noise is never twice the same."""
        if camera.recorded:
            return False
        sample = frame.image[::_SAMPLE, ::_SAMPLE].tobytes()
        same = sample == self._sample
        self._sample = sample
        return same

    def _say(self, state: FeedState, sentence: str) -> None:
        if (state, sentence) != (self._status.state, self._status.sentence):
            log.warning("camera %s: %s", state, sentence)
        self._status = FeedStatus(state, sentence, self._status.frames)
        if state is FeedState.ABSENT:
            self._sample = b""  # whatever comes back is new
