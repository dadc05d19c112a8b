"""The portal: the gate's state machine. It alone moves the relay, and only for a durable record.

`open_for` takes a journal Entry, which only a finished `Journal.append` gives: opening before the record
is on disk cannot be written. Time is given to it, so a test needs no sleep.
"""

from __future__ import annotations

import time
from enum import StrEnum

from hw.relay import Relay
from terminal.journal import Entry
from terminal.policy import Place


class PortalState(StrEnum):
    """What the gate is doing."""

    LOCKED = "locked"
    RELEASED = "released"


class Portal:
    """Holds the relay. Call `tick` often: it locks when the pulse is over."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._until = 0.0
        self.opened = 0

    @property
    def state(self) -> PortalState:
        """What the gate is doing now, read back from the pin."""
        return PortalState.RELEASED if self._relay.released else PortalState.LOCKED

    @property
    def level(self) -> int:
        """The level of the relay's wire now: 1 high, 0 low."""
        return self._relay.level

    def open_for(self, entry: Entry, seconds: float) -> float:
        """Release the gate for `seconds` on the strength of `entry`; the monotonic time when it moved."""
        if not isinstance(entry, Entry):
            raise TypeError("a gate opens only for a journal entry")
        return self._release(seconds)

    def open_unrecorded(self, place: Place, seconds: float) -> float:
        """Release the gate without a record: only where the policy says so, for an escape route.

        The monotonic time when it moved. Raises: TypeError where the policy does not say so.
        """
        if place.unrecorded != "released":
            raise TypeError("without a record this gate stays locked")
        return self._release(seconds)

    def _release(self, seconds: float) -> float:
        self._relay.release()
        moved_at = time.monotonic()
        self._until = moved_at + seconds
        self.opened += 1
        return moved_at

    def tick(self, now: float) -> None:
        """Lock the gate once its pulse is over. now: monotonic seconds."""
        if self._relay.released and now >= self._until:
            self._relay.lock()

    def close(self) -> None:
        """Lock and let the relay go."""
        self._relay.close()
