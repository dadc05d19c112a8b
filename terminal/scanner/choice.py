"""Several codes in view: the largest and nearest to the middle is taken if that is clear, else none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from terminal.scanner.sighting import Symbol

CLEARLY = 1.6  # how many times as prominent as the next one


def foremost(symbols: Sequence[Symbol], width: int, height: int) -> tuple[Symbol | None, int]:
    """The one that is held up to the camera, and how many different texts are in view.

    None when there is none, or when two are about as prominent: then nobody is let in by guesswork.
    width, height: of the frame, px.
    """
    by_text: dict[str, Symbol] = {}
    for symbol in symbols:
        known = by_text.get(symbol.text)
        if known is None or symbol.size > known.size:
            by_text[symbol.text] = symbol
    ranked = sorted(by_text.values(), key=lambda s: _prominence(s, width, height), reverse=True)
    if not ranked:
        return None, 0
    if len(ranked) > 1:
        first, second = (_prominence(symbol, width, height) for symbol in ranked[:2])
        if first < CLEARLY * second:
            return None, len(ranked)
    return ranked[0], len(ranked)


def _prominence(symbol: Symbol, width: int, height: int) -> float:
    x, y = symbol.centre
    off = math.hypot(x - width / 2, y - height / 2) / math.hypot(width / 2, height / 2)
    return symbol.size * (1.0 - 0.7 * min(off, 1.0))
