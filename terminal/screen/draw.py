"""Draws a View on a surface of any size: full-bleed colour, one big symbol, the answer, what to do.

layout() computes rectangles that can be checked without looking, draw() fills them. Every mode differs in
colour, outline and symbol, for people who do not see red from green. This module never opens a window,
never decides a word, and keeps nothing between frames but what it can compute again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import pygame
from pygame import Rect, Surface

from terminal.screen.figures import PALETTES, Palette, qr, symbol, viewfinder
from terminal.screen.fonts import Colour, Fitted, Fonts
from terminal.screen.view import Mode, View

_CODE_SHARE = 0.56  # of the short way of the column that the device code may take


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
    """Where everything stands: the symbol or camera picture, the band at the bottom, the texts.

    code: the device code for phones to scan, when there is one and it has room.
    """

    figure: Rect
    band: Rect
    blocks: tuple[Block, ...]
    code: Rect | None = None


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
    code = _device_code(column, view, wide)
    if code and wide:
        column.height = code.top - gap // 2 - column.top
    elif code:
        column.width = code.left - gap - column.left
    return Layout(figure, band, (*_column(column, view, fonts, not wide), *footer), code)


def _device_code(area: Rect, view: View, wide: bool) -> Rect | None:
    """The bottom right corner of `area` for the device code, as large as leaves the texts their room."""
    if not view.device_code or view.mode is not Mode.IDLE:
        return None
    room = min(area.width, round(area.height * _CODE_SHARE)) if wide else min(area.height, area.width // 2)
    picture = qr(view.device_code, room)
    return picture.get_rect(bottomright=area.bottomright) if picture else None


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
        viewfinder(surface, plan.figure, view.preview, palette)
    else:
        surface.blit(symbol(view.mode, plan.figure.width), plan.figure)
    if plan.code and (picture := qr(view.device_code, plan.code.width)):
        surface.blit(picture, plan.code)
    for block in plan.blocks:
        if block.panel:
            pygame.draw.rect(surface, block.behind, block.panel, border_radius=block.panel.height // 2)
        high = block.text.height // len(block.text.lines)
        for index, line in enumerate(block.text.lines):
            picture = fonts.render(line, block.text.px, block.text.bold, block.colour)
            spare = block.rect.width - picture.get_width() if block.centred else 0
            surface.blit(picture, (block.rect.left + spare // 2, block.rect.top + index * high))
