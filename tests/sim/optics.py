"""How the gate's camera sees what is held up: perspective, blur, exposure, noise and compression, in
the order light and electronics apply them. It never decides what is shown or when, never reads a
code, and draws every random number from the generator it is handed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from tests.sim import blemishes
from tests.sim.props import Box, Image, Prop

FRAME_SHAPE = (720, 1280)
NOISE_UNIT = 32.0
NOISE_MARGIN = 192


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the object is held.

    x, y: its centre as fractions of the frame's width and height; outside 0 to 1 is out of view.
    size: its height as a fraction of the frame's height, 0.05 to 1.5.
    yaw, pitch, roll: degrees; yaw and pitch within +-75, roll any.
    """

    x: float = 0.5
    y: float = 0.5
    size: float = 0.8
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class Weather:
    """The conditions of one frame; the defaults are neutral.

    defocus: Gaussian sigma of the lens, px. motion: path of the object while the shutter is open, px,
    along motion_angle, degrees from the x axis. gain: factor on light; brightness: added, fraction of
    full scale; contrast: factor about mid-grey; gamma: exponent. noise: sigma, grey levels. glare,
    moire, vignette: strength, 0 to 1. finger: fraction of the code covered, 0 to 0.3. crack: number of
    lines. inverted: the page in dark mode. jpeg: quality 1 to 100, or None for no compression.
    layout: chooses where glare, moire, finger and cracks sit; the same number, the same places.
    """

    defocus: float = 0.0
    motion: float = 0.0
    motion_angle: float = 0.0
    gain: float = 1.0
    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    noise: float = 0.0
    glare: float = 0.0
    moire: float = 0.0
    finger: float = 0.0
    crack: int = 0
    inverted: bool = False
    jpeg: int | None = None
    vignette: float = 0.0
    layout: int = 0


def render(background: Image, prop: Prop, pose: Pose, weather: Weather, rng: np.random.Generator) -> Image:
    """One frame of `prop` held in front of `background`; neither is changed.

    background: uint8 BGR, shape (height, width, 3), usually (720, 1280, 3). Returns the same shape.
    """
    frame = background.copy()
    _hold(frame, prop, pose, weather)
    return _expose(frame, weather, rng)


def empty(background: Image, weather: Weather, rng: np.random.Generator) -> Image:
    """The frame `render` gives when nobody holds anything up; `background` is not changed."""
    return _expose(background.copy(), weather, rng)


def _hold(frame: Image, prop: Prop, pose: Pose, weather: Weather) -> None:
    height, width = frame.shape[:2]
    picture, scale = _spoiled(prop, pose.size * height / prop.body[3], weather)
    homography = _homography(prop, pose, (height, width))
    if prop.wrist is not None:
        _forearm(frame, prop, homography, pose.size * height)

    rows, columns = prop.image.shape[:2]
    outline = np.array([[[0, 0], [columns, 0], [columns, rows], [0, rows]]], np.float64)
    seen = np.asarray(cv2.perspectiveTransform(outline, homography))[0]
    # The layer reaches past the frame, so that motion carries light in from outside of it.
    reach = math.ceil(weather.motion) + 2
    left, top = (int(v) for v in np.maximum(np.floor(seen.min(axis=0)) - reach, -reach))
    right, bottom = (
        int(v) for v in np.minimum(np.ceil(seen.max(axis=0)) + reach, (width + reach, height + reach))
    )
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x1 <= x0 or y1 <= y0:
        return
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    unscale = np.diag([1.0 / scale[0], 1.0 / scale[1], 1.0])
    layer = cv2.warpPerspective(picture, shift @ homography @ unscale, (right - left, bottom - top))
    if weather.motion >= 1.0:
        layer = _smeared(np.asarray(layer, np.uint8), weather.motion, weather.motion_angle)
    layer = layer[y0 - top : y1 - top, x0 - left : x1 - left]
    clear = 255 - layer[:, :, 3]
    behind = cv2.multiply(frame[y0:y1, x0:x1], cv2.merge((clear, clear, clear)), scale=1 / 255)
    cv2.add(behind, np.ascontiguousarray(layer[:, :, :3]), dst=frame[y0:y1, x0:x1])


def _spoiled(prop: Prop, shrink: float, weather: Weather) -> tuple[Image, tuple[float, float]]:
    """The object's picture with its blemishes, at about the size the camera sees it, and its scale."""
    rng = np.random.default_rng(weather.layout)
    image = prop.image
    if weather.inverted or weather.crack or weather.finger:
        image = image.copy()
        if weather.inverted:
            blemishes.invert(image, prop.page)
        if weather.crack:
            blemishes.crack(image, prop.page, weather.crack, rng)
        if weather.finger:
            blemishes.finger(image, prop.code, weather.finger, prop.skin, rng)
    scale = (1.0, 1.0)
    if shrink < 1.0:
        # Area averaging is what a sensor's pixels do; warping straight down would alias the modules.
        rows, columns = (max(2, round(length * shrink)) for length in image.shape[:2])
        image = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        scale = (columns / prop.image.shape[1], rows / prop.image.shape[0])
    if weather.moire or weather.glare:
        image = image.copy() if image is prop.image else image
        if weather.moire:
            blemishes.moire(image, _scaled(prop.page, scale), weather.moire, rng)
        if weather.glare:
            blemishes.glare(image, _scaled(prop.code, scale), weather.glare, rng)
    return image, scale


def _scaled(box: Box, scale: tuple[float, float]) -> Box:
    across, down = scale
    return (int(box[0] * across), int(box[1] * down), int(box[2] * across), int(box[3] * down))


