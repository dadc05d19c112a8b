"""One camera frame: what every camera gives and the scanner takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture and when it was taken.

    image: uint8, shape (height, width) grey or (height, width, 3) BGR, as OpenCV lays it out.
    captured_at: seconds, `time.monotonic()` at the moment the driver handed it over.
    number: counts up from 0 in one opening of a camera.
    """

    image: npt.NDArray[np.uint8]
    captured_at: float
    number: int
