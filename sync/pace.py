"""The pace of the uplink: how long to wait after a fault, and how large the next batch is.

Waits double up to a limit, each with full jitter (uniform from 0 to the limit), so that a thousand terminals
do not return at the same instant after an outage. Batches grow by a step and shrink by half, as TCP's window
does (RFC 5681, 3.1), so that a slow link gets small ones.
"""

from __future__ import annotations

import random

from sync.protocol import Wish

_FIRST_WAIT = 1.0  # seconds, doubled after every fault
_BRISK = 2.0  # seconds; a batch that takes longer is too large for this link
_STEP = 1 / 16  # of the full size
_LEAST = 1 / 256  # of the full size


class Pace:
    """How long to wait before the next try. longest: seconds, may be changed."""

    def __init__(self, longest: float, rng: random.Random | None = None) -> None:
        self.longest = longest
        self._rng = rng or random.SystemRandom()
        self._faults = 0

    def after_success(self) -> None:
        """Forget the faults."""
        self._faults = 0

    def after_fault(self, retry_after: float | None) -> float:
        """Seconds to wait now: full jitter up to a doubling limit, after what the server asked for."""
        self._faults += 1
        ceiling = min(self.longest, _FIRST_WAIT * 2 ** min(self._faults - 1, 30))
        return min(retry_after or 0.0, self.longest) + self._rng.uniform(0, ceiling)


class BatchSize:
    """How large the next batch may be. records, size: the settings' limits, size in bytes."""

    def __init__(self, records: int, size: int) -> None:
        self.limit(records, size)
        self._share = 1.0
        self._wish = Wish()

    @property
    def records(self) -> int:
        """Most records."""
        return self._within(self._records, self._wish.records)

    @property
    def bytes(self) -> int:
        """Most bytes of records, before compression."""
        return self._within(self._bytes, self._wish.bytes)

    def limit(self, records: int, size: int) -> None:
        """Let these be the settings' limits from now on."""
        self._records, self._bytes = records, size

    def took(self, seconds: float) -> None:
        """The last batch took so long from the first byte sent to the whole answer."""
        if seconds > _BRISK:
            self.halve()
        else:
            self._share = min(1.0, self._share + _STEP)

    def halve(self) -> None:
        """The last batch was too much for central, a proxy or the link."""
        self._share = max(_LEAST, self._share / 2)

    def heed(self, wish: Wish) -> None:
        """Stay within what central wishes for, from now on."""
        self._wish = wish

    def _within(self, setting: int, wish: int | None) -> int:
        full = setting if wish is None else min(setting, wish)
        return max(1, int(full * self._share))
