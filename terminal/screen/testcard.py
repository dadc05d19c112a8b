"""The test card: what a technician looks at to see that the screen is whole, sharp and has its colours."""

from __future__ import annotations

import pygame
from pygame import Rect, Surface

from terminal.screen.fonts import Colour, Fonts

_BARS: tuple[Colour, ...] = (
    (255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255),
    (0, 0, 0),
)  # fmt: skip
_GROUND: Colour = (64, 64, 64)
_INK: Colour = (255, 255, 255)
_GRID = 20  # cells along the longer side
_TEXT = "屏幕测试 0123456789 / SCREEN TEST 0123456789"


def draw_testcard(surface: Surface, device: str, fonts: Fonts) -> None:
    """Paint the whole surface: colour bars above, a grid to the edges, and text in both languages."""
    width, height = surface.get_size()
    surface.fill(_GROUND)
    bars = height // 2
    for number, colour in enumerate(_BARS):
        left, right = number * width // len(_BARS), (number + 1) * width // len(_BARS)
        surface.fill(colour, Rect(left, 0, right - left, bars))
    cell = max(8, max(width, height) // _GRID)
    for x in range(0, width, cell):
        pygame.draw.line(surface, _INK, (x, bars), (x, height))
    for y in range(bars, height, cell):
        pygame.draw.line(surface, _INK, (0, y), (width, y))
    pygame.draw.rect(surface, _INK, surface.get_rect(), 1)  # the outermost pixels: a screen that cuts shows
    lines = [*fonts.readable(_TEXT).split(" / "), f"{device}  {width} x {height}"]
    room = Rect(width // 20, bars + height // 20, width * 9 // 10, height - bars - height // 10)
    each = room.height // len(lines)
    for number, line in enumerate(lines):
        fitted = fonts.fit(line, (room.width, each * 4 // 5), largest=each, lines=1)
        picture = fonts.render(fitted.lines[0], fitted.px, fitted.bold, _INK)
        place = picture.get_rect(midleft=(room.left, room.top + number * each + each // 2))
        surface.fill(_GROUND, place.inflate(8, 4))
        surface.blit(picture, place)
