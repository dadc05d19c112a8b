"""Fonts of the gate's screen: finds one that has Chinese glyphs and fits sentences into boxes with it.

Where none is installed the screen speaks English with pygame's own font, and says which package is
missing. This module never draws on the screen, downloads nothing, and never lets a glyph that the font
lacks reach a surface: people must not read empty boxes.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pygame

Colour = tuple[int, int, int]

DIRECTORIES = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
)
_WANTED = ("wqy-microhei", "wqy-zenhei", "notosanscjk", "notosanssc", "sourcehansans")
_PROBE = "请出示校园码，通行体温℃°"
_NO_GLYPH = "\U0010ffff"  # a code point that Unicode promises never to assign

# Few sizes, 8 % apart: each is an open font file, and the eye sees no smaller step.
SIZES = tuple(sorted({round(10 * 1.08**step) for step in range(45)}, reverse=True))

_PROOF = 24  # the size, in pixels, at which glyphs are looked for and texts first measured

_OPENING = "（《「『【“‘"
_CLOSING = "，。、；：！？）》」』】”’…"
_HAN = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What a line break may not tear: a word, or one Chinese character with the punctuation that clings to it.
_UNIT = re.compile(
    rf"\s+|[{_OPENING}]*(?:[{_HAN}]|[^\s{_HAN}{_OPENING}{_CLOSING}]+)[{_CLOSING}]*|[{_OPENING}{_CLOSING}]+"
)


@dataclass(frozen=True)
class FontFile:
    """A font file that has been opened and seen to hold Chinese glyphs."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name without its ending, for people."""
        return self.path.stem


@dataclass(frozen=True)
class MissingFont:
    """Why the screen shows no Chinese, and what to do about it."""

    reason: str = "no Chinese font is installed, the screen shows English only"
    advice: str = "sudo apt install fonts-wqy-microhei"

    @property
    def notice(self) -> str:
        """One line for the staff, in letters that every font has."""
        return f"no Chinese font: {self.advice}"


@dataclass(frozen=True)
class Fitted:
    """A text broken into lines at a size (pixels) where it fits; `cut` if an ellipsis had to end it."""

    lines: tuple[str, ...]
    px: int
    bold: bool
    width: int
    height: int
    cut: bool = False


def find() -> FontFile | None:
    """Find an installed Chinese font, the best known first; None if no file proves to have the glyphs.

    Looks into Debian's font directories, and asks fontconfig only if they hold none of the known fonts.
    Reads no setting and no environment variable. Takes some milliseconds; seconds if fontconfig hangs.
    """
    pygame.font.init()
    for path in _candidates():
        try:
            font = pygame.font.Font(path, _PROOF)
        except (pygame.error, OSError):
            continue  # a broken or unreadable file is no reason to look no further
        if covers(font, _PROBE):
            return FontFile(path)
    return None


def _candidates() -> Iterator[Path]:
    installed = (
        Path(folder, file)
        for root in DIRECTORIES
        for folder, _, files in os.walk(root)
        for file in files
        if file.lower().endswith((".ttc", ".ttf", ".otf")) and _rank(file) < len(_WANTED)
    )
    yield from _best_first(installed)
    # Not fc-match: it always names some font, and without a Chinese one that is DejaVu.
    yield from _best_first(_fontconfig())


