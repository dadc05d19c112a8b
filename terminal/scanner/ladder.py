"""The ladder: ways to read a code, cheapest first, climbed only where something like a code is in view.

A rung repairs the region and looks with one decoder. What worked last is tried first, since the next frame
shows the same phone in the same light; a climb that runs out of time goes on from there in the next frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from terminal.scanner import repairs
from terminal.scanner.deblur import deblurred
from terminal.scanner.decoders import Look, zbar, zxing, zxing_plain, zxing_quick
from terminal.scanner.likeness import Region
from terminal.scanner.sighting import Grey, Symbol

Decoder = Callable[[Grey], Look]
Climb = Callable[[Grey], Iterator[tuple[Symbol, ...]]]


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to read. climb: grey region -> what each attempt read, in the region's coordinates.

    cost: how many times as long as the first rung an attempt takes, which is believed until it was measured.
    """

    name: str
    climb: Climb
    cost: float = 1.0


def _with(repair: Callable[[Grey], repairs.Repaired], decode: Decoder) -> Climb:
    def climb(region: Grey) -> Iterator[tuple[Symbol, ...]]:
        image, scale = repair(region)
        yield tuple(symbol.placed(scale, 0, 0) for symbol in decode(image).symbols)

    return climb


def _deblurred(region: Grey) -> Iterator[tuple[Symbol, ...]]:
    for image in deblurred(region):
        yield zxing_plain(image).symbols


RUNGS = (
    Rung("local", _with(repairs.untouched, zxing)),
    Rung("despeckled", _with(repairs.despeckled, zxing_plain)),
    Rung("closed", _with(repairs.cracks_closed, zxing_quick)),
    Rung("smoothed", _with(repairs.smoothed_threshold, zxing_plain)),
    Rung("threshold 31", _with(repairs.local_threshold, zxing_quick)),
    Rung("threshold 15", _with(partial(repairs.local_threshold, block=15, offset=3), zxing_plain)),
    Rung("enlarged", _with(repairs.enlarged, zxing_plain), cost=2),
    Rung("brightened", _with(repairs.brightened, zxing_plain)),
    Rung("sharpened", _with(repairs.sharpened, zxing_plain)),
    Rung("contrast", _with(repairs.local_contrast, zxing), cost=3),
    Rung("threshold 101", _with(partial(repairs.local_threshold, block=101, offset=2), zxing_quick)),
    Rung("zbar", _with(repairs.untouched, zbar), cost=8),
    Rung("zbar threshold 31", _with(repairs.local_threshold, zbar), cost=8),
    Rung("zbar threshold", _with(repairs.threshold, zbar), cost=8),
    Rung("zbar brightened", _with(repairs.brightened, zbar), cost=8),
    Rung("enlarged twice", _with(partial(repairs.enlarged, times=2.0), zxing), cost=5),
    Rung("deblurred", _deblurred, cost=30),
)

_UNREPAIRED = frozenset(i for i, rung in enumerate(RUNGS) if rung.name in ("local", "zbar"))
_LONG = 40  # characters


def _certain(symbol: Symbol, doubtful: set[str]) -> bool:
    """Whether a text read after a repair is to be believed: it is long, or another rung read the same.

    Half of a small symbol plus an unlucky repair can make another valid one: version 1-M corrects 4 bytes of
    26, so one random symbol in some hundred decodes. From 40 characters on (version 3-M, 13 bytes) it is one
    in billions (1/t!: McEliece and Swanson, 1986). doubtful: short texts that this climb has read once.
    """
    if len(symbol.text) >= _LONG or symbol.text in doubtful:
        return True
    doubtful.add(symbol.text)
    return False


class Ladder:
    """Climbs `RUNGS`; remembers which worked, what each costs and where time ran out. Not thread-safe."""

    def __init__(self) -> None:
        self._pace: dict[int, float] = {}  # seconds a pixel, of each rung's longest attempt
        self._favourite = 0
        self._resume = 0

    def climb(self, image: Grey, region: Region, *, seconds: float, rungs: int = len(RUNGS)) -> list[Symbol]:
        """The symbols read in `region` of `image`, in the frame's coordinates; [] when none was.

        seconds: how long it may take. What has begun is finished, so what would end more than `seconds` later
        still is put off and comes first in the next climb. rungs: how many may be tried.
        """
        part = np.ascontiguousarray(region.of(image))
        deadline = time.perf_counter() + seconds
        doubtful: set[str] = set()
        put_off: list[int] = []
        for tried, index in enumerate(self._order()):
            if tried >= rungs or time.perf_counter() >= deadline:
                self._resume = put_off[0] if put_off else index
                return []
            if time.perf_counter() + self._expected(index) * part.size > deadline + seconds:
                if index != self._resume:  # which had all the time there is: it is left out
                    put_off.append(index)
                continue
            for symbols in self._timed(index, part):
                believed = [s for s in symbols if index in _UNREPAIRED or _certain(s, doubtful)]
                if believed:
                    self._favourite, self._resume = index, 0
                    return [symbol.placed(1.0, region.left, region.top) for symbol in believed]
                if time.perf_counter() >= deadline:
                    break
        self._resume = put_off[0] if put_off else 0
        return []

    def _expected(self, index: int) -> float:
        """Seconds a pixel that one attempt of a rung will take; 0 when nothing is known of this machine."""
        return self._pace.get(index, RUNGS[index].cost * self._pace.get(0, 0.0))

    def _timed(self, index: int, part: Grey) -> Iterator[tuple[Symbol, ...]]:
        """The attempts of a rung on `part`; its pace is noted."""
        self._pace[index] = 0.0
        begun = time.perf_counter()
        for symbols in RUNGS[index].climb(part):
            now = time.perf_counter()
            self._pace[index] = max(self._pace[index], (now - begun) / part.size)
            yield symbols
            begun = time.perf_counter()

    def _order(self) -> list[int]:
        """The first rung, the favourite, then all others from where the last climb stopped."""
        first = [0, self._favourite] if self._favourite else [0]
        rest = [*range(self._resume, len(RUNGS)), *range(self._resume)]
        return first + [index for index in rest if index not in first]
