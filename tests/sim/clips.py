"""Short films for measuring time-to-read: a hand brings a code in, shakes, the camera focuses, light changes.

A clip says from which frame on the code is fully in view; it never judges whether a frame can be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tests.sim.optics import Pose, Weather, render
from tests.sim.props import Image, card, grip, phone
from tests.sim.scenery import scene

ClipKind = Literal[
    "steady", "shaking", "focusing", "dim", "far", "tilting", "moire", "cracked", "glare", "card"
]
CLIP_KINDS: tuple[ClipKind, ...] = get_args(ClipKind)

RATE = 30  # frames a second
_ENTRY = 8  # frames until the code is fully in view
_LENGTH = 2 * RATE  # frames


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of a clip. in_view: the code is wholly inside the frame and has stopped coming in."""

    image: Image
    in_view: bool


def clip(kind: ClipKind, rng: np.random.Generator, text: str) -> Iterator[Shot]:
    """The frames of one person holding up `text`, 30 a second, two seconds long."""
    if kind not in CLIP_KINDS:
        raise ValueError(f"no clip kind {kind!r}")
    prop = grip(card(text, "Lin Xiaoming") if kind == "card" else phone(text, name="Lin Xiaoming"), rng)
    background, layout = scene(rng), int(rng.integers(2**31))
    rest = Pose(
        x=rng.uniform(0.40, 0.60),
        y=rng.uniform(0.46, 0.54),
        size={"far": rng.uniform(0.26, 0.34), "card": rng.uniform(0.40, 0.55)}.get(
            kind, rng.uniform(0.66, 0.88)
        ),
        yaw=rng.normal(0.0, 6.0),
        pitch=rng.normal(0.0, 6.0),
        roll=rng.normal(0.0, 6.0),
    )
    still = Weather(
        defocus=rng.uniform(0.4, 0.9), gain=rng.uniform(0.8, 1.1), noise=rng.uniform(2.0, 4.0), layout=layout
    )
    phases = rng.uniform(0.0, 2 * math.pi, 6)
    hard = rng.uniform(0.5, 1.0)
    before = _pose(kind, rest, phases, -1, hard)
    for number in range(_LENGTH):
        pose = _pose(kind, rest, phases, number, hard)
        height, width = background.shape[:2]
        across, down = (pose.x - before.x) * width, (pose.y - before.y) * height
        weather = replace(
            _weather(kind, still, number / RATE, hard, phases),
            motion=0.5 * math.hypot(across, down),  # half of the time between two frames is exposed
            motion_angle=math.degrees(math.atan2(down, across)),
        )
        yield Shot(render(background, prop, pose, weather, rng), number >= _ENTRY)
        before = pose


def _pose(kind: ClipKind, rest: Pose, phases: np.ndarray, number: int, hard: float) -> Pose:
    """Where the prop is: in from below with decreasing speed, then trembling."""
    missing = max(0.0, 1.0 - (number + 1) / (_ENTRY + 1)) ** 2
    tremble = 1.0 + (9.0 * hard if kind == "shaking" else 0.0)
    t = number / RATE
    swing = [
        math.sin(2 * math.pi * f * t + p) for f, p in zip((4.1, 5.3, 2.2, 2.9, 1.7, 0.8), phases, strict=True)
    ]
    turn = 55.0 * hard * math.exp(-1.6 * t) if kind == "tilting" else 0.0
    return Pose(
        x=rest.x + 0.0025 * tremble * swing[0],
        y=rest.y + 0.0035 * tremble * swing[1] + missing * (0.55 + rest.size / 2),
        size=rest.size,
        yaw=rest.yaw + 1.5 * swing[2] + turn,
        pitch=rest.pitch + 1.5 * swing[3] - 20.0 * missing + 0.4 * turn,
        roll=rest.roll + 1.5 * swing[4] + 10.0 * missing,
    )


def _weather(kind: ClipKind, still: Weather, t: float, hard: float, phases: np.ndarray) -> Weather:
    """The conditions `t` seconds into the clip."""
    match kind:
        case "focusing":  # the lens hunts once past the sharp point, then settles
            return replace(still, defocus=0.5 + 4.5 * hard * math.exp(-2.2 * t) * abs(math.cos(5.0 * t)))
        case "dim":  # exposure adapts slowly
            return replace(still, gain=0.05 + 0.12 * t * (1.2 - hard), noise=4.0)
        case "moire":
            return replace(still, moire=0.25 + 0.25 * hard)
        case "cracked":
            return replace(still, crack=round(10 + 16 * hard))
        case "glare":  # a lamp's reflection wanders over the screen
            return replace(still, glare=0.6 + 0.4 * hard, layout=still.layout + int(t * 5))
        case "far":
            return replace(still, defocus=0.4 + 0.3 * hard)
        case _:
            return still
