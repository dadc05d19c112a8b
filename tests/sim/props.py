"""What a person holds up to the gate, drawn flat: a phone showing the campus code app, a printed
card, a visitor's slip of paper, and the hand around it. It knows nothing of cameras: no perspective,
no light, no blur. The same arguments always give the same pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import segno

Image = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]
Holder = Literal["phone", "card", "paper"]

QUIET_ZONE = 4
INK: Colour = (24, 22, 22)
SCREEN: Colour = (246, 246, 244)


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """A flat object, ready for a camera.

    image: uint8 BGRA, shape (height, width, 4), colours premultiplied by alpha.
    body: the rigid object inside the image, (x, y, width, height) px; the rest is hand and air.
    page: the lit or printed ground the code stands on, as a box inside the image, px.
    code: the QR symbol without its quiet zone, as a box inside the image, px.
    wrist: where the forearm starts, (x, y) px, or None when no hand holds it.
    skin, sleeve: BGR of the hand and of the forearm.
    """

    holder: Holder
    image: Image
    body: Box
    page: Box
    code: Box
    wrist: tuple[int, int] | None = None
    skin: Colour = (124, 148, 190)
    sleeve: Colour = (80, 70, 60)


def phone(text: str, *, name: str = "") -> Prop:
    """A phone 450 x 900 px whose campus code app shows `text` (1 to 300 characters) as a QR code."""
    width, height, bezel = 450, 900, 16
    image = np.full((height, width, 3), (30, 28, 27), np.uint8)
    page = (bezel, bezel + 8, width - 2 * bezel, height - 2 * bezel - 16)
    left, top, page_width, page_height = page
    right, bottom = left + page_width, top + page_height
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), SCREEN, -1)
    cv2.rectangle(image, (left, top), (right - 1, top + 128), (150, 122, 44), -1)
    cv2.circle(image, (width // 2, top + 14), 7, INK, -1, cv2.LINE_AA)
    _write(image, "9:41", (left + 24, top + 24), 0.5, SCREEN)
    _write(image, "Campus Code", (left + 90, top + 92), 1.1, SCREEN, thick=2)
    if name:
        _write(image, name, (left + 34, top + 180), 0.9, INK, thick=2)
    code = _qr(image, text, (left, top + 206, page_width, page_width), SCREEN)
    foot = top + 206 + page_width
    _write(image, "Hold the code up to the gate", (left + 56, foot + 34), 0.65, (120, 110, 104))
    cv2.rectangle(image, (left + 60, foot + 58), (right - 60, foot + 112), (150, 122, 44), -1)
    _write(image, "REFRESH", (left + 144, foot + 94), 0.8, SCREEN, thick=2)
    cv2.line(image, (left + 130, bottom - 14), (right - 130, bottom - 14), INK, 4, cv2.LINE_AA)
    return Prop("phone", _cut_out(image, 46), (0, 0, width, height), page, code)


def card(text: str, name: str = "") -> Prop:
    """A printed plastic card 952 x 600 px: print on the left, `text` as a QR code on the right."""
    width, height = 952, 600
    image = np.full((height, width, 3), (224, 234, 236), np.uint8)
    cv2.rectangle(image, (0, 0), (width, 92), (112, 60, 32), -1)
    _write(image, "UNIVERSITY CAMPUS CARD", (40, 62), 1.3, (224, 234, 236), thick=3)
    cv2.rectangle(image, (44, 132), (214, 352), (176, 170, 150), -1)
    cv2.circle(image, (129, 218), 48, (120, 140, 176), -1, cv2.LINE_AA)
    cv2.ellipse(image, (129, 352), (76, 84), 0, 180, 360, (110, 84, 60), -1, cv2.LINE_AA)
    _write(image, name or "STUDENT", (44, 412), 1.0, INK, thick=2)
    for row, line in enumerate(("School of Engineering", "Valid 4 years", "If found: gate office")):
        _write(image, line, (44, 456 + 36 * row), 0.7, (90, 84, 80))
    page = (456, 108, 480, 480)
    code = _qr(image, text, page, (224, 234, 236))
    return Prop("card", _cut_out(image, 36), (0, 0, width, height), page, code)


def paper(text: str) -> Prop:
    """A visitor's slip 560 x 800 px, printed black on slightly creased paper."""
    width, height = 560, 800
    image = np.full((height, width, 3), (232, 238, 240), np.uint8)
    _write(image, "VISITOR", (150, 82), 1.9, INK, thick=4)
    _write(image, "Show this code at the gate", (96, 124), 0.8, INK, thick=2)
    page = (40, 144, 480, 480)
    code = _qr(image, text, page, (232, 238, 240))
    for row, line in enumerate(
        ("Single entry. Keep until you leave.", "Gate office: main building, room 101")
    ):
        _write(image, line, (66, 664 + 34 * row), 0.65, INK)
    # A slip that was folded once reflects differently on the two halves.
    rows = np.arange(height, dtype=np.float32)
    shade = 1.0 - 0.05 * (rows > 300) - 0.10 * np.exp(-(((rows - 300) / 5) ** 2))
    image = (image * shade[:, None, None]).astype(np.uint8)
    return Prop("paper", _cut_out(image, 3), (0, 0, width, height), page, code)


