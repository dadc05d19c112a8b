"""Draws a View on a surface of any size: full-bleed colour, one big symbol, the answer, what to do.

layout() computes rectangles that can be checked without looking, draw() fills them. Every mode differs in
colour, outline and symbol, for people who do not see red from green. This module never opens a window,
never decides a word, and keeps nothing between frames but what it can compute again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import cos, pi, sin

import cv2
import numpy as np
import pygame
from pygame import Rect, Surface

from terminal.screen.fonts import Colour, Fitted, Fonts
from terminal.screen.view import Mode, Picture, View

Point = tuple[float, float]


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


@dataclass(frozen=True)
class Block:
    """One text in its place: `rect` is the text as measured, `area` what it may fill, in pixels.

    `panel` is the pill behind it, if any; `centred` lines stand in the middle of the rect.
    """

    role: str
    text: Fitted
    rect: Rect
    area: Rect
    colour: Colour
    behind: Colour
    centred: bool
    panel: Rect | None = None


@dataclass(frozen=True)
class Layout:
    """Where everything stands: the symbol or camera picture, the band at the bottom, the texts."""

    figure: Rect
    band: Rect
    blocks: tuple[Block, ...]


@lru_cache(maxsize=8)
def layout(size: tuple[int, int], view: View, fonts: Fonts) -> Layout:
    """Arrange a view on a surface of a size (pixels, 480x320 to 1920x1080, either way up).

    The result is kept and given out again, so do not change it.
    """
    width, height = size
    margin = min(size) // 20
    band, footer = _footer(size, view, fonts)
    body = Rect(margin, margin, width - 2 * margin, band.top - 2 * margin)
    wide, idle = width > height, view.mode is Mode.IDLE
    gap = margin if idle or not wide else margin * 3 // 2
    if wide:
        room = Rect(body.topleft, (round(body.width * (0.54 if idle else 0.38)), body.height))
        column = Rect(room.right + gap, body.top, body.right - room.right - gap, body.height)
    else:
        room = Rect(body.topleft, (body.width, round(body.height * (0.56 if idle else 0.40))))
        column = Rect(body.left, room.bottom + gap, body.width, body.bottom - room.bottom - gap)
    figure = Rect(0, 0, *((4, 3) if idle else (1, 1))).fit(room)
    return Layout(figure, band, (*_column(column, view, fonts, not wide), *footer))


def _column(area: Rect, view: View, fonts: Fonts, centred: bool) -> list[Block]:
    palette = PALETTES[view.mode]
    zh, en = fonts.readable(view.headline_zh), fonts.readable(view.headline_en)
    degrees = fonts.readable(f"{view.celsius} °C") if view.celsius else ""
    facts = [fact for fact in (("name", fonts.readable(view.name)), ("celsius", degrees)) if fact[1]]
    rows = [  # role, text, share of the height, most lines, bold
        ("headline_zh", zh, 0.40, 2, True),
        ("headline_en", en, 0.19 if zh else 0.45, 2 if zh else 3, not zh),
        ("facts", "shown" if facts else "", 0.17, 1, False),
        ("advice_zh", fonts.readable(view.advice_zh), 0.17, 2, False),
        ("advice_en", fonts.readable(view.advice_en), 0.14 if zh else 0.25, 3, False),
    ]
    rows = [row for row in rows if row[1]]
    shares = max(0.75, sum(row[2] for row in rows))  # a lone headline need not fill the wall
    left = area.height - area.height // 24 * len(rows)
    stack: list[tuple[list[Block], int]] = []
    largest, cap = left / shares, area.height
    for role, shown, share, lines, bold in rows:
        box = (area.width, int(left * share / shares))  # what one row leaves, the rows below it get
        limit = min(cap, int(largest * share))
        if role == "facts":
            blocks = _pills(facts, (area.width, limit), palette, fonts)
        else:
            text = fonts.fit(shown, box, largest=limit, lines=lines, bold=bold)
            rect = Rect(0, 0, text.width, text.height)
            blocks = [Block(role, text, rect, area, palette.ink, palette.ground, centred)]
        if not stack:
            cap = blocks[0].text.px * 2 // 3  # all else stays clearly smaller than the answer
        stack.append((blocks, blocks[0].rect.height))
        left, shares = left - blocks[0].rect.height, shares - share
    free = area.height - sum(high for _, high in stack)
    space = min(free // (len(stack) + 1), area.height // 14)
    top = area.top + (free - space * (len(stack) - 1)) // 2
    placed = []
    for blocks, high in stack:
        extent = (blocks[-1].panel or blocks[-1].rect).right
        x = area.left + ((area.width - extent) // 2 if centred else 0)
        for block in blocks:
            panel = block.panel.move(x, top) if block.panel else None
            placed.append(replace(block, rect=block.rect.move(x, top), area=area, panel=panel))
        top += high + space
    return placed


def _pills(facts: list[tuple[str, str]], box: tuple[int, int], palette: Palette, fonts: Fonts) -> list[Block]:
    """Name and temperature side by side at one size, each on a pill, starting at (0, 0)."""
    pad = box[1] // 3
    wide = (box[0] - pad) // len(facts) - 2 * pad
    px = min(fonts.fit(text, (wide, box[1]), largest=box[1], lines=1).px for _, text in facts)
    texts = [fonts.fit(text, (wide, box[1]), largest=px, lines=1) for _, text in facts]
    high = max(text.height for text in texts)
    blocks: list[Block] = []
    left = 0
    for (role, _), text in zip(facts, texts, strict=True):
        panel = Rect(left, 0, text.width + 2 * pad, high)
        rect = Rect(left + pad, 0, text.width, high)
        blocks.append(Block(role, text, rect, panel, palette.ink, palette.panel, True, panel))
        left = panel.right + pad
    return blocks


def _footer(size: tuple[int, int], view: View, fonts: Fonts) -> tuple[Rect, list[Block]]:
    palette = PALETTES[view.mode]
    (width, height), unit = size, min(size)
    margin, row, pad = unit // 20, unit // 12, unit // 60
    notices = [fonts.readable(notice) for notice in view.notices]
    if fonts.missing:
        notices.append(fonts.missing.notice)
    small = "   ·   ".join(notice for notice in notices if notice)
    tall = unit // 14 if width > height else unit // 10  # a narrow screen needs two lines
    staff = max(26, tall) if small else 0
    band = Rect(0, 0, width, row + staff + 2 * pad)
    band.bottom = height
    clock = Rect(0, band.top + pad, width // 4, row).move_to(right=width - margin)
    place = Rect(margin, clock.top, clock.left - 2 * margin, row)
    where = " · ".join(text for text in map(fonts.readable, (view.place_zh, view.place_en)) if text)
    lines = Rect(margin, clock.bottom, width - 2 * margin, staff)
    blocks = []
    for role, shown, area, largest, count in (
        ("place", where, place, row * 2 // 3, 2),
        ("clock", fonts.readable(view.clock), clock, row * 4 // 5, 1),
        ("notices", small, lines, max(11, row // 2), 2),
    ):
        if shown:
            text = fonts.fit(shown, area.size, largest=largest, lines=count)
            rect = Rect(0, 0, text.width, text.height)
            rect.midleft = area.midleft
            if role == "clock":
                rect.right = area.right
            blocks.append(Block(role, text, rect, area, palette.soft, palette.band, False))
    return band, blocks


def draw(surface: Surface, view: View, fonts: Fonts) -> None:
    """Paint the whole surface with a view; changes nothing else and needs no display.

    Raises cv2.error if the preview is neither grey nor BGR.
    """
    palette = PALETTES[view.mode]
    plan = layout(surface.get_size(), view, fonts)
    surface.fill(palette.ground)
    surface.fill(palette.band, plan.band)
    if view.mode is Mode.IDLE:
        _viewfinder(surface, plan.figure, view.preview, palette)
    else:
        surface.blit(symbol(view.mode, plan.figure.width), plan.figure)
    for block in plan.blocks:
        if block.panel:
            pygame.draw.rect(surface, block.behind, block.panel, border_radius=block.panel.height // 2)
        high = block.text.height // len(block.text.lines)
        for index, line in enumerate(block.text.lines):
            picture = fonts.render(line, block.text.px, block.text.bold, block.colour)
            spare = block.rect.width - picture.get_width() if block.centred else 0
            surface.blit(picture, (block.rect.left + spare // 2, block.rect.top + index * high))


def _viewfinder(surface: Surface, frame: Rect, preview: Picture | None, palette: Palette) -> None:
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