def _homography(prop: Prop, pose: Pose, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Prop pixels to frame pixels, for a pinhole camera of 53 degrees horizontal field of view."""
    height, width = shape
    focal = float(width)
    depth = focal / (pose.size * height)
    yaw, pitch, roll = (math.radians(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
    turn_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    turn_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    turn_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    turn = turn_z @ turn_y @ turn_x
    place = np.array([(pose.x - 0.5) * width / focal * depth, (pose.y - 0.5) * height / focal * depth, depth])
    lens = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    x, y, body_width, body_height = prop.body
    unit = 1.0 / body_height
    flat = np.array(
        [[unit, 0, -(x + body_width / 2) * unit], [0, unit, -(y + body_height / 2) * unit], [0, 0, 1]]
    )
    onto: npt.NDArray[np.float64] = lens @ np.column_stack((turn[:, 0], turn[:, 1], place)) @ flat
    return onto


def _forearm(frame: Image, prop: Prop, homography: npt.NDArray[np.float64], span: float) -> None:
    """A sleeve from the wrist out of the frame, away from the object; `span` is the object's height, px."""
    assert prop.wrist is not None
    x, y, width, height = prop.body
    ends = np.array([[prop.wrist, (x + width / 2, y + height / 2)]], np.float64)
    wrist, centre = np.asarray(cv2.perspectiveTransform(ends, homography))[0]
    away = (wrist - centre) / max(1.0, float(np.linalg.norm(wrist - centre)))
    aside = np.array([-away[1], away[0]])
    elbow = wrist + away * 3.0 * max(frame.shape)
    for share, shade in ((1.0, 0.7), (0.85, 0.85), (0.55, 1.0)):
        narrow, wide = 0.16 * span * share, 0.9 * span * share
        corners = (
            wrist - aside * narrow,
            wrist + aside * narrow,
            elbow + aside * wide * 3,
            elbow - aside * wide * 3,
        )
        colour = tuple(int(level * shade) for level in prop.sleeve)
        cv2.fillConvexPoly(frame, np.array(corners).astype(np.int32), colour, cv2.LINE_AA)


def _smeared(layer: Image, length: float, angle: float) -> Image:
    """The layer as it looks when it moves `length` px along `angle` degrees while the shutter is open.

    Averages pairs of halved shifts, which costs the logarithm of the length where a kernel costs its square.
    """
    height, width = layer.shape[:2]
    path = np.array((math.sin(math.radians(angle)), math.cos(math.radians(angle)))) * length
    for step in range(1, math.ceil(math.log2(max(length, 2.0))) + 1):
        shift = np.rint(path / 2**step).astype(int)
        # An odd shift has no exact middle; taking turns keeps the picture from drifting.
        back = (shift + step % 2) // 2
        rim = int(np.abs(shift).max()) + 1
        wide = cv2.copyMakeBorder(layer, rim, rim, rim, rim, cv2.BORDER_CONSTANT)
        pair = [
            wide[rim + dy : rim + dy + height, rim + dx : rim + dx + width]
            for dy, dx in (-back, shift - back)
        ]
        layer = np.asarray(cv2.addWeighted(pair[0], 0.5, pair[1], 0.5, 0.0), np.uint8)
    return layer


def _expose(frame: Image, weather: Weather, rng: np.random.Generator) -> Image:
    """Lens, sensor and encoder, on a frame this call owns."""
    if weather.defocus > 0.2:
        cv2.GaussianBlur(frame, (0, 0), weather.defocus, dst=frame)
    if weather.vignette:
        cv2.multiply(frame, _vignette(frame.shape[:2], weather.vignette), dst=frame, scale=1 / 255)
    tone = (weather.gain, weather.brightness, weather.contrast, weather.gamma)
    if tone != (1.0, 0.0, 1.0, 1.0):
        cv2.LUT(frame, _tone_curve(*tone), dst=frame)
    if weather.noise:
        height, width = frame.shape[:2]
        tile = _noise_tile((height, width))
        y, x = rng.integers(0, NOISE_MARGIN, 2)
        grain = tile[y : y + height, x : x + width]
        weight = weather.noise / NOISE_UNIT
        cv2.addWeighted(frame, 1.0, grain, weight, -128.0 * weight, dst=frame)
    if weather.jpeg is not None:
        _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, weather.jpeg])
        frame = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return frame


@lru_cache(maxsize=64)
def _tone_curve(gain: float, brightness: float, contrast: float, gamma: float) -> Image:
    light = np.linspace(0.0, 1.0, 256) * gain + brightness
    level = np.clip((light - 0.5) * contrast + 0.5, 0.0, 1.0) ** gamma
    return np.rint(255.0 * level).astype(np.uint8)


@lru_cache(maxsize=4)
def _vignette(shape: tuple[int, int], strength: float) -> Image:
    height, width = shape
    rows, columns = np.ogrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    grey = 255.0 * (1.0 - strength * (rows**2 + columns**2) / 2.0)
    return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)


@lru_cache(maxsize=2)
def _noise_tile(shape: tuple[int, int]) -> Image:
    """Sensor noise about 128 with a sigma of NOISE_UNIT, larger than the frame so that crops differ.

    Drawn once: a fresh normal sample for every pixel of every frame would cost more than the rest.
    """
    rng = np.random.default_rng(20240901)
    height, width = shape[0] + NOISE_MARGIN, shape[1] + NOISE_MARGIN
    grain = rng.standard_normal((height, width, 3), np.float32)
    # Demosaicing shares part of the noise between the channels and between neighbours.
    grain = 0.7 * grain + 0.7 * rng.standard_normal((height, width, 1), np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.5), np.float32)
    grain *= NOISE_UNIT / float(grain.std())
    tile: Image = np.clip(np.rint(grain + 128.0), 0, 255).astype(np.uint8)
    return tile
