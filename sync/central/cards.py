"""Printed passes: cards of 85.6 x 54 mm (ISO/IEC 7810 ID-1), ten to an A4 sheet, and visitors' slips.

One description of a face, in millimetres, is drawn either as PDF (reportlab, the font's used glyphs embedded)
or as PNG (Pillow), so that both look the same. Fonts: a TrueType collection with Chinese glyphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from config.errors import CampusgateError
from config.files import write_atomic

FONTS = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
CARD = (85.6, 54.0)  # mm
SLIP = (80.0, 140.0)  # mm: a receipt printer's paper
_SHEET = (210.0, 297.0)
_COLUMNS, _ROWS = 2, 5
_MARK = 4.0  # mm, the length of a cut mark, which begins 1 mm outside the card
_DPI = 300
_POINT = 72 / 25.4  # points in a millimetre
_QUIET = 4  # modules around a QR code
_GREY = 0.35


class CardError(CampusgateError, ValueError):
    """Raised when a card cannot be drawn: no Chinese font, or a name that no font has glyphs for."""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text: left end of its base line and size in mm; shrunk to `width` mm when it is longer."""

    x: float
    y: float
    size: float
    text: str
    width: float
    grey: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    """One printed face. size, x, y, side: mm from the upper left; the QR's side includes its quiet zone."""

    size: tuple[float, float]
    qr: str
    x: float
    y: float
    side: float
    texts: tuple[Text, ...] = field(default=())


def card(*, school: str, name: str, subject: str, kind: str, validity: str, qr: str) -> Face:
    """The face of a person's card."""
    texts = (
        Text(5, 9, 5, school or "校园卡 Campus card", 75.6),
        Text(5, 25, 7, name, 37),
        Text(5, 32, 4, subject, 37),
        Text(5, 38, 3.2, kind, 37),
        Text(5, 45, 2.6, "有效期 Valid", 37, grey=True),
        Text(5, 49, 2.8, validity, 37),
    )
    return Face(CARD, qr, 43, 12, 39, texts)


def slip(*, school: str, name: str, subject: str, places: str, validity: str, qr: str) -> Face:
    """A visitor's receipt slip."""
    texts = (
        Text(5, 10, 5, school or "校园 Campus", 70),
        Text(5, 18, 5, "访客通行证 Visitor pass", 70),
        Text(5, 98, 7, name, 70),
        Text(5, 106, 4, subject, 70),
        Text(5, 114, 3.5, f"地点 Place: {places}", 70),
        Text(5, 122, 3.2, validity, 70),
        Text(5, 132, 2.8, "请在入口出示此码 Show this code at the gate", 70, grey=True),
    )
    return Face(SLIP, qr, 5, 21, 70, texts)


def png(face: Face, path: Path) -> None:
    """Write `face` as a PNG picture of 300 dots an inch, for its owner alone. Raises: CardError, OSError."""
    dots = _DPI / 25.4
    size = tuple(round(side * dots) for side in face.size)
    image = Image.new("L", (size[0], size[1]), 255)
    draw = ImageDraw.Draw(image)
    for text in face.texts:
        _check(text.text)
        font = _font(text.size * dots)
        width = font.getlength(text.text)
        if width > text.width * dots:
            font = _font(text.size * dots * text.width * dots / width)
        fill = round(_GREY * 255) if text.grey else 0
        draw.text((text.x * dots, text.y * dots), text.text, font=font, fill=fill, anchor="ls")
    matrix = _matrix(face.qr)
    module = int(face.side * dots / len(matrix))  # whole dots: edges stay sharp
    left, top = (
        round(start * dots + (face.side * dots - module * len(matrix)) / 2) for start in (face.x, face.y)
    )
    for x, y in _dark(matrix):
        box = (left + x * module, top + y * module, left + (x + 1) * module - 1, top + (y + 1) * module - 1)
        draw.rectangle(box, fill=0)
    out = BytesIO()
    image.save(out, format="PNG", dpi=(_DPI, _DPI))
    write_atomic(path, out.getvalue(), mode=0o600)


