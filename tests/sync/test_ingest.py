"""The core of ingest: whatever way the batches of one chain come, it ends with exactly that chain."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.central.ingest import Gap, Kept, Known, Lane, Outcome, take
from sync.protocol import MAX_SPANS
from terminal.events import FIRST_DIGEST, Event, lost
from tests.sync.batches import chain, event
from tests.sync.world import DEVICE

CHAIN = chain(14)
FORGED = [event(e.sequence, e.previous, salt="forged") for e in CHAIN]


class Central:
    """What central's database would hold, in memory."""

    def __init__(self) -> None:
        self.known = Known()
        self.records: dict[int, Event] = {}
        self.alarms: set[tuple[str, int, str]] = set()

    def take(self, events: list[Event], lane: Lane = Lane.MAIN) -> Outcome:
        stored = {n: self.records[n] for n in self.known.covered(events) if n in self.records}
        outcome = take(self.known, events, {n: Kept.of(e, e.digest) for n, e in stored.items()}, lane)
        for number in outcome.found:
            del self.records[number]
        for new, digest in outcome.new:
            assert new.sequence not in self.records
            assert digest == new.digest
            self.records[new.sequence] = new
        self.known = outcome.known
        self.alarms |= {(a.kind, a.sequence, a.evidence) for a in outcome.alarms}
        self.check()
        return outcome

    def check(self) -> None:
        """Spans are in order, apart, and about records that are here."""
        spans = [self.known.whole, *self.known.ahead]
        assert len(spans) <= MAX_SPANS + 1
        assert spans[0].first == 1
        for one, after in pairwise(spans):
            assert one.through + 1 < after.first
        held = {n for s in spans for n in range(s.first, s.through + 1)}
        here = {n for e in self.records.values() for n in range(e.first, e.sequence + 1)}
        assert here <= held

    def kinds(self) -> list[str]:
        return sorted(kind for kind, _, _ in self.alarms)

    def have(self) -> list[Event]:
        return [self.records[n] for n in sorted(self.records)]


def a_lost(first: int, last: int, *, resumes: bool = True, chained: list[Event] = CHAIN) -> Event:
    previous = chained[first - 2].digest if first > 1 else FIRST_DIGEST
    after = chained[last].previous if resumes else ""
    at = datetime(2026, 11, 3, tzinfo=UTC)
    return lost(DEVICE, first, last, previous=previous, resumes=after, at=at, trusted=True)


slices = st.tuples(st.integers(0, 13), st.integers(1, 14)).map(lambda s: CHAIN[min(s) : max(s)] or CHAIN[:1])
batches = st.lists(st.tuples(st.sampled_from(Lane), slices.flatmap(st.permutations)), max_size=20)


@given(batches)
def test_any_mix_of_batches_and_lanes_ends_with_the_chain_once_and_no_alarm(
    ways: list[tuple[Lane, list[Event]]],
) -> None:
    central = Central()
    for lane, batch in [*ways, (Lane.MAIN, CHAIN)]:
        before = central.known
        try:
            outcome = central.take(batch, lane)
        except Gap as gap:
            assert gap.expected == before.whole.through + 1  # noqa: PT017 - both ways are right
            assert central.known == before
            continue
        assert not outcome.refused
        assert central.known.whole.through >= before.whole.through
        if lane is Lane.LIVE and outcome.live:
            assert (
                outcome.live.through == max(e.sequence for e in batch) or outcome.live in central.known.ahead
            )
    assert central.have() == CHAIN
    assert central.known == Known(central.known.whole)
    assert central.known.whole.digest == central.known.whole.chained == CHAIN[-1].digest
    assert central.alarms == set()


@given(batches, st.lists(st.sampled_from(FORGED), min_size=1, max_size=4, unique=True))
def test_a_fork_is_an_alarm_with_evidence_and_changes_nothing(
    ways: list[tuple[Lane, list[Event]]], forged: list[Event]
) -> None:
    central = Central()
    for lane, batch in [*ways, (Lane.MAIN, CHAIN)]:
        try:
            central.take(batch, lane)
        except Gap:
            continue
    for _ in range(2):
        outcome = central.take(forged, Lane.LIVE)
        assert [r.sequence for r in outcome.refused] == sorted(e.sequence for e in forged)
    assert central.have() == CHAIN
    assert central.alarms == {("fork", e.sequence, e.text) for e in forged}


@given(st.integers(0, 12), batches, st.sampled_from(Lane))
def test_an_altered_record_never_goes_without_an_alarm(
    which: int, ways: list[tuple[Lane, list[Event]]], lane: Lane
) -> None:
    """Whether it comes before the true one, which is a fork then, or before none: the chain breaks."""
    altered = [*CHAIN[:which], FORGED[which], *CHAIN[which + 1 :]]
    central = Central()
    for way, batch in ways:
        try:
            central.take([FORGED[which] if e.sequence == which + 1 else e for e in batch], way)
        except Gap:
            continue
    central.take(altered[: which + 1], lane)
    central.take(CHAIN)
    assert central.have() == altered
    assert {("fork", which + 1), ("chain", which + 2)} <= {(kind, n) for kind, n, _ in central.alarms}


