"""Simple repairs of a picture that hides a code. Each takes a grey image and gives another, and its scale.

Which of them help was found by trying many on frames that no decoder reads as they are; see
`tests/bench/scan.py` for what they bring.
"""

from __future__ import annotations

import cv2
import numpy as np

from terminal.scanner.sighting import Grey

Repaired = tuple[Grey, float]  # the image, and its pixels for one pixel of the original


def _grey(image: cv2.typing.MatLike, scale: float = 1.0) -> Repaired:
    return image.astype(np.uint8, copy=False), scale


def untouched(image: Grey) -> Repaired:
    """As it is."""
    return image, 1.0


def enlarged(image: Grey, times: float = 1.5) -> Repaired:
    """Larger: for codes far away, whose modules are two or three pixels wide."""
    return _grey(cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), times)


def despeckled(image: Grey) -> Repaired:
    """Median of 3x3: for noise and thin glare lines."""
    return _grey(cv2.medianBlur(image, 3))


def smoothed_threshold(image: Grey) -> Repaired:
    """Slight blur, then Otsu's threshold: for noise in the dark."""
    blurred = cv2.GaussianBlur(image, (0, 0), 1.0)
    return _grey(cv2.threshold(blurred, 0, 255, cv2.THRESH_OTSU)[1])


def threshold(image: Grey) -> Repaired:
    """Otsu's threshold (IEEE Trans. SMC 9, 1979)."""
    return _grey(cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)[1])


def cracks_closed(image: Grey) -> Repaired:
    """Morphological closing, 5x5: for dark lines across a broken screen."""
    return _grey(cv2.morphologyEx(image, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)))


def local_threshold(image: Grey, block: int = 31, offset: int = 5) -> Repaired:
    """Threshold against the mean around each pixel (block: odd, px): for glare and shadow."""
    binary = cv2.adaptiveThreshold(image, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, offset)
    return _grey(binary)


def brightened(image: Grey) -> Repaired:
    """Gamma 0.5: for moire and for screens turned down."""
    return _grey(cv2.LUT(image, _GAMMA))


def local_contrast(image: Grey) -> Repaired:
    """Blur, then CLAHE (Zuiderveld, Graphics Gems IV, 1994): for a few grey levels drowned in noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
    return _grey(cv2.createCLAHE(3.0, (8, 8)).apply(blurred))


def sharpened(image: Grey) -> Repaired:
    """Unsharp mask: for a phone out of focus."""
    soft = cv2.GaussianBlur(image, (0, 0), 2.0)
    return _grey(cv2.addWeighted(image, 2.5, soft, -1.5, 0))


_GAMMA = np.array([255 * (level / 255) ** 0.5 for level in range(256)], np.uint8)
