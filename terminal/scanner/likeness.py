"""Is there something like a code in view, and where? Answered for a tenth of the cost of decoding.

A QR code is the busiest thing that people hold up: strong edges across *and* down, side by side. Differences
between thinned-out pixels, averaged over small blocks, show it even when no decoder can find its corners.
In the dark, where noise is as strong as edges, pixels are averaged before they are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from terminal.scanner.sighting import Grey

_STEP = 4  # every so many pixels one is looked at
_BLOCK = 24  # pixels of the frame, the side of a block
_BUSY, _BUSIER = 9.0, 2.6  # mean difference in a block, and how many times the frame's median that must be,
_BUSIEST = 30.0  # unless it is so much that a code may fill the whole frame
_DARK = 32.0  # mean brightness
_BUSY_DARK, _GAIN = 3.5, 8


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame, px."""

    left: int
    top: int
    width: int
    height: int

    def of(self, image: Grey) -> Grey:
        """That part of `image` (a view, not a copy)."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def likely(image: Grey) -> Region | None:
    """Where something like a code is in `image`, or None."""
    small = np.ascontiguousarray(image[::_STEP, ::_STEP])
    if small.shape[0] * _STEP < 2 * _BLOCK or small.shape[1] * _STEP < 2 * _BLOCK:
        return whole(image)
    busy = _busyness(small, 1)
    found = _peak(busy, _BUSY, _BUSIER)
    if found is None and cv2.mean(small)[0] < _DARK:
        size = (image.shape[1] // _STEP, image.shape[0] // _STEP)
        averaged = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        found = _peak(_busyness(averaged, _GAIN) / np.float32(_GAIN), _BUSY_DARK, 0.0)
    return _region(found, busy.shape, image) if found else None


def whole(image: Grey) -> Region:
    """All of `image`."""
    return Region(0, 0, image.shape[1], image.shape[0])


def _busyness(small: Grey, gain: int) -> npt.NDArray[np.float32]:
    """How strongly neighbours differ both across and down, block by block."""
    here = small[:-1, :-1]
    across, down = cv2.absdiff(here, small[:-1, 1:]), cv2.absdiff(here, small[1:, :-1])
    blocks = (max(2, small.shape[1] * _STEP // _BLOCK), max(2, small.shape[0] * _STEP // _BLOCK))
    sides = [
        cv2.resize(
            d if gain == 1 else cv2.convertScaleAbs(d, alpha=gain), blocks, interpolation=cv2.INTER_AREA
        )
        for d in (across, down)
    ]
    return cv2.blur(np.minimum(*sides).astype(np.float32), (3, 3)).astype(np.float32, copy=False)


def _peak(busy: npt.NDArray[np.float32], least: float, times: float) -> tuple[int, int, int, int] | None:
    """The blocks around the busiest one that are at least 40 % as busy: (left, top, right, bottom)."""
    _, highest, _, (x, y) = cv2.minMaxLoc(busy)
    if highest < least or highest < min(_BUSIEST, times * (float(np.median(busy)) + 1.0)):
        return None
    mask = (busy > 0.4 * highest).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height, _ = stats[labels[y, x]]
    return int(left), int(top), int(left + width), int(top + height)


def _region(blocks: tuple[int, int, int, int], shape: tuple[int, ...], image: Grey) -> Region:
    """The blocks in pixels, with two blocks more on each side: finder patterns and quiet zone lie outside."""
    per_x, per_y = image.shape[1] / shape[1], image.shape[0] / shape[0]
    left, right = max(0.0, (blocks[0] - 2) * per_x), min(image.shape[1], (blocks[2] + 2) * per_x)
    top, bottom = max(0.0, (blocks[1] - 2) * per_y), min(image.shape[0], (blocks[3] + 2) * per_y)
    return Region(int(left), int(top), int(right - left), int(bottom - top))