@given(st.integers(1, 12), st.integers(0, 6), batches)
def test_lost_records_are_an_alarm_and_the_chain_goes_on(
    first: int, more: int, ways: list[tuple[Lane, list[Event]]]
) -> None:
    last = min(first + more, 13)
    loss = a_lost(first, last)
    left = [*CHAIN[: first - 1], loss, *CHAIN[last:]]
    central = Central()
    for lane, batch in ways:
        there = [e for e in batch if not first <= e.sequence <= last]
        if loss not in there and len(there) < len(batch):
            there.append(loss)
        try:
            central.take(there, lane)
        except Gap:
            continue
    central.take(left)
    assert central.have() == left
    assert central.alarms == {("lost", last, loss.text)}
    assert central.known.whole.digest == CHAIN[-1].digest


@given(st.integers(1, 12), st.integers(0, 6), batches)
def test_whatever_is_lost_and_arrives_after_all_the_chain_is_whole(
    first: int, more: int, ways: list[tuple[Lane, list[Event]]]
) -> None:
    loss = a_lost(first, min(first + more, 13))
    central = Central()
    for number, (lane, batch) in enumerate(ways):
        try:
            central.take([*batch, loss] if number % 2 else batch, lane)
        except Gap:
            continue
    central.take([*CHAIN[: first - 1], loss])
    central.take(CHAIN)
    assert central.have() == CHAIN
    assert central.alarms == {("lost", loss.sequence, loss.text)}


def test_a_loss_of_records_that_central_has_changes_nothing_but_is_evidence() -> None:
    central = Central()
    central.take(CHAIN)
    before = central.known
    for _ in range(2):
        assert not central.take([a_lost(3, 5)]).refused
    assert central.have() == CHAIN
    assert central.known == before
    assert central.kinds() == ["lost"]


def test_after_a_loss_at_the_end_of_what_central_has_the_next_record_names_it() -> None:
    central = Central()
    central.take(CHAIN[:5])
    loss = a_lost(4, 5, resumes=False)
    central.take([loss])
    assert central.known.whole.digest == CHAIN[4].digest
    central.take([event(6, loss.digest)])
    assert central.kinds() == ["lost"]
    assert [e.sequence for e in central.have()] == [1, 2, 3, 4, 5, 6]


def test_a_loss_across_what_the_live_lane_brought_fills_the_holes() -> None:
    central = Central()
    central.take(CHAIN[:2])
    central.take(CHAIN[4:7], Lane.LIVE)
    central.take(CHAIN[9:11], Lane.LIVE)
    loss = a_lost(3, 13)
    central.take([loss, CHAIN[13]])
    assert central.known.whole.through == 14
    assert central.have() == [*CHAIN[:2], *CHAIN[4:7], *CHAIN[9:11], loss, CHAIN[13]]
    assert central.kinds() == ["lost"]


def test_a_record_in_place_of_a_loss_must_be_the_one_that_the_chain_names() -> None:
    central = Central()
    central.take([*CHAIN[:4], a_lost(5, 5), CHAIN[5]])
    assert [r.sequence for r in central.take([FORGED[4]]).refused] == [5]
    central.take([CHAIN[4]])
    assert central.have() == CHAIN[:6]


def test_the_chain_is_checked_where_spans_meet() -> None:
    central = Central()
    central.take(CHAIN[5:], Lane.LIVE)
    central.take([*CHAIN[:4], FORGED[4]])
    assert central.alarms == {("chain", 6, CHAIN[5].text)}
    assert central.known.whole.through == 14


def test_more_spans_than_allowed_are_a_gap() -> None:
    long = chain(2 * MAX_SPANS + 4)
    central = Central()
    for number in range(MAX_SPANS):
        central.take([long[2 * number + 1]], Lane.LIVE)
    with pytest.raises(Gap, match="record 1 "):
        central.take([long[-1]], Lane.LIVE)
    central.take([long[2 * MAX_SPANS]], Lane.LIVE)  # one that goes on where a span ends is welcome
    central.take(long)
    assert central.have() == long


def test_the_main_lane_takes_nothing_ahead_of_a_gap_even_where_the_live_lane_was() -> None:
    central = Central()
    central.take(CHAIN[5:8], Lane.LIVE)
    with pytest.raises(Gap, match="record 1 "):
        central.take(CHAIN[6:9])
    assert central.have() == CHAIN[5:8]


@pytest.mark.parametrize("lane", Lane)
def test_a_hole_within_a_batch_asks_for_what_follows_what_is_stored(lane: Lane) -> None:
    central = Central()
    central.take(CHAIN[:2])
    for number in range(MAX_SPANS if lane is Lane.LIVE else 0):
        central.take([event(100 + 2 * number)], Lane.LIVE)
    with pytest.raises(Gap, match="record 3 "):
        central.take([*CHAIN[2:5], *CHAIN[7:9]], lane)
    assert central.known.whole.through == 2