def _fontconfig() -> list[Path]:
    command = ["fc-list", "--format=%{file}\n", ":lang=zh:scalable=true"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []  # no fontconfig on this machine
    return [Path(line) for line in answer.stdout.splitlines() if line]


def _best_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(set(paths), key=lambda path: (_rank(path.name), "regular" not in path.name.lower(), path))


def _rank(file: str) -> int:
    name = file.lower()
    return next((rank for rank, start in enumerate(_WANTED) if name.startswith(start)), len(_WANTED))


def covers(font: pygame.font.Font, text: str) -> bool:
    """Whether the font has a glyph for every character of the text; spaces need none.

    metrics() should give None for a missing glyph, but newer SDL_ttf gives those of the box that it
    draws instead, so a character also counts as missing if its picture is that box.
    """
    box = font.metrics(_NO_GLYPH)[0]
    for character in set(text):
        if character.isspace():
            continue
        if not character.isprintable():  # also a lone surrogate, which pygame refuses with an exception
            return False
        found = font.metrics(character)[0]
        if found is None or (found == box and _picture(font, character) == _picture(font, _NO_GLYPH)):
            return False
    return True


def _picture(font: pygame.font.Font, character: str) -> bytes:
    return pygame.image.tobytes(font.render(character, True, (255, 255, 255)), "RGBA")


class Fonts:
    """One typeface in all sizes, with what was measured and rendered kept for the next frame.

    Belongs to one thread. `missing` says why there is no Chinese, None if there is.
    """

    def __init__(self, file: FontFile | None) -> None:
        """Open the typeface; None takes pygame's own, which is Latin only.

        Raises pygame.error or OSError if the file cannot be opened.
        """
        pygame.font.init()
        self.missing = None if file else MissingFont()
        self._path = file.path if file else None
        self._open: dict[int, pygame.font.Font] = {}
        self._covers = lru_cache(512)(lambda text: covers(self.font(_PROOF), text))
        self._width = lru_cache(4096)(self._measure)
        self.render = lru_cache(64)(self._render)
        self.font(_PROOF)

    def font(self, px: int) -> pygame.font.Font:
        """The typeface at a size in pixels."""
        font = self._open.get(px)
        if font is None:
            font = self._open[px] = pygame.font.Font(self._path, px)
        return font

    def _stroke(self, px: int, bold: bool) -> int:
        """By how many pixels bold letters are thicker; pygame's own font is bold already."""
        return max(1, px // 30) if bold and not self.missing else 0

    def _measure(self, text: str, px: int, bold: bool) -> int:
        return self.font(px).size(text)[0] + self._stroke(px, bold)

    def _high(self, lines: Iterable[str], px: int, bold: bool) -> int:
        """The height that one of these lines takes: some glyphs are taller than the font says it is."""
        font = self.font(px)
        return max(font.get_linesize(), *(font.size(line)[1] for line in lines)) + self._stroke(px, bold)

    def _render(self, text: str, px: int, bold: bool, colour: Colour) -> pygame.Surface:
        thin = self.font(px).render(text, True, colour)
        more = self._stroke(px, bold)
        if not more:
            return thin
        # SDL's own bold smears Chinese strokes sideways only, and closes the small gaps that tell them apart.
        thick = pygame.Surface((thin.get_width() + more, thin.get_height() + more), pygame.SRCALPHA)
        thick.fill((*colour, 0))
        for turn in range(8):
            ring = pygame.Vector2(more / 2, 0).rotate(45 * turn)
            place = (round(more / 2 + ring.x), round(more / 2 + ring.y))
            thick.blit(thin, place, special_flags=pygame.BLEND_RGBA_MAX)  # keeps the edges smooth
        return thick

    def readable(self, text: str) -> str:
        """What of a text can be shown: all, else the languages ("a / b") that have their glyphs, or ""."""
        text = "".join(character for character in text if character.isprintable() or character.isspace())
        text = " ".join(text.split())
        if self._covers(text):
            return text
        return " / ".join(part for part in text.split(" / ") if self._covers(part))

    def fit(self, text: str, box: tuple[int, int], *, largest: int, lines: int, bold: bool = False) -> Fitted:
        """Break and shrink a text into a box (width, height in pixels) of at most so many lines.

        Takes the largest size that fits; a further line must pay with a quarter more size, because a
        sentence on one line reads faster. A text that fits at no size ends in an ellipsis.
        """
        best: Fitted | None = None
        length = self._width(text, _PROOF, bold) / _PROOF
        for count in range(1, lines + 1):
            # No size above this can fit; not trying them saves opening a font for each.
            limit = min(largest, box[1] / count, 1.1 * count * box[0] / max(1, length))
            for px in SIZES:
                if best is not None and px < best.px * 1.25:
                    break
                if px <= limit and (fitted := self._fit_at(text, box, px, bold, count)):
                    best = fitted
                    break
        return best or self._cut(text, box, bold, lines)

    def _fit_at(self, text: str, box: tuple[int, int], px: int, bold: bool, count: int) -> Fitted | None:
        if count * self.font(px).get_linesize() > box[1]:
            return None
        broken = self._break(text, box[0], px, bold)
        if len(broken) != count:
            return None
        # The narrowest width with as many lines balances them: no single character is left alone below.
        low, high = box[0] // (count + 1), box[0]
        while count > 1 and high - low > px // 4:
            middle = (low + high) // 2
            tried = self._break(text, middle, px, bold)
            if len(tried) == count and self._widest(tried, px, bold) <= middle:
                broken, high = tried, middle
            else:
                low = middle
        head, comma, tail = text.partition("，")
        if count == 2 and tail and self._widest((head + comma, tail), px, bold) <= box[0]:
            broken = [head + comma, tail]  # where a speaker would pause
        fitted = self._fitted(broken, px, bold)
        return fitted if fitted.width <= box[0] and fitted.height <= box[1] else None

    def _break(self, text: str, width: int, px: int, bold: bool) -> list[str]:
        lines, used = [""], 0
        for unit in _UNIT.findall(text):
            wide = self._width(unit, px, bold)
            if used and used + wide > width and not unit.isspace():
                lines.append("")
                used = 0
            if used or not unit.isspace():
                lines[-1] += unit
                used += wide
        return [line.rstrip() for line in lines]

    def _widest(self, lines: Iterable[str], px: int, bold: bool) -> int:
        return max(self._width(line, px, bold) for line in lines)

    def _fitted(self, lines: list[str], px: int, bold: bool, cut: bool = False) -> Fitted:
        height = len(lines) * self._high(lines, px, bold)
        return Fitted(tuple(lines), px, bold, self._widest(lines, px, bold), height, cut)

    def _cut(self, text: str, box: tuple[int, int], bold: bool, count: int) -> Fitted:
        px = SIZES[-1]
        room = max(1, min(count, box[1] // self._high([text], px, bold)))
        broken = self._break(text, box[0], px, bold)
        lines = [*broken[: room - 1], " ".join(broken[room - 1 :])]
        for index, line in enumerate(lines):
            if self._width(line, px, bold) > box[0]:
                kept = line
                while kept and self._width(kept + "…", px, bold) > box[0]:
                    kept = kept[:-1]
                lines[index] = kept + "…"
        return self._fitted(lines, px, bold, cut=True)
