"""The view through the gate's camera while nobody is there: walls, a doorway, lamps, people further
off. It never contains a code, and one generator state always gives the same view."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tests.sim.props import Colour, Image


def scene(rng: np.random.Generator, size: tuple[int, int] = (720, 1280)) -> Image:
    """A plausible background behind a gate, out of the lens's focus.

    size: (height, width), px. Returns uint8 BGR, shape (height, width, 3).
    """
    height, width = size[0] // 2, size[1] // 2
    picture = _walls(rng, height, width)
    _doorway(picture, rng)
    _lamps(picture, rng)
    _furniture(picture, rng)
    for _ in range(int(rng.integers(0, 3))):
        _person(picture, rng, float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.05, 0.95)))
    picture = _blurred(picture, rng.uniform(1.5, 3.0))
    if rng.random() < 0.75:
        _person(picture, rng, float(rng.uniform(0.9, 1.25)), float(rng.uniform(0.35, 0.65)))
    picture = _blurred(picture, rng.uniform(0.9, 2.0))
    large = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return _textured(np.asarray(large, np.uint8), rng)


def _walls(rng: np.random.Generator, height: int, width: int) -> Image:
    """A wall lit unevenly above a darker floor."""
    hue = 1.0 + np.array((0.7, 0.0, -0.7)) * rng.uniform(-0.14, 0.10) + rng.normal(0.0, 0.015, 3)
    level = rng.uniform(80, 205)
    rows, columns = np.ogrid[0.0 : 1.0 : height * 1j, 0.0 : 1.0 : width * 1j]
    light = level * (1.0 + rng.uniform(-0.5, 0.3) * rows + rng.uniform(-0.5, 0.5) * (columns - 0.5))
    horizon = rng.uniform(0.6, 0.85) + rng.uniform(-0.08, 0.08) * columns
    light = np.where(rows > horizon, light * rng.uniform(0.4, 0.8), light)
    return np.clip(light[:, :, None] * hue, 8, 250).astype(np.uint8)


def _doorway(picture: Image, rng: np.random.Generator) -> None:
    """A door frame with glass, and the jambs of a second one further along the wall."""
    height, width = picture.shape[:2]
    left = int(rng.uniform(0.05, 0.6) * width)
    right = left + int(rng.uniform(0.2, 0.4) * width)
    top, bottom = int(rng.uniform(0.02, 0.2) * height), int(rng.uniform(0.75, 0.95) * height)
    outside, inside = _shades(rng, 120, 235), _shades(rng, 30, 90)
    cv2.rectangle(picture, (left, top), (right, bottom), outside, -1)
    ground = top + int(rng.uniform(0.5, 0.8) * (bottom - top))
    cv2.rectangle(picture, (left, ground), (right, bottom), _shades(rng, 70, 130), -1)
    for _ in range(int(rng.integers(3, 9))):
        centre = (int(rng.uniform(left, right)), int(rng.uniform(top, ground)))
        cv2.circle(picture, centre, int(rng.uniform(6, 26)), _shades(rng, 60, 160), -1)
    frame = int(rng.uniform(4, 11))
    cv2.rectangle(picture, (left, top), (right, bottom), inside, frame)
    middle = (left + right) // 2
    cv2.line(picture, (middle, top), (middle, bottom), inside, max(2, frame // 2))
    for edge in rng.uniform(0.0, 1.0, 2) * width:
        tilt = int(rng.uniform(-8, 8))
        cv2.line(
            picture, (int(edge), 0), (int(edge) + tilt, height), _shades(rng, 40, 160), int(rng.uniform(2, 7))
        )


def _lamps(picture: Image, rng: np.random.Generator) -> None:
    """Ceiling lights: long tubes in perspective and their halo."""
    height, width = picture.shape[:2]
    glow = np.zeros_like(picture)
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, 0.22) * height)
        reach = int(rng.uniform(15, 70))
        cv2.line(
            glow, (x, y), (x + reach, y + int(rng.uniform(-12, 12))), (235, 245, 250), int(rng.uniform(3, 9))
        )
    halo = _blurred(glow, 14.0)
    cv2.add(picture, halo, dst=picture)
    cv2.add(picture, glow, dst=picture)


def _furniture(picture: Image, rng: np.random.Generator) -> None:
    """A counter, a notice board with rows of something like print, a rail."""
    height, width = picture.shape[:2]
    if rng.random() < 0.6:
        x, y = int(rng.uniform(0, 0.85) * width), int(rng.uniform(0.1, 0.4) * height)
        wide, high = int(rng.uniform(50, 120)), int(rng.uniform(50, 110))
        cv2.rectangle(picture, (x, y), (x + wide, y + high), _shades(rng, 150, 240), -1)
        for row in range(y + 8, y + high - 6, int(rng.integers(6, 12))):
            end = x + 6 + int((wide - 12) * rng.uniform(0.4, 1.0))
            cv2.line(picture, (x + 6, row), (end, row), _shades(rng, 60, 140), 2)
    if rng.random() < 0.6:
        top = int(rng.uniform(0.7, 0.9) * height)
        left, right = sorted(int(edge) for edge in rng.uniform(-0.1, 1.1, 2) * width)
        cv2.rectangle(picture, (left, top), (right, height), _shades(rng, 30, 120), -1)
        cv2.line(picture, (left, top), (right, top), _shades(rng, 130, 210), 3)


def _person(picture: Image, rng: np.random.Generator, scale: float, across: float) -> None:
    """Head, hair, neck and shoulders of someone standing there; scale 1 fills the frame's height."""
    height, width = picture.shape[:2]
    head = 0.13 * height * scale
    x, y = across * width, height * (1.0 - 0.72 * scale) + head * rng.uniform(0.6, 1.4)
    y = max(y, head * 0.6)
    tone = rng.uniform(0.4, 0.95)
    skin: Colour = (int(140 * tone), int(168 * tone), int(214 * tone))
    shadow: Colour = (int(105 * tone), int(126 * tone), int(164 * tone))
    coat, lapel = _shades(rng, 25, 150), _shades(rng, 60, 220)

    def ellipse(dx: float, dy: float, rx: float, ry: float, colour: Colour) -> None:
        centre = (int(x + dx * head), int(y + dy * head))
        cv2.ellipse(picture, centre, (int(rx * head), int(ry * head)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    ellipse(0.0, 4.6, 2.15, 3.0, coat)
    ellipse(0.0, 2.6, 1.75, 1.0, coat)
    cv2.rectangle(
        picture, (int(x - 2.15 * head), int(y + 4.4 * head)), (int(x + 2.15 * head), height), coat, -1
    )
    ellipse(0.0, 1.75, 0.5, 0.75, lapel)
    ellipse(0.0, 1.2, 0.42, 0.75, shadow)
    hair = _shades(rng, 12, 70)
    ellipse(0.0, -0.18, 0.88, 1.05, hair)
    ellipse(0.0, 0.14, 0.74, 0.94, skin)
    ellipse(0.0, -0.72, 0.72, 0.36, hair)
    for side in (-0.3, 0.3):
        ellipse(side, 0.05, 0.13, 0.07, shadow)
    ellipse(0.0, 0.58, 0.24, 0.07, shadow)


def _textured(picture: Image, rng: np.random.Generator) -> Image:
    """Uneven paint and light at two scales, so that no large area is perfectly smooth."""
    height, width = picture.shape[:2]
    shade = np.zeros((height, width), np.float32)
    for cell, depth in ((160, 3.5), (14, 1.2)):
        coarse = rng.normal(0.0, depth, (height // cell + 2, width // cell + 2)).astype(np.float32)
        shade += np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    lit: Image = np.clip(picture + shade[:, :, None], 0, 255).astype(np.uint8)
    return lit


def _blurred(picture: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _shades(rng: np.random.Generator, low: int, high: int) -> Colour:
    """A muted BGR colour between two grey levels."""
    tint: npt.NDArray[np.float64] = rng.uniform(low, high) * rng.uniform(0.88, 1.12, 3)
    blue, green, red = (int(level) for level in np.clip(tint, 0, 255))
    return (blue, green, red)
