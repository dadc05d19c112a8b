"""Which records go next, and by which lane: pure, without clock, disk or network.

The main lane carries the journal in order. When more than a batch waits at the moment a connection works, the
records written after that moment go ahead of it by the live lane, so that central's screen shows who comes
through the gate now, and the backlog follows between. Both lanes are in order; neither starves the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.protocol import BATCHES, LIVE, MAX_SPANS
from terminal.receipt import Receipt


class Lane(StrEnum):
    """A lane, by its path at central."""

    MAIN = BATCHES
    LIVE = LIVE


@dataclass(frozen=True, slots=True)
class Turn:
    """The records after sequence `after`, up to `up_to`, are next, by `lane`."""

    lane: Lane
    after: int
    up_to: int


class Lanes:
    """Gives out turns. Told of each success and failure; everything else is in the receipt."""

    def __init__(self) -> None:
        self._mark = 0  # the live lane begins at this sequence; 0 while there is none
        self._last = Lane.MAIN
        self._connected = False
        self._offered = True  # whether central has a live lane

    def next(self, newest: int, receipt: Receipt, *, resting: bool = False) -> Turn | None:
        """The next turn when the journal ends at `newest`; None when there is none.

        resting: only the live lane may go now.
        """
        if receipt.through >= self._mark - 1:
            self._mark = 0  # the backlog has come up with it
        main, live = None if resting else self._main(newest, receipt), self._live(newest, receipt)
        turn = live if main is None or (live and self._last is Lane.MAIN) else main
        if turn:
            self._last = turn.lane  # noted when it is tried: a lane that fails must not hold the other up
        return turn

    def succeeded(self, newest: int, receipt: Receipt, *, batch: int) -> None:
        """A batch went through; `receipt` says what central has now. batch: records in one."""
        first, self._connected = not self._connected, True
        if first or not self._after(receipt):
            self._open(newest, receipt, unless_within=batch)

    def failed(self) -> None:
        """There was no good answer: what works after it is a new connection, perhaps to a newer central."""
        self._connected, self._offered = False, True

    def pass_by(self, newest: int, receipt: Receipt) -> None:
        """A record cannot go now: let those written from now on go ahead of it."""
        self._open(newest, receipt, unless_within=0)

    def no_live(self) -> None:
        """Central has no live lane, or room for no more spans: all by the main lane until the next fault."""
        self._offered, self._mark = False, 0

    def _open(self, newest: int, receipt: Receipt, *, unless_within: int) -> None:
        reached = max(receipt.through, self._after(receipt))
        if self._offered and newest - reached > unless_within and len(receipt.ahead) < MAX_SPANS - 1:
            self._mark = newest + 1

    def _after(self, receipt: Receipt) -> int:
        """What the live lane comes after; 0 when there is none."""
        return max(self._mark - 1, receipt.ahead[-1].through if receipt.ahead else 0, 0)

    def _live(self, newest: int, receipt: Receipt) -> Turn | None:
        after = self._after(receipt)
        return Turn(Lane.LIVE, after, newest) if self._offered and 0 < after < newest else None

    def _main(self, newest: int, receipt: Receipt) -> Turn | None:
        up_to = min(newest, self._mark - 1) if self._mark else newest
        if receipt.ahead:
            up_to = min(up_to, receipt.ahead[0].first - 1)
        return Turn(Lane.MAIN, receipt.through, up_to) if receipt.through < up_to else None
