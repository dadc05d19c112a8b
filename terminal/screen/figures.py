"""The pictures on the gate's screen: the signs of the modes, the viewfinder, the QR code that phones scan.

Each fills a rectangle that layout() gave it. This module decides no place, no size and no word, and keeps
nothing between frames but what it can compute again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

import cv2
import numpy as np
import pygame
import segno
from pygame import Rect, Surface

from terminal.screen.fonts import Colour
from terminal.screen.view import Mode, Picture

Point = tuple[float, float]
MIN_MODULE = 2  # pixels: a smaller square of a QR code is lost between the screen and a phone's lens
_QUIET = 4  # modules of white around a QR code (ISO/IEC 18004)


@dataclass(frozen=True)
class Palette:
    """Colours of one mode; ink stands on ground and panel, soft on ground and band."""

    ground: Colour
    ink: Colour
    soft: Colour
    panel: Colour
    band: Colour


_WHITE = (255, 255, 255)
PALETTES = {
    Mode.IDLE: Palette((13, 22, 38), (246, 249, 253), (176, 194, 216), (25, 40, 64), (7, 13, 24)),
    Mode.ALLOW: Palette((0, 118, 62), _WHITE, (222, 245, 231), (0, 91, 47), (0, 78, 41)),
    Mode.DENY: Palette((190, 18, 38), _WHITE, (255, 228, 230), (148, 10, 27), (126, 8, 23)),
    Mode.REFER: Palette((255, 193, 20), (36, 24, 0), (58, 40, 0), (255, 219, 118), (232, 168, 0)),
    Mode.FAULT: Palette((66, 82, 104), _WHITE, (224, 231, 240), (48, 61, 80), (38, 49, 66)),
}
_FRAME = (94, 205, 255)  # the viewfinder's corners


def viewfinder(surface: Surface, frame: Rect, preview: Picture | None, palette: Palette) -> None:
    side = round(frame.height * 0.74)
    aim = Rect(0, 0, side, side).move_to(center=frame.center)
    if preview is None or not preview.size:
        pygame.draw.rect(surface, palette.panel, frame)
        _code(surface, aim.inflate(-side // 2, -side // 2), palette)
    else:
        inner = aim.move(-frame.left, -frame.top)
        picture = _mirrored(preview, frame.size)
        surface.blit(pygame.image.frombuffer(picture.tobytes(), frame.size, "RGB"), frame)
        # Dimmed around the aim: the eye, and then the hand, go to the bright square.
        shade = Surface(frame.size, pygame.SRCALPHA)
        shade.fill((*palette.ground, 150))
        shade.fill((0, 0, 0, 0), inner)
        surface.blit(shade, frame)
    thick, arm = max(3, side // 40), side // 5
    for x, dx in ((aim.left, 1), (aim.right, -1)):
        for y, dy in ((aim.top, 1), (aim.bottom, -1)):
            _stroke(surface, _FRAME, [(x + dx * arm, y), (x, y), (x, y + dy * arm)], thick)


def _mirrored(preview: Picture, size: tuple[int, int]) -> Picture:
    """The preview's middle in RGB, turned left to right, filling the size without being stretched."""
    rows, columns = preview.shape[:2]
    scale = max(size[0] / columns, size[1] / rows)
    wide, high = min(columns, round(size[0] / scale)), min(rows, round(size[1] / scale))
    top, left = (rows - high) // 2, (columns - wide) // 2
    picture = cv2.resize(preview[top : top + high, left : left + wide], size)
    colours = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.flip(cv2.cvtColor(picture, colours), 1), dtype=np.uint8)


