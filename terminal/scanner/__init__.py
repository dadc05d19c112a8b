"""The scanner: a camera frame -> the code that somebody holds up, or nothing.

First one quick look; only where something like a code is in view, and was not read, a ladder of repairs and
decoders is climbed, under a time budget. A frame that makes a decoder fail costs that frame and no more.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import cv2
import numpy as np

from hw.frame import Frame
from terminal.scanner.choice import foremost
from terminal.scanner.decoders import zbar, zxing, zxing_quick
from terminal.scanner.ladder import RUNGS, Ladder
from terminal.scanner.likeness import Region, likely, whole
from terminal.scanner.sighting import SMALLEST, Grey, Sighting, Symbol, grey

__all__ = ["SMALLEST", "Scan", "Scanner", "Sighting", "read_picture"]

log = logging.getLogger(__name__)

# At 30 frames a second a climb makes the next frame late by one at the most: nothing begins that might end
# more than two frames after the frame was taken up.
BUDGET = 0.033  # seconds a frame
_LARGEST = 2560  # pixels; a larger picture is made smaller first
_RAMP = (4, 9)  # rungs for a region seen for the first and second time: it may still be moving into view
_MISSES = 8  # climbs in vain after which a region is climbed in full only now and then
_NOW_AND_THEN = 4  # frames


@dataclass(frozen=True, slots=True)
class Scan:
    """What one frame gave. sighting: the code held up, if one stands out. codes: how many are in view."""

    sighting: Sighting | None = None
    codes: int = 0


class Scanner:
    """Scans frame after frame of one camera, remembering what worked. Not thread-safe.

    budget: seconds that a frame may take beyond the quick look; in all it takes less than twice as many.
    eager: climb the whole ladder at first sight, for pictures of which there is only one.
    """

    def __init__(self, *, budget: float = BUDGET, eager: bool = False) -> None:
        self._budget, self._eager = budget, eager
        self._ladder = Ladder()
        self._misses = 0
        self._region: Region | None = None
        self._failing = False

    def scan(self, frame: Frame) -> Scan:
        """The code in `frame`. Never raises: whatever goes wrong, it is one frame without a code."""
        begun = time.perf_counter()
        try:
            image, scale = _fitting(grey(frame.image))
            found, codes = foremost(self._symbols(image, begun), image.shape[1], image.shape[0])
        except Exception:  # decoders are C++ over hostile pictures: one frame is all they may cost
            if not self._failing:  # a camera gone mad would fill the log at 30 lines a second
                log.exception("frame %d could not be decoded", frame.number)
            self._failing = True
            return Scan()
        self._failing = False
        if found is None:
            return Scan(None, codes)
        x, y = found.centre
        return Scan(Sighting(found.text, frame, (x / scale, y / scale), found.size / scale), codes)

    def _symbols(self, image: Grey, begun: float) -> list[Symbol]:
        started = time.thread_time()
        quick = zxing_quick(image)
        looked = time.thread_time() - started
        if quick.symbols:
            self._misses = 0
            return list(quick.symbols)
        region = likely(image)
        if region is None:
            self._misses, self._region = 0, None
            self._ladder.forget()
            return []
        if self._region is None or not _alike(region, self._region):
            self._misses, self._region = 0, region
            self._ladder.forget()
        symbols = self._ladder.climb(
            image, region, seconds=self._budget, rungs=self._rungs(), begun=begun, looked=looked
        )
        self._misses = 0 if symbols else self._misses + 1
        return symbols

    def _rungs(self) -> int:
        """How many rungs the region deserves, by how often it was climbed in vain."""
        if self._eager:
            return len(RUNGS)
        if self._misses < len(_RAMP):
            return _RAMP[self._misses]
        # Something busy that is no code, such as a patterned coat, must not take a core all the time.
        rested = self._misses < _MISSES or self._misses % _NOW_AND_THEN == 0
        return len(RUNGS) if rested else _RAMP[0]


def read_picture(frame: Frame) -> list[str]:
    """All texts in a single picture, all of it searched and no time limit: for files, not for a gate."""
    try:
        image, _ = _fitting(grey(frame.image))
        found = list(zxing(image).symbols or zbar(image).symbols)
        for region in (likely(image), whole(image)):
            found = found or (Ladder().climb(image, region, seconds=30.0) if region else [])
    except Exception:
        log.exception("picture %d could not be decoded", frame.number)
        return []
    return list(dict.fromkeys(symbol.text for symbol in found))


def _fitting(image: Grey) -> tuple[Grey, float]:
    """`image` no larger than 2560 px a side, and its scale: an 8k frame would take a second to search."""
    scale = min(1.0, _LARGEST / max(image.shape))
    if scale == 1.0:
        return np.ascontiguousarray(image), 1.0
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False), scale


def _alike(a: Region, b: Region) -> bool:
    """Whether two regions overlap by more than half of what they cover together."""
    across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    shared = max(0, across) * max(0, down)
    return shared > 0.5 * (a.width * a.height + b.width * b.height - shared)
