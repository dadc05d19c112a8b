"""What the scanner gives: a text that was really in a frame, and where."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hw.frame import Frame

Grey = npt.NDArray[np.uint8]
Point = tuple[float, float]

SMALLEST = 16  # pixels a side that a picture must have for the decoders


@dataclass(frozen=True, slots=True)
class Symbol:
    """A decoded QR symbol. corners: (x, y) in pixels of the image it was decoded from."""

    text: str
    corners: tuple[Point, ...]

    def placed(self, scale: float, left: float, top: float) -> Symbol:
        """The same symbol in the coordinates of the frame, of which the image was a part.

        scale: pixels of the image for one of the frame. left, top: where the part began, px of the frame.
        """
        return Symbol(self.text, tuple((x / scale + left, y / scale + top) for x, y in self.corners))

    @property
    def centre(self) -> Point:
        """The mean of its corners."""
        return (
            sum(x for x, _ in self.corners) / len(self.corners),
            sum(y for _, y in self.corners) / len(self.corners),
        )

    @property
    def size(self) -> float:
        """The longer side of its upright bounding box."""
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return max(max(xs) - min(xs), max(ys) - min(ys))


@dataclass(frozen=True, slots=True)
class Sighting:
    """A text seen in a frame. centre: (x, y) and size (the code's longest side) in pixels."""

    text: str
    frame: Frame
    centre: Point
    size: float


def grey(image: npt.NDArray[np.uint8]) -> Grey:
    """`image` as (height, width) uint8; one that is grey already is given back as it is.

    Raises: ValueError when it is not a picture that the decoders can take.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"not a picture: {image.dtype} {image.shape}")
    if image.ndim == 2:
        return image
    if image.shape[2] == 1:
        return image[:, :, 0]
    if image.shape[2] != 3:
        raise ValueError(f"a picture has 1 or 3 channels, not {image.shape[2]}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