def _code(surface: Surface, area: Rect, palette: Palette) -> None:
    """A QR code as a picture of itself (seven by seven, of no content) where the camera shows nothing."""
    cell = area.width // 7
    for x, y in ((0, 0), (4, 0), (0, 4)):
        eye = Rect(area.left + x * cell, area.top + y * cell, 3 * cell, 3 * cell)
        pygame.draw.rect(surface, palette.soft, eye, width=max(2, cell // 2), border_radius=cell // 3)
        surface.fill(palette.soft, Rect(eye.left + cell, eye.top + cell, cell, cell))
    for x, y in ((4, 4), (6, 4), (5, 5), (4, 6), (6, 6)):
        surface.fill(palette.soft, Rect(area.left + x * cell, area.top + y * cell, cell, cell))


@lru_cache(maxsize=8)
def symbol(mode: Mode, side: int) -> Surface:
    """The sign of a mode on a transparent square (side in pixels): outline and mark both tell it."""
    ink, mark = PALETTES[mode].ink, PALETTES[mode].ground
    fine = 3 * side  # drawn large and scaled down, which smooths the edges
    big = Surface((fine, fine), pygame.SRCALPHA)
    big.fill((*ink, 0))

    def at(*points: Point) -> list[Point]:
        return [(x * fine, y * fine) for x, y in points]

    if mode is Mode.DENY:
        corners = [(turn + 0.5) * pi / 4 for turn in range(8)]
        pygame.draw.polygon(big, ink, at(*((0.5 + 0.5 * cos(a), 0.5 + 0.5 * sin(a)) for a in corners)))
        for line in (((0.32, 0.32), (0.68, 0.68)), ((0.68, 0.32), (0.32, 0.68))):
            _stroke(big, mark, at(*line), 0.12 * fine)
    elif mode is Mode.REFER:
        triangle = at((0.5, 0.10), (0.95, 0.88), (0.05, 0.88))
        pygame.draw.polygon(big, ink, triangle)
        _stroke(big, ink, [*triangle, triangle[0]], 0.10 * fine)
        _stroke(big, mark, at((0.5, 0.36), (0.5, 0.60)), 0.11 * fine)
        _stroke(big, mark, at((0.5, 0.77)), 0.12 * fine)
    elif mode is Mode.FAULT:
        pygame.draw.rect(big, ink, Rect(0, 0, fine, fine), border_radius=round(0.2 * fine))
        _stroke(big, mark, at((0.64, 0.36), (0.27, 0.73)), 0.16 * fine)
        pygame.draw.circle(big, mark, at((0.64, 0.36))[0], 0.21 * fine)
        _stroke(big, ink, at((0.66, 0.34), (0.86, 0.14)), 0.15 * fine)
        _stroke(big, ink, at((0.27, 0.73)), 0.07 * fine)
    else:
        pygame.draw.circle(big, ink, (fine / 2, fine / 2), fine / 2)
        _stroke(big, mark, at((0.27, 0.52), (0.44, 0.69), (0.74, 0.34)), 0.13 * fine)
    return pygame.transform.smoothscale(big, (side, side))


def _stroke(surface: Surface, colour: Colour, points: Iterable[Point], thick: float) -> None:
    """A line with round ends and joints, `thick` pixels wide; a single point gives a dot."""
    before: Point | None = None
    for x, y in points:
        pygame.draw.circle(surface, colour, (x, y), thick / 2)
        if before and before != (x, y):
            across = pygame.Vector2(x - before[0], y - before[1]).rotate(90)
            across.scale_to_length(thick / 2)
            (a, b), (dx, dy) = before, across
            quad = [(a + dx, b + dy), (x + dx, y + dy), (x - dx, y - dy), (a - dx, b - dy)]
            pygame.draw.polygon(surface, colour, quad)
        before = (x, y)


@lru_cache(maxsize=2)
def qr(text: str, most: int) -> Surface | None:
    """`text` as a QR code, black on white with its quiet zone, at most `most` pixels wide; None if too small.

    Level L: nothing smears a screen, and fewer modules are larger ones.
    """
    rows = np.array(list(segno.make(text, error="l", micro=False).matrix_iter(border=_QUIET)), np.uint8)
    scale = most // len(rows)
    if scale < MIN_MODULE:
        return None
    grey = np.kron(np.where(rows, 0, 255).astype(np.uint8), np.ones((scale, scale), np.uint8))
    return pygame.image.frombuffer(np.repeat(grey, 3).tobytes(), grey.shape, "RGB")
