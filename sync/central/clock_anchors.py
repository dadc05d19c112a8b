"""What central makes of records whose clock nobody vouched for, once another record of that boot was vouched.

Within one boot CLOCK_BOOTTIME counts on, whatever the wall clock does: the true time of a record is that of
a vouched one (its anchor) and the difference of their uptimes. Anchors are learnt as records arrive and used
when records are read, so it does not matter which of the two came first. A record of a boot without an anchor
still happened between those of its neighbours, because sequence numbers follow time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hw.clock import Source
from sync.central.database import upsert
from sync.central.tables import clock_anchor
from terminal.events import Event, rfc3339

_RANK = {
    str(source): rank
    for rank, source in enumerate((Source.NETWORK, Source.CENTRAL, Source.RTC, Source.SYSTEM, Source.STAFF))
}
"""Which anchor is better: a lower rank. What somebody typed comes last."""

_Known = dict[tuple[str, str], Any]


def learn(db: sa.Connection, events: Iterable[Event]) -> None:
    """Keep the best anchor of each device and boot that `events`, which are new, give."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if not event.clock_trusted or not event.boot or event.uptime is None:
            continue
        rank = _RANK.get(event.clock, len(_RANK))
        known = best.get((event.device, event.boot))
        if known is None or rank < known["rank"]:
            best[event.device, event.boot] = {
                "device": event.device,
                "boot": event.boot,
                "rank": rank,
                "sequence": event.sequence,
                "time": rfc3339(event.time),
                "uptime": event.uptime,
            }
    stored = _anchors(db, {device for device, _ in best}, {boot for _, boot in best})
    better = [new for key, new in best.items() if key not in stored or new["rank"] < stored[key].rank]
    upsert(db, clock_anchor, better)


def corrections(db: sa.Connection, events: Iterable[Event]) -> Mapping[tuple[str, int], Mapping[str, str]]:
    """What is known better of those of `events` whose time nobody or only staff vouched for.

    By device and sequence.

    "corrected_time" with an anchor of the same boot; else "not_before" and "not_after", as far as known.
    """
    doubtful = [event for event in events if not event.bounds_clock]
    anchors = _anchors(db, {event.device for event in doubtful})
    return {(event.device, event.sequence): _correction(event, anchors) for event in doubtful}


def _correction(event: Event, anchors: _Known) -> Mapping[str, str]:
    anchor = anchors.get((event.device, event.boot))
    if event.clock_trusted and (anchor is None or anchor.rank >= _RANK[event.clock]):
        return {}
    if anchor is not None and event.uptime is not None:
        try:
            since = timedelta(milliseconds=event.uptime - anchor.uptime)
            return {"corrected_time": rfc3339(datetime.fromisoformat(anchor.time).astimezone(UTC) + since)}
        except OverflowError:  # an uptime of a million years
            return {}
    # What somebody typed may be years off, so it bounds no other boot.
    own = [
        one
        for (device, _), one in anchors.items()
        if device == event.device and one.rank != _RANK[Source.STAFF]
    ]
    before = [one.time for one in own if one.sequence < event.sequence]
    after = [one.time for one in own if one.sequence > event.sequence]
    bounds = {"not_before": max(before, default=""), "not_after": min(after, default="")}
    return {name: time for name, time in bounds.items() if time}


def _anchors(db: sa.Connection, devices: set[str], boots: set[str] | None = None) -> _Known:
    if not devices:
        return {}
    query = sa.select(clock_anchor).where(clock_anchor.c.device.in_(devices))
    if boots is not None:
        query = query.where(clock_anchor.c.boot.in_(boots))
    return {(row.device, row.boot): row for row in db.execute(query)}
