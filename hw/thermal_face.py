"""The face in a thermal picture: the hottest patch that can be skin and is large enough.

Nothing is learned and nobody recognised: a face is bare skin, warmer than clothes, and larger than a cup of
tea. What is hotter than any skin is left out with a rim around it, where lens and points mix it down to skin
temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hw.thermal_observation import HOTTEST, SKIN

_RIM = np.ones((5, 5), np.uint8)  # two points on each side
# Of a face's points, the hottest tenth is forehead and inner corners of the eyes; above it, noise of single
# points.
_HIGH = 90  # percent


@dataclass(frozen=True, slots=True)
class Face:
    """surface: degrees Celsius. area: share of the picture, 0 to 1."""

    surface: float
    area: float


def find_face(picture: np.ndarray[Any, np.dtype[np.float64]], min_area: float) -> Face | None:
    """The face in `picture` (degrees Celsius, NaN where unknown); None when nothing there has skin's
    temperature.

    Among the patches of at least `min_area` the hottest; when all are smaller, the largest: it is too far
    away.
    """
    skin = (picture >= SKIN) & (picture <= HOTTEST)  # False for NaN
    hot = cv2.dilate((picture > HOTTEST).astype(np.uint8), _RIM) > 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats((skin & ~hot).astype(np.uint8), connectivity=8)
    faces = []
    for label in range(1, len(stats)):
        points = picture[labels == label]
        faces.append(Face(float(np.percentile(points, _HIGH)), points.size / picture.size))
    if not faces:
        return None
    large = [face for face in faces if face.area >= min_area]
    return max(large, key=lambda face: face.surface) if large else max(faces, key=lambda face: face.area)
