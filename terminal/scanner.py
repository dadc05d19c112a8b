"""The scanner: a camera frame -> the code that somebody holds up, or nothing.

zxing-cpp looks first: it is the fastest and reads the most. Only when it finds the marks of a code that it
cannot read does pyzbar look too. A frame that makes a decoder fail costs that frame and no more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import zxingcpp
from pyzbar import pyzbar

from hw.frame import Frame

log = logging.getLogger(__name__)

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A text seen in a frame. centre: (x, y) and size (the code's longest side) in pixels."""

    text: str
    frame: Frame
    centre: tuple[float, float]
    size: float


def grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`image` as (height, width) uint8; what is already grey is given back as it is."""
    if image.ndim == 2:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def scan(frame: Frame) -> list[Sighting]:
    """All codes in `frame`, the one nearest the middle first; [] when there is none or decoding failed."""
    try:
        image = grey(frame.image)
        found, marked = _zxing(image, frame)
        if marked and not found:
            found = _zbar(image, frame)
    except Exception:  # decoders are C++ over hostile pictures: one frame is all they may cost
        log.exception("frame %d could not be decoded", frame.number)
        return []
    middle = (image.shape[1] / 2, image.shape[0] / 2)
    return sorted(found, key=lambda s: abs(s.centre[0] - middle[0]) + abs(s.centre[1] - middle[1]))


def _zxing(image: npt.NDArray[np.uint8], frame: Frame) -> tuple[list[Sighting], bool]:
    """What zxing-cpp reads, and whether it saw the marks of any code, readable or not."""
    codes = zxingcpp.read_barcodes(image, formats=_QR, return_errors=True)
    found = []
    for code in codes:
        if code.valid:
            p = code.position
            corners = [(c.x, c.y) for c in (p.top_left, p.top_right, p.bottom_right, p.bottom_left)]
            found.append(_sighting(code.text, frame, corners))
    return found, bool(codes)


def _zbar(image: npt.NDArray[np.uint8], frame: Frame) -> list[Sighting]:
    codes = pyzbar.decode(image, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return [
        _sighting(code.data.decode("utf-8", "replace"), frame, [(p.x, p.y) for p in code.polygon])
        for code in codes
    ]


def _sighting(text: str, frame: Frame, corners: list[tuple[int, int]]) -> Sighting:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    centre = (sum(xs) / len(xs), sum(ys) / len(ys))
    return Sighting(text, frame, centre, float(max(max(xs) - min(xs), max(ys) - min(ys))))