def grip(prop: Prop, rng: np.random.Generator) -> Prop:
    """The same object with a hand around it: fingers behind, fingertips and thumb on the rim.

    The hand never covers the page. Skin, sleeve and side are drawn from `rng`; `prop` is unchanged.
    """
    body_width, body_height = prop.body[2:]
    side = int(0.22 * body_height)
    height, width = prop.image.shape[:2]
    canvas = np.zeros((height + side + side // 2, width + 2 * side, 4), np.uint8)
    across, down = side + prop.body[0], side // 2 + prop.body[1]
    tone = rng.uniform(0.45, 1.0)
    skin: Colour = (int(148 * tone), int(176 * tone), int(226 * tone))
    thumb_left = bool(rng.random() < 0.5)
    thick = int(0.115 * (body_height if prop.holder != "card" else 1.1 * body_height))
    near, far = (across, across + body_width) if thumb_left else (across + body_width, across)
    inward = 1 if thumb_left else -1
    base = down + body_height

    if prop.holder == "phone":
        palm = (across + body_width // 2, base + side // 6)
        cv2.ellipse(canvas, palm, (int(0.50 * body_width), int(0.85 * side)), 0, 0, 360, (*skin, 255), -1)
        _finger(
            canvas, (near - inward * thick // 4, base), (near - inward * thick // 4, base - 300), thick, skin
        )
        fingers = [(far, base - 130 - slot * int(1.02 * thick)) for slot in range(4)]
        tips = [((x + inward * thick // 3, y), (x + inward * 2, y - 12)) for x, y in fingers]
        wrist = (palm[0], palm[1] + side // 2)
    else:
        hold = across + int((0.24 if prop.holder == "card" else 0.5) * body_width)
        palm = (hold, base + side // 3)
        cv2.ellipse(canvas, palm, (int(1.5 * thick), int(0.8 * side)), 0, 0, 360, (*skin, 255), -1)
        reach = int(0.10 * body_height)
        tips = [((hold + inward * thick // 2, base + thick), (hold, base - reach + thick // 2))]
        wrist = (palm[0], palm[1] + side // 3)

    body = canvas[side // 2 : side // 2 + height, side : side + width]
    clear = 255 - prop.image[:, :, 3:]
    body[:] = prop.image + (body.astype(np.uint16) * clear // 255).astype(np.uint8)
    for start, end in tips:
        _finger(canvas, start, end, thick if prop.holder != "phone" else int(0.8 * thick), skin)
    # Whatever a fingertip took of the page is given back: covering the code is the weather's business.
    x, y, page_width, page_height = prop.page
    page = (slice(y, y + page_height), slice(x, x + page_width))
    body[page] = prop.image[page]

    def moved(box: Box) -> Box:
        return (box[0] + side, box[1] + side // 2, box[2], box[3])

    blue, green, red = (int(level) for level in rng.integers(25, 150, 3))
    return replace(
        prop,
        image=canvas,
        body=moved(prop.body),
        page=moved(prop.page),
        code=moved(prop.code),
        wrist=wrist,
        skin=skin,
        sleeve=(blue, green, red),
    )


def _finger(canvas: Image, start: tuple[int, int], end: tuple[int, int], thick: int, skin: Colour) -> None:
    """A rounded finger, darker at its rim, drawn opaque on a BGRA canvas."""
    for share, shade in ((1.0, 0.66), (0.88, 0.84), (0.6, 0.95), (0.3, 1.0)):
        colour = tuple(int(level * shade) for level in skin)
        cv2.line(canvas, start, end, (*colour, 255), max(1, int(thick * share)), cv2.LINE_AA)


def _qr(image: Image, text: str, frame: Box, ground: Colour) -> Box:
    """Draws the code centred in `frame` with its quiet zone; returns the symbol's own box."""
    symbol = segno.make(text, error="m", boost_error=False, micro=False)
    modules = np.array(symbol.matrix, np.uint8)
    count = len(modules)
    module = min(frame[2:]) // (count + 2 * QUIET_ZONE)
    edge = module * count
    left, top = frame[0] + (frame[2] - edge) // 2, frame[1] + (frame[3] - edge) // 2
    quiet = module * QUIET_ZONE
    image[top - quiet : top + edge + quiet, left - quiet : left + edge + quiet] = ground
    dark = np.kron(modules, np.ones((module, module), np.uint8)).astype(bool)
    image[top : top + edge, left : left + edge][dark] = INK
    return (left, top, edge, edge)


def _write(
    image: Image, line: str, at: tuple[int, int], scale: float, colour: Colour, *, thick: int = 1
) -> None:
    cv2.putText(image, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)


def _cut_out(image: Image, radius: int) -> Image:
    """BGR to premultiplied BGRA with rounded corners of `radius` px."""
    height, width = image.shape[:2]
    alpha = np.zeros((height, width), np.uint8)
    cv2.rectangle(alpha, (radius, 0), (width - 1 - radius, height - 1), 255, -1)
    cv2.rectangle(alpha, (0, radius), (width - 1, height - 1 - radius), 255, -1)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(alpha, (x, y), radius, 255, -1, cv2.LINE_AA)
    colours = (image.astype(np.uint16) * alpha[:, :, None] // 255).astype(np.uint8)
    return np.dstack((colours, alpha))
