"""What the gate's screen shows at one moment, as plain values that any thread may build and compare.

A View holds finished sentences: it never looks up a text, masks a name, formats a number or reads a
clock, and it never imports pygame, so that the gate's logic and its tests need no display library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


class Mode(StrEnum):
    """What the screen says in colour and symbol, before anybody reads a word of it."""

    IDLE = "idle"
    """Waiting for a code: dark and calm, with the camera's picture."""
    ALLOW = "allow"
    """The gate opens: green, a tick in a disc."""
    DENY = "deny"
    """The gate stays shut: red, a cross in an octagon."""
    REFER = "refer"
    """A person of the staff decides: amber, an exclamation mark in a triangle."""
    FAULT = "fault"
    """The terminal cannot do its work: slate, a wrench in a square."""


@dataclass(frozen=True)
class View:
    """All that the screen shows; a text that is empty takes no room.

    Two views are equal when their words are: the preview is left out of equality and hash, because it
    changes with every frame of the camera and an array has no truth value.
    """

    mode: Mode
    """Chooses colours, symbol and arrangement."""

    headline_zh: str
    """The answer in Chinese, a few characters: it is read from 3 m."""

    headline_en: str
    """The same answer in English; it becomes the big one where no Chinese font is installed."""

    advice_zh: str = ""
    """What to do now, in Chinese."""

    advice_en: str = ""
    """What to do now, in English."""

    name: str = ""
    """Whose code it is, already masked ("张*"): people behind read the screen too."""

    celsius: str = ""
    """Body temperature in degrees Celsius without the unit ("36.5")."""

    place_zh: str = ""
    """Where the gate stands, in Chinese."""

    place_en: str = ""
    """Where the gate stands, in English."""

    clock: str = "--:--"
    """Local time of day ("14:03"); "--:--" while the clock is not trusted."""

    notices: tuple[str, ...] = ()
    """Small lines for the staff; one in two languages is written "english / 中文"."""

    device_code: str = ""
    """What phones may scan from the screen, as text; drawn as a QR code where there is room for one."""

    preview: Picture | None = field(default=None, compare=False, repr=False)
    """The camera's picture as taken, grey (rows, columns) or BGR (rows, columns, 3).

    The drawing mirrors it, so that people see themselves as in a mirror; only IDLE shows it.
    """
