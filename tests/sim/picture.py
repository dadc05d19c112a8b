"""One picture of the demo: what the camera sees, what the gate shows, and the newest rows of the table."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pygame

from terminal.screen.fonts import Fonts, find
from tests.sim.props import Image

_WIDTH, _TOP, _ROW, _ROWS = 1200, 360, 26, 12
_GROUND, _INK, _FAINT = (20, 24, 28), (232, 234, 236), (154, 164, 173)
_COLOURS = {"allow": (74, 222, 128), "deny": (248, 113, 113), "refer": (251, 191, 36)}
_COLUMNS = (16, 110, 230, 400, 500, 760, 850, 950, 1050)  # x of each column, px


def compose(
    camera: Image | None,
    screen_png: bytes,
    headings: Sequence[str],
    rows: Sequence[tuple[Sequence[str], str]],
) -> bytes:
    """The picture as JPEG. camera: BGR; rows: cells and verdict, oldest first."""
    surface = pygame.Surface((_WIDTH, _TOP + _ROW * (_ROWS + 2)))
    surface.fill(_GROUND)
    pictures = [camera, _decoded(screen_png)]
    for x, picture in zip((0, _WIDTH // 2), pictures, strict=True):
        if picture is not None:
            small = cv2.resize(picture, (_WIDTH // 2, _TOP), interpolation=cv2.INTER_AREA)
            surface.blit(pygame.image.frombuffer(small.tobytes(), (_WIDTH // 2, _TOP), "BGR"), (x, 0))
    fonts = Fonts(find())
    lines = [(headings, _FAINT)] + [(cells, _COLOURS.get(verdict, _INK)) for cells, verdict in rows[-_ROWS:]]
    for number, (cells, colour) in enumerate(lines):
        for x, text in zip(_COLUMNS, cells, strict=False):  # the last columns have no room
            rendered = fonts.render(fonts.readable(text), 17, False, colour)
            surface.blit(rendered, (x, _TOP + 12 + number * _ROW))
    rgb = np.frombuffer(pygame.image.tobytes(surface, "RGB"), np.uint8).reshape(*surface.get_size()[::-1], 3)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise RuntimeError("OpenCV could not encode the picture")
    return data.tobytes()


def _decoded(png: bytes) -> Image | None:
    if not png:
        return None
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.astype(np.uint8, copy=False)