def pdf(faces: Sequence[Face], title: str) -> bytes:
    """A PDF of `faces`: cards on A4 sheets with cut marks, any other face on a page of its own size.

    Raises: CardError.
    """
    out = BytesIO()
    canvas = Canvas(out, pageCompression=1)
    canvas.setTitle(title)
    cards = [face for face in faces if face.size == CARD]
    for start in range(0, len(cards), _COLUMNS * _ROWS):
        canvas.setPageSize((_SHEET[0] * _POINT, _SHEET[1] * _POINT))
        for index, face in enumerate(cards[start : start + _COLUMNS * _ROWS]):
            left = (_SHEET[0] - _COLUMNS * CARD[0]) / 2 + index % _COLUMNS * CARD[0]
            top = (_SHEET[1] - _ROWS * CARD[1]) / 2 + index // _COLUMNS * CARD[1]
            _draw(canvas, face, left, top, _SHEET[1])
        _cut_marks(canvas)
        canvas.showPage()
    for face in faces:
        if face.size != CARD:
            canvas.setPageSize((face.size[0] * _POINT, face.size[1] * _POINT))
            _draw(canvas, face, 0, 0, face.size[1])
            canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw(canvas: Any, face: Face, left: float, top: float, height: float) -> None:
    font = _pdf_font()
    for text in face.texts:
        _check(text.text)
        size = text.size * _POINT
        width = pdfmetrics.stringWidth(text.text, font, size)
        canvas.setFont(font, size * min(1.0, text.width * _POINT / width) if width else size)
        canvas.setFillGray(_GREY if text.grey else 0)
        canvas.drawString((left + text.x) * _POINT, (height - top - text.y) * _POINT, text.text)
    canvas.setFillGray(0)
    matrix = _matrix(face.qr)
    module = face.side / len(matrix) * _POINT
    x0, y0 = (left + face.x) * _POINT, (height - top - face.y) * _POINT
    path = canvas.beginPath()  # one path: no hairlines between modules
    for x, y in _dark(matrix):
        path.rect(x0 + x * module, y0 - (y + 1) * module, module, module)
    canvas.drawPath(path, stroke=0, fill=1)


def _cut_marks(canvas: Any) -> None:
    canvas.setLineWidth(0.25)
    left, top = (_SHEET[0] - _COLUMNS * CARD[0]) / 2, (_SHEET[1] - _ROWS * CARD[1]) / 2
    for column in range(_COLUMNS + 1):
        x = (left + column * CARD[0]) * _POINT
        for edge, way in ((top - 1, -1), (_SHEET[1] - top + 1, 1)):
            canvas.line(x, edge * _POINT, x, (edge + way * _MARK) * _POINT)
    for row in range(_ROWS + 1):
        y = (top + row * CARD[1]) * _POINT
        for edge, way in ((left - 1, -1), (_SHEET[0] - left + 1, 1)):
            canvas.line(edge * _POINT, y, (edge + way * _MARK) * _POINT, y)


def _matrix(text: str) -> list[list[int]]:
    code = segno.make(text, error="m", micro=False, boost_error=False)
    return [list(row) for row in code.matrix_iter(border=_QUIET)]


def _dark(matrix: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    return ((x, y) for y, row in enumerate(matrix) for x, module in enumerate(row) if module)


@cache
def font_file() -> Path:
    """The font that cards are set in. Raises: CardError when there is none."""
    for path in FONTS:
        if path.exists():
            return path
    raise CardError("no Chinese font is installed: sudo apt install fonts-wqy-microhei")


@cache
def _pdf_font() -> str:
    try:
        pdfmetrics.registerFont(TTFont("card", str(font_file()), subfontIndex=0))
    except TTFError as error:
        raise CardError(f"{font_file()}: cannot be embedded ({error})") from error
    return "card"


@cache
def _font(pixels: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_file()), pixels, index=0)


def _check(text: str) -> None:
    glyphs = pdfmetrics.getFont(_pdf_font()).face.charToGlyph
    lacking = sorted({character for character in text if ord(character) not in glyphs})
    if lacking:
        raise CardError(f"{text!r}: {font_file().name} has no glyph for {' '.join(lacking)}")
