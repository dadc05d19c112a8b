"""Load shedding: central takes on no more batches at once than it can hold, and says when to come back.

A batch is admitted before its body is read, so that what is in memory is bounded; the others get 503 with
Retry-After (RFC 9110, 10.2.3). That grows with how many are waiting outside, each with its own chance, so
that terminals that were all away at the same time do not all come back at the same time.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.central.wire import Refusal, problem
from sync.protocol import Wish

BATCHES_AT_ONCE = 32
_LONGEST = 300  # seconds
_LOADED = Wish(records=2000, bytes=1_048_576)  # few requests with much in them, yet bounded memory


class Shedder:
    """Admits at most `limit` batches at a time. Used by one thread: the event loop's. clock: seconds."""

    def __init__(
        self,
        limit: int = BATCHES_AT_ONCE,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._clock = limit, clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._turned_away = 0  # those that are still to come back
        self._seconds = 0.1  # a batch's stay, smoothed
        self.in_work = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """For as long as a batch is in work. Raises: Refusal, of the type "busy"."""
        if self.in_work >= self._limit:
            self._turned_away += 1
            raise self.busy(f"{self._limit} batches are in work")
        self.in_work += 1
        began = self._clock()
        try:
            yield
        finally:
            self.in_work -= 1
            self._turned_away = max(0, self._turned_away - 1)
            self._seconds += 0.1 * (self._clock() - began - self._seconds)

    def busy(self, detail: str) -> Refusal:
        """The refusal of a batch that may come again later."""
        seconds = self._rng.uniform(0.5, 1.5) * (2 + self._drain())
        return Refusal(
            problem("busy", 503, "Central is busy", detail),
            retry_after=max(1, min(math.ceil(seconds), _LONGEST)),
        )

    def wish(self) -> Wish:
        """How the next batch should come: as the terminal likes, or bundled and later under load."""
        if self.in_work * 2 <= self._limit:
            return Wish()
        pause = self._rng.uniform(0.5, 1.5) * (self._seconds + self._drain())
        return _LOADED.model_copy(update={"pause": round(min(pause, _LONGEST), 3)})

    def _drain(self) -> float:
        """Seconds that those who were turned away will keep central busy."""
        return self._turned_away * self._seconds / self._limit
