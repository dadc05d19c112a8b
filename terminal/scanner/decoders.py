"""The decoders that others have written, each as one function: grey image -> symbols.

None of them is trusted not to fail: an exception counts as nothing read.
"""

from __future__ import annotations

from dataclasses import dataclass

import zxingcpp
from pyzbar import pyzbar

from terminal.scanner.sighting import Grey, Symbol

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_ZBAR_QR = [pyzbar.ZBarSymbol.QRCODE]


@dataclass(frozen=True, slots=True)
class Look:
    """What one decoder made of one image. marked: it saw the marks of a code that it could not read."""

    symbols: tuple[Symbol, ...] = ()
    marked: tuple[Symbol, ...] = ()


def zxing_quick(image: Grey) -> Look:
    """zxing-cpp with one global threshold, upright polarity, full size: a quarter of its usual cost.

    It reads what is lit evenly, which is most of what people hold up.
    """
    return _zxing(image, zxingcpp.Binarizer.GlobalHistogram, thorough=False)


def zxing(image: Grey) -> Look:
    """zxing-cpp as it comes: local threshold, both polarities, also at half size."""
    return _zxing(image, zxingcpp.Binarizer.LocalAverage, thorough=True)


def zxing_plain(image: Grey) -> Look:
    """zxing-cpp with local threshold, upright polarity, full size: for images that were repaired already."""
    return _zxing(image, zxingcpp.Binarizer.LocalAverage, thorough=False)


def _zxing(image: Grey, binarizer: zxingcpp.Binarizer, *, thorough: bool) -> Look:
    codes = zxingcpp.read_barcodes(
        image,
        formats=_QR,
        binarizer=binarizer,
        try_rotate=False,  # for codes with bars; QR finder patterns look the same either way
        try_invert=thorough,
        try_downscale=thorough,
        return_errors=True,
        # Bytes that are no text come as Latin-1: whoever holds them up is told that it is no campus code.
        text_mode=zxingcpp.TextMode.Plain,
    )
    read, marked = [], []
    for code in codes:
        p = code.position
        corners = tuple(
            (float(c.x), float(c.y)) for c in (p.top_left, p.top_right, p.bottom_right, p.bottom_left)
        )
        if not code.valid:
            marked.append(Symbol("", corners))
        elif code.text:
            read.append(Symbol(code.text, corners))
    return Look(tuple(read), tuple(marked))


def zbar(image: Grey) -> Look:
    """ZBar through pyzbar: slower, but it reads moire and broken finder patterns that zxing-cpp does not."""
    try:
        codes = pyzbar.decode(image, symbols=_ZBAR_QR)
    except (ValueError, pyzbar.PyZbarError):
        # pyzbar 0.1.9 raises ValueError on orientations that ZBar reports and pyzbar does not know.
        return Look()
    read = []
    for code in codes:
        try:
            text = code.data.decode("ascii")  # beyond ASCII, ZBar guesses the encoding
        except UnicodeDecodeError:
            continue
        if text and code.polygon:
            read.append(Symbol(text, tuple((float(p.x), float(p.y)) for p in code.polygon)))
    return Look(tuple(read))
