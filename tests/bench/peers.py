"""What a user could pick instead of our scanner, each as grey image -> texts, as its own example shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import zxingcpp
from pyzbar import pyzbar

Grey = npt.NDArray[np.uint8]
Reader = Callable[[Grey], Sequence[str]]

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def zxing(image: Grey) -> Sequence[str]:
    """zxing-cpp, QR only, its defaults, but texts as they are: no <NUL> for a control character."""
    plain = zxingcpp.TextMode.Plain
    return [code.text for code in zxingcpp.read_barcodes(image, formats=_QR, text_mode=plain)]


def zxing_fast(image: Grey) -> Sequence[str]:
    """zxing-cpp's own fast pass: no other rotation, polarity or scale."""
    options = {"try_rotate": False, "try_invert": False, "try_downscale": False}
    return [code.text for code in zxingcpp.read_barcodes(image, formats=_QR, **options)]


def zxing_hardest(image: Grey) -> Sequence[str]:
    """zxing-cpp with everything tried, under each of its binarizers."""
    found: list[str] = []
    for binarizer in (
        zxingcpp.Binarizer.LocalAverage,
        zxingcpp.Binarizer.GlobalHistogram,
        zxingcpp.Binarizer.FixedThreshold,
    ):
        found += [code.text for code in zxingcpp.read_barcodes(image, formats=_QR, binarizer=binarizer)]
    return found


def pyzbar_default(image: Grey) -> Sequence[str]:
    """pyzbar, all symbologies."""
    return _zbar(image, None)


def pyzbar_qr(image: Grey) -> Sequence[str]:
    """pyzbar, QR only."""
    return _zbar(image, [pyzbar.ZBarSymbol.QRCODE])


def _zbar(image: Grey, symbols: list[pyzbar.ZBarSymbol] | None) -> Sequence[str]:
    try:
        return [code.data.decode("utf-8", "replace") for code in pyzbar.decode(image, symbols=symbols)]
    except ValueError:  # an orientation that pyzbar does not know
        return []


def opencv(image: Grey) -> Sequence[str]:
    """cv2.QRCodeDetector."""
    return _opencv(cv2.QRCodeDetector(), image)


def opencv_aruco(image: Grey) -> Sequence[str]:
    """cv2.QRCodeDetectorAruco."""
    return _opencv(cv2.QRCodeDetectorAruco(), image)


def _opencv(detector: cv2.GraphicalCodeDetector, image: Grey) -> Sequence[str]:
    try:
        good, texts, _, _ = detector.detectAndDecodeMulti(image)
    except (cv2.error, UnicodeDecodeError):
        return []
    return [text for text in texts if text] if good else []


PEERS: dict[str, Reader] = {
    "zxing-cpp": zxing,
    "zxing-cpp hardest": zxing_hardest,
    "pyzbar": pyzbar_default,
    "pyzbar QR only": pyzbar_qr,
    "cv2.QRCodeDetector": opencv,
    "cv2.QRCodeDetectorAruco": opencv_aruco,
}
