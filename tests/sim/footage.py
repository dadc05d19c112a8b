"""Pictures for measuring and for playing: graded stills of each known difficulty, and the short clip
of one person presenting a code. It never judges whether a picture can be read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from tests.sim.optics import Pose, Weather, render
from tests.sim.props import Holder, Image, Prop, card, grip, paper, phone
from tests.sim.scenery import scene

Kind = Literal[
    "plain",
    "far",
    "tilt",
    "rotate",
    "motion",
    "defocus",
    "dim",
    "overexposed",
    "glare",
    "moire",
    "finger",
    "crack",
    "inverted",
    "jpeg",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

FRAMES_PER_SECOND = 15
ENTRY_FRAMES = 4


def graded(kind: Kind, grade: float, rng: np.random.Generator, text: str) -> Image:
    """A phone showing `text` under one difficulty, everything else mild and drawn from `rng`.

    grade: 0 (easy) to 1 (hard, yet something a gate does see). Returns uint8 BGR, (720, 1280, 3).
    """
    if kind not in KINDS:
        raise ValueError(f"no graded kind {kind!r}")
    prop = phone(text, name="Lin Xiaoming")
    if kind != "rotate":
        prop = grip(prop, rng)
    pose, weather = _mild(rng)
    pose, weather = _worsened(kind, grade, rng, pose, weather)
    return render(scene(rng), prop, pose, weather, rng)


def _mild(rng: np.random.Generator) -> tuple[Pose, Weather]:
    pose = Pose(
        x=rng.uniform(0.40, 0.60),
        y=rng.uniform(0.45, 0.55),
        size=rng.uniform(0.72, 0.88),
        yaw=rng.normal(0.0, 4.0),
        pitch=rng.normal(0.0, 4.0),
        roll=rng.normal(0.0, 4.0),
    )
    weather = Weather(
        defocus=rng.uniform(0.3, 0.9),
        gain=rng.uniform(0.85, 1.1),
        noise=rng.uniform(1.5, 4.0),
        vignette=rng.uniform(0.0, 0.3),
        layout=int(rng.integers(2**31)),
    )
    return pose, weather


def _worsened(
    kind: Kind, grade: float, rng: np.random.Generator, pose: Pose, weather: Weather
) -> tuple[Pose, Weather]:
    def rising(easy: float, hard: float) -> float:
        return easy + (hard - easy) * grade

    def either(value: float) -> float:
        return value if rng.random() < 0.5 else -value

    match kind:
        case "plain":
            weather = replace(weather, noise=rising(1.5, 8.0), defocus=rising(0.3, 1.0))
        case "far":
            pose = replace(pose, size=rising(0.62, 0.26))
            weather = replace(weather, defocus=rng.uniform(0.3, 0.5))
        case "tilt":
            yaw, pitch = rising(10.0, 68.0), rising(5.0, 25.0)
            pose = replace(pose, yaw=either(yaw), pitch=either(pitch))
        case "rotate":
            pose = replace(pose, roll=either(rising(5.0, 180.0)), yaw=either(rising(0.0, 20.0)))
        case "motion":
            weather = replace(weather, motion=rising(1.0, 9.0), motion_angle=rng.uniform(0.0, 180.0))
        case "defocus":
            weather = replace(weather, defocus=rising(0.5, 2.2))
        case "dim":
            weather = replace(weather, gain=rising(0.5, 0.06), noise=rising(2.0, 5.0))
        case "overexposed":
            weather = replace(
                weather, gain=rising(1.2, 3.5), brightness=rising(0.0, 0.15), defocus=rising(0.4, 1.0)
            )
        case "glare":
            weather = replace(weather, glare=rising(0.2, 1.0))
        case "moire":
            weather = replace(weather, moire=rising(0.05, 0.5))
        case "finger":
            weather = replace(weather, finger=rising(0.01, 0.13))
        case "crack":
            weather = replace(weather, crack=round(rising(2, 28)))
        case "inverted":
            weather = replace(weather, inverted=True, contrast=rising(1.0, 0.25), defocus=rising(0.4, 1.4))
        case "jpeg":
            pose = replace(pose, size=rising(0.8, 0.42))
            weather = replace(weather, jpeg=round(rising(80, 8)))
    return pose, weather


class Presentation:
    """One person presenting one code: it comes in from below, then is held with a slight tremor.

    frame(i) depends only on the arguments, on `i` and on the text last given, never on the frames
    asked for before. background: uint8 BGR to stand in front of; by default a scene of its own.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        holder: Holder,
        text: str,
        *,
        name: str = "",
        background: Image | None = None,
        weather: Weather | None = None,
    ) -> None:
        self._holder: Holder = holder
        self._name = name
        self._seed = int(rng.integers(2**63))
        own = np.random.default_rng(self._seed)
        self.background = scene(own) if background is None else background
        size = {
            "phone": own.uniform(0.66, 0.88),
            "card": own.uniform(0.44, 0.56),
            "paper": own.uniform(0.62, 0.8),
        }
        self._pose = Pose(
            x=own.uniform(0.42, 0.58),
            y=own.uniform(0.46, 0.54),
            size=size[holder],
            yaw=own.uniform(-12.0, 12.0),
            pitch=own.uniform(-12.0, 12.0),
            roll=own.uniform(-8.0, 8.0),
        )
        self._phases = own.uniform(0.0, 2 * math.pi, (5, 2))
        self.weather = weather or Weather(
            defocus=own.uniform(0.3, 0.9),
            gain=own.uniform(0.8, 1.1),
            noise=own.uniform(1.5, 4.0),
            vignette=own.uniform(0.0, 0.3),
            layout=int(own.integers(2**31)),
        )
        self._prop = self._drawn(text)

    def frame(self, i: int) -> Image:
        """The i-th frame, i >= 0, at 15 frames a second: frames 0 to 3 come in, the rest are held."""
        pose, before = self._pose_at(i), self._pose_at(i - 1)
        height, width = self.background.shape[:2]
        across, down = (pose.x - before.x) * width, (pose.y - before.y) * height
        # The shutter is open for about a quarter of the time between two frames.
        weather = replace(
            self.weather,
            motion=max(self.weather.motion, 0.25 * math.hypot(across, down)),
            motion_angle=math.degrees(math.atan2(down, across)),
        )
        return render(self.background, self._prop, pose, weather, np.random.default_rng((self._seed, i)))

    def renew(self, text: str) -> None:
        """The same hand now shows another code, as a phone does when its code is renewed."""
        self._prop = self._drawn(text)

    def _drawn(self, text: str) -> Prop:
        flat = {
            "phone": lambda: phone(text, name=self._name),
            "card": lambda: card(text, self._name),
            "paper": lambda: paper(text),
        }[self._holder]()
        # A generator of its own, so that a renewed code stays in the same hand.
        return grip(flat, np.random.default_rng((self._seed, 0)))

    def _pose_at(self, i: int) -> Pose:
        still = self._pose
        missing = max(0.0, 1.0 - max(i + 1, 0) / (ENTRY_FRAMES + 1)) ** 2
        swing = [
            0.7 * math.sin(0.31 * i + slow) + 0.3 * math.sin(1.13 * i + quick) for slow, quick in self._phases
        ]
        return Pose(
            x=still.x + 0.006 * swing[0],
            y=still.y + 0.008 * swing[1] + missing * (0.55 + still.size / 2),
            size=still.size,
            yaw=still.yaw + 2.0 * swing[2] + 14.0 * missing,
            pitch=still.pitch + 2.0 * swing[3] - 20.0 * missing,
            roll=still.roll + 1.5 * swing[4] + 10.0 * missing,
        )
