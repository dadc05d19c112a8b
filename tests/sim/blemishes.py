"""What spoils the object itself before light reaches the lens: a finger on the code, cracked glass,
dark mode, the moire of a screen, the reflection of a lamp. Every function paints into the picture it
is given (premultiplied BGRA, a copy owned by the caller) and never touches the camera's side."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tests.sim.props import Box, Colour, Image


def invert(image: Image, page: Box) -> None:
    """Dark mode: the page's light and dark change places."""
    x, y, width, height = page
    part = image[y : y + height, x : x + width, :3]
    np.subtract(np.uint8(255), part, out=part)
    # A dark screen still glows a little, and its white is not brighter than a light page's.
    part[:] = np.maximum(part, 22)


def crack(image: Image, page: Box, lines: int, rng: np.random.Generator) -> None:
    """Breaks the glass: `lines` (0 to 60) cracks run out from one point of impact on the page."""
    x, y, width, height = page
    part = np.ascontiguousarray(image[y : y + height, x : x + width, :3])
    impact = rng.uniform((0.1, 0.1), (0.9, 0.9)) * (width, height)
    for bearing in np.linspace(0.0, 2 * np.pi, lines, endpoint=False):
        headings = bearing + rng.normal(0.0, 0.08) + np.cumsum(rng.normal(0.0, 0.22, 8))
        steps = np.column_stack((np.cos(headings), np.sin(headings))) * rng.uniform(0.02, 0.11) * height
        points = np.vstack((impact, impact + np.cumsum(steps, axis=0))).astype(np.int32)
        level = int(rng.integers(90, 190))
        # A light knock leaves hairlines; a hard one opens some of them.
        thick = 1 + int(rng.random() < lines / 40)
        cv2.polylines(part, [points], False, (level, level, level), thick, cv2.LINE_AA)
    image[y : y + height, x : x + width, :3] = part


def finger(image: Image, code: Box, fraction: float, skin: Colour, rng: np.random.Generator) -> None:
    """Lays a finger over `fraction` (0 to 0.3) of the code, in from an edge or the free corner.

    It keeps off the three finder patterns: without one of them no decoder could begin.
    """
    x, y, edge, _ = code
    thick = rng.uniform(0.20, 0.26)
    # The rounded tip covers less than a box of the same length would.
    length = fraction / thick + 0.11 * thick
    at = rng.uniform(0.40, 0.60)
    spots = (
        ((1.0, 1.0), (-0.71, -0.71)),
        ((1.0, at + 0.15), (-1.0, 0.0)),
        ((at + 0.05, 1.0), (0.0, -1.0)),
        ((0.0, at), (1.0, 0.0)),
    )
    start, towards = (np.array(pair) for pair in spots[int(rng.integers(len(spots)))])
    if length <= 0.11 * thick:
        return
    tip, root = start + towards * (length - thick / 2), start - towards * 0.5
    width = thick * edge
    ends = [(int(x + edge * point[0]), int(y + edge * point[1])) for point in (root, tip)]
    for share, shade in ((1.0, 0.66), (0.9, 0.82), (0.66, 0.93), (0.36, 1.0)):
        colour = tuple(int(level * shade) for level in skin)
        cv2.circle(image, ends[0], int(1.2 * width * share), (*colour, 255), -1, cv2.LINE_AA)
        cv2.line(image, ends[0], ends[1], (*colour, 255), max(1, int(width * share)), cv2.LINE_AA)


def moire(image: Image, page: Box, strength: float, rng: np.random.Generator) -> None:
    """Bends bands of colour over the page, as screen pixels and sensor pixels beat. strength: 0 to 1."""
    x, y, width, height = page
    period = rng.uniform(5.0, 16.0)
    slant = rng.uniform(0.0, np.pi)
    rows, columns = np.ogrid[0:height, 0:width]
    along = (columns * np.cos(slant) + rows * np.sin(slant)).astype(np.float32)
    across = (rows * np.cos(slant) - columns * np.sin(slant)).astype(np.float32)
    phase = along * np.float32(2 * np.pi / period) + (across / np.float32(0.5 * height)) ** 2 * np.float32(
        3.0
    )
    part = image[y : y + height, x : x + width]
    for channel, shift in enumerate((0.0, 0.7, 1.4)):
        wave = 1.0 - np.float32(strength) * (0.5 + 0.5 * np.sin(phase + np.float32(shift)))
        part[:, :, channel] = (part[:, :, channel] * wave).astype(np.uint8)


def glare(image: Image, code: Box, strength: float, rng: np.random.Generator) -> None:
    """Puts the soft reflection of a lamp somewhere on the code. At strength 1 its core is pure white."""
    height, width = image.shape[:2]
    coarse = 4
    spot = np.zeros((height // coarse + 1, width // coarse + 1), np.uint8)
    x, y, edge, _ = (part / coarse for part in code)
    centre = (int(x + edge * rng.uniform(0.1, 0.9)), int(y + edge * rng.uniform(0.1, 0.9)))
    axes = (int(edge * rng.uniform(0.10, 0.16)) + 1, int(edge * rng.uniform(0.20, 0.40)) + 1)
    cv2.ellipse(spot, centre, axes, float(rng.uniform(0, 180)), 0, 360, int(255 * min(strength, 1.0)), -1)
    spot = np.asarray(cv2.GaussianBlur(spot, (0, 0), max(1.0, 0.09 * edge)), np.uint8)
    light = np.asarray(cv2.resize(spot, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    add_light(image, light)


def grain(image: Image, rng: np.random.Generator) -> None:
    """Sensor noise along the top edge: a live camera never gives the same picture twice."""
    image[:1] = rng.integers(80, 100, image[:1].shape, np.uint8)


def add_light(image: Image, light: npt.NDArray[np.uint8]) -> None:
    """Adds `light` (uint8, shape (height, width)) to a premultiplied BGRA picture, inside its outline."""
    light = np.minimum(light, image[:, :, 3])
    zero = np.zeros_like(light)
    cv2.add(image, np.dstack((light, light, light, zero)), dst=image)
    np.minimum(image[:, :, :3], image[:, :, 3:], out=image[:, :, :3])
