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

    cost: how many times as long as the first rung on the same region an attempt takes at worst (of the first
    rung: as the quick look on the frame), measured on noise of many kinds. Both decoders are slow where much
    looks like a corner of a code, whatever the size of the region, so seconds a pixel foretell nothing.
    by_pixels: it works more on pixels than a decoder does, so that pixels foretell it once it was measured.
    """

    name: str
    climb: Climb
    cost: float = 1.5
    by_pixels: bool = False


def _with(repair: Callable[[Grey], repairs.Repaired], decode: Decoder) -> Climb:
    def climb(region: Grey) -> Iterator[tuple[Symbol, ...]]:
        image, scale = repair(region)
        yield tuple(symbol.placed(scale, 0, 0) for symbol in decode(image).symbols)

    return climb


def _deblurred(region: Grey) -> Iterator[tuple[Symbol, ...]]:
    for image in deblurred(region):
        yield zxing_plain(image).symbols


RUNGS = (
    Rung("local", _with(repairs.untouched, zxing), cost=5),
    Rung("despeckled", _with(repairs.despeckled, zxing_plain)),
    Rung("closed", _with(repairs.cracks_closed, zxing_quick)),
    Rung("smoothed", _with(repairs.smoothed_threshold, zxing_plain)),
    Rung("threshold 31", _with(repairs.local_threshold, zxing_quick)),
    Rung("threshold 15", _with(partial(repairs.local_threshold, block=15, offset=3), zxing_plain)),
    Rung("enlarged", _with(repairs.enlarged, zxing_plain), cost=3),
    Rung("brightened", _with(repairs.brightened, zxing_plain)),
    Rung("sharpened", _with(repairs.sharpened, zxing_plain)),
    Rung("contrast", _with(repairs.local_contrast, zxing), cost=5),
    Rung("threshold 101", _with(partial(repairs.local_threshold, block=101, offset=2), zxing_quick)),
    Rung("zbar", _with(repairs.untouched, zbar), cost=55),
    Rung("zbar threshold 31", _with(repairs.local_threshold, zbar), cost=55),
    Rung("zbar threshold", _with(repairs.threshold, zbar), cost=55),
    Rung("zbar brightened", _with(repairs.brightened, zbar), cost=55),
    Rung("enlarged twice", _with(partial(repairs.enlarged, times=2.0), zxing), cost=7),
    Rung("deblurred", _deblurred, cost=45, by_pixels=True),
)

_UNREPAIRED = frozenset(i for i, rung in enumerate(RUNGS) if rung.name in ("local", "zbar"))
_LONG = 40  # characters
_MARGIN = 1.3  # between two frames of the same view, times that a rung takes vary by less


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
    """Climbs `RUNGS`; remembers which worked, what each costs and where time ran out. Not thread-safe.

    Costs are CPU time: one moment in which another process had the core must not rule a rung out.
    """

    def __init__(self) -> None:
        self._ratio: dict[
            int, float
        ] = {}  # in this view: each rung's longest attempt for one of the first rung
        self._pace: dict[int, float] = {}  # seconds a pixel, of each rung that goes by pixels, at worst
        self._favourite = 0
        self._resume = 0

    def forget(self) -> None:
        """What is in view is another thing now: what rungs took on the last one says nothing about it."""
        self._ratio.clear()

    def climb(
        self,
        image: Grey,
        region: Region,
        *,
        seconds: float,
        rungs: int = len(RUNGS),
        begun: float | None = None,
        looked: float = 0.0,
    ) -> list[Symbol]:
        """The symbols read in `region` of `image`, in the frame's coordinates; [] when none was.

        seconds: how long it may take, and how long a frame is. What has begun is finished, so what might end
        later than two frames after `begun` (by time.perf_counter; now, if None) is put off and comes first in
        the next climb. rungs: how many may be tried. looked: CPU seconds of the quick look at `image`.
        """
        part = np.ascontiguousarray(region.of(image))
        now = time.perf_counter()
        deadline, end = now + seconds, (now if begun is None else begun) + 2 * seconds
        doubtful: set[str] = set()
        put_off: list[int] = []
        first = 0.0
        for tried, index in enumerate(self._order()):
            if tried >= rungs or time.perf_counter() >= deadline:
                self._resume = put_off[0] if put_off else index
                return []
            expected = self._expected(index, part.size, first if tried else looked)
            if time.perf_counter() + expected > end:
                if tried == 0:
                    return []  # the quick look was so slow that everything else would be
                if index != self._resume:  # which had all the time there is: it is left out
                    put_off.append(index)
                continue
            attempts = RUNGS[index].climb(part)
            longest = 0.0
            while time.perf_counter() + longest <= end:
                started = time.thread_time()
                symbols = next(attempts, None)
                if symbols is None:
                    break
                longest = max(longest, time.thread_time() - started)
                believed = [s for s in symbols if index in _UNREPAIRED or _certain(s, doubtful)]
                if believed:
                    self._favourite, self._resume = index, 0
                    return [symbol.placed(1.0, region.left, region.top) for symbol in believed]
                if time.perf_counter() >= deadline:
                    break
            self._note(index, part.size, longest, first if tried else looked)
            if tried == 0:
                first = longest
        self._resume = put_off[0] if put_off else 0
        return []

    def _expected(self, index: int, pixels: int, measure: float) -> float:
        """Seconds that an attempt may take. measure: what the first rung, before it the quick look, took."""
        if index in self._pace:
            return self._pace[index] * pixels + RUNGS[0].cost * measure
        if index in self._ratio:
            return _MARGIN * self._ratio[index] * measure
        return RUNGS[index].cost * measure

    def _note(self, index: int, pixels: int, longest: float, measure: float) -> None:
        """Remember that the longest attempt of a rung took `longest` seconds."""
        if RUNGS[index].by_pixels:
            self._pace[index] = max(self._pace.get(index, 0.0), longest / pixels)
        elif measure > 0.0:
            self._ratio[index] = max(self._ratio.get(index, 0.0), longest / measure)

    def _order(self) -> list[int]:
        """The first rung, the favourite, then all others from where the last climb stopped."""
        first = [0, self._favourite] if self._favourite else [0]
        rest = [*range(self._resume, len(RUNGS)), *range(self._resume)]
        return first + [index for index in rest if index not in first]
