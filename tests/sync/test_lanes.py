"""Two lanes: the scheduler as a pure thing, and the uplink against a central that follows the protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.faults import Fault, SyncFault
from sync.lanes import Lane, Lanes
from sync.protocol import MAX_SPANS, Wish
from sync.uplink import Uplink
from terminal.events import Event
from terminal.provision import device_key
from terminal.receipt import Receipt, Span
from tests.sim.campus import Campus
from tests.sim.processes import wait_until
from tests.sync.batches import chain
from tests.sync.ledger import Gap, Ledger, LedgerServer
from tests.sync.world import DEVICE, at, uplink_to, write_records

CHAIN = chain(160)


class Terminal:
    """The scheduler with the part of the uplink that keeps the receipt, and a ledger for central."""

    def __init__(self) -> None:
        self.lanes, self.receipt, self.ledger = Lanes(), Receipt(), Ledger()
        self.newest = 0
        self.live_known = True

    def step(self, batch: int, *, answered: bool) -> Lane | None:
        """One turn; answered: whether central's answer comes back."""
        turn = self.lanes.next(self.newest, self.receipt)
        if turn is None:
            return None
        events: list[Event] = CHAIN[turn.after : min(turn.up_to, turn.after + batch)]
        if turn.lane is Lane.LIVE and not self.live_known:
            self.lanes.no_live()
            return turn.lane
        try:
            answer = self.ledger.take(DEVICE, turn.lane, events)
        except Gap as gap:
            if turn.lane is Lane.MAIN or gap.expected <= self.receipt.through:
                raise
            self.lanes.no_live()
            return turn.lane
        if not answered:
            self.lanes.failed()
            return turn.lane
        live = Span(**answer.live.model_dump()) if answer.live else None
        self.receipt = self.receipt.advanced(answer.through, answer.digest, live)
        self.lanes.succeeded(self.newest, self.receipt, batch=batch)
        return turn.lane


STEPS = st.lists(
    st.one_of(
        st.integers(1, 12).map(lambda count: ("write", count)),
        st.booleans().map(lambda answered: ("step", answered)),
        st.just(("fail", 0)),
        st.just(("restart", 0)),
        st.just(("receipt lost", 0)),
        st.just(("spans lost at central", 0)),
        st.booleans().map(lambda known: ("live known", known)),
    ),
    max_size=50,
)


@given(STEPS, st.integers(1, 6))
def test_every_record_is_sent_once_to_the_ledger_in_order_by_each_lane(
    steps: list[tuple[str, int]], batch: int
) -> None:
    terminal = Terminal()
    for what, value in steps:
        if what == "write":
            terminal.newest = min(len(CHAIN), terminal.newest + value)
        elif what == "step":
            terminal.step(batch, answered=bool(value))
        elif what == "fail":
            terminal.lanes.failed()
        elif what == "restart":
            terminal.lanes = Lanes()
        elif what == "receipt lost":
            terminal.lanes, terminal.receipt = Lanes(), Receipt()
        elif what == "live known":
            terminal.live_known = bool(value)
        else:
            for span in terminal.ledger.spans:
                for sequence in range(span.first, span.through + 1):
                    del terminal.ledger.records[sequence]
            terminal.ledger.spans = []
    for _ in range(len(CHAIN) * 3):
        if terminal.step(batch, answered=True) is None:
            break
    assert (
        terminal.receipt == Receipt(terminal.newest, CHAIN[terminal.newest - 1].digest) or not terminal.newest
    )
    assert sorted(terminal.ledger.records) == list(range(1, terminal.newest + 1))
    assert terminal.ledger.alarms == []
    if all(what != "spans lost at central" for what, _ in steps):
        for lane in Lane:
            sent = [sequence for by, sequence in terminal.ledger.arrived if by is lane]
            assert sent == sorted(set(sent))


@given(st.integers(1, 5), st.integers(1, 5))
def test_neither_lane_starves_while_the_gate_writes_more_than_the_link_takes(batch: int, burst: int) -> None:
    terminal = Terminal()
    terminal.newest = 60
    taken = []
    while terminal.newest + burst <= len(CHAIN) and terminal.receipt.through < 60:
        taken.append(terminal.step(batch, answered=True))
        terminal.newest += burst
    for before, lane, after in zip(taken[1:], taken[2:], taken[3:], strict=False):
        assert {before, lane, after} == {Lane.MAIN, Lane.LIVE} or terminal.receipt.through >= 60


def test_with_no_more_than_a_batch_waiting_there_is_one_lane() -> None:
    terminal = Terminal()
    terminal.newest = 5
    assert terminal.step(5, answered=True) is Lane.MAIN
    terminal.newest = 7
    assert terminal.step(5, answered=True) is Lane.MAIN
    assert terminal.receipt.through == 7


def test_spans_never_exceed_what_central_keeps() -> None:
    terminal = Terminal()
    terminal.newest = 20
    for _ in range(40):  # each time the connection comes back more than a batch of one waits
        terminal.lanes.failed()
        terminal.step(1, answered=True)
        terminal.newest = min(len(CHAIN), terminal.newest + 3)
        terminal.step(1, answered=True)
        assert len(terminal.receipt.ahead) <= MAX_SPANS - 1


@pytest.fixture
def server(campus: Campus) -> Iterator[LedgerServer]:
    with LedgerServer(device_key(campus.settings).public_key()) as running:
        yield running


def drain(uplink: Uplink) -> None:
    assert wait_until(lambda: uplink.step() >= 0 and not uplink.waiting(), 30)


def test_new_records_go_ahead_of_a_backlog_and_both_are_in_order(
    campus: Campus, server: LedgerServer
) -> None:
    write_records(campus.settings, 20)
    with uplink_to(at(campus.settings, server.url, batch_records=4)) as uplink:
        uplink.step()
        events = write_records(campus.settings, 3)
        uplink.step()
        assert [sequence for _, sequence in server.ledger.arrived] == [1, 2, 3, 4, 21, 22, 23]
        assert uplink.waiting() == 16
        drain(uplink)
        assert uplink.receipt == Receipt(23, events[-1].digest)
    assert [s for lane, s in server.ledger.arrived if lane is Lane.MAIN] == list(range(1, 21))
    assert server.ledger.alarms == []


def test_a_restart_resends_nothing_of_what_is_ahead(campus: Campus, server: LedgerServer) -> None:
    write_records(campus.settings, 20)
    settings = at(campus.settings, server.url, batch_records=4)
    with uplink_to(settings) as uplink:
        uplink.step()
        write_records(campus.settings, 3)
        uplink.step()
    with uplink_to(settings) as uplink:
        assert uplink.waiting() == 16
        drain(uplink)
    assert sum(count for _, _, count, _ in server.requests) == 23


def test_a_central_without_a_live_lane_gets_everything_by_the_main_one(
    campus: Campus, server: LedgerServer
) -> None:
    server.live = False
    write_records(campus.settings, 12)
    with uplink_to(at(campus.settings, server.url, batch_records=4)) as uplink:
        uplink.step()
        write_records(campus.settings, 3)
        drain(uplink)
    assert server.refusals == [404]
    assert [sequence for _, sequence in server.ledger.arrived] == list(range(1, 16))


def test_a_span_that_central_lost_is_sent_again(campus: Campus, server: LedgerServer) -> None:
    write_records(campus.settings, 12)
    with uplink_to(at(campus.settings, server.url, batch_records=4)) as uplink:
        uplink.step()
        write_records(campus.settings, 3)
        uplink.step()
        for sequence in (13, 14, 15):
            del server.ledger.records[sequence]
        server.ledger.spans = []
        write_records(campus.settings, 2)
        drain(uplink)
    assert sorted(server.ledger.records) == list(range(1, 18))
    assert server.ledger.alarms == []


@pytest.mark.parametrize(("offer", "coding"), [("zstd, gzip", "zstd"), ("gzip;q=1, br", "gzip"), ("br", "")])
def test_the_first_batch_is_plain_and_the_next_in_a_coding_that_central_takes(
    offer: str, coding: str, campus: Campus, server: LedgerServer
) -> None:
    server.encodings = offer
    write_records(campus.settings, 6)
    with uplink_to(at(campus.settings, server.url, batch_records=3)) as uplink:
        drain(uplink)
    assert [used for _, used, _, _ in server.requests] == ["", coding]


def test_a_415_makes_it_fall_back_without_a_fault_and_for_good(campus: Campus, server: LedgerServer) -> None:
    server.unsupported = {"zstd", "gzip"}
    write_records(campus.settings, 9)
    with uplink_to(at(campus.settings, server.url, batch_records=3)) as uplink:
        drain(uplink)
    assert server.refusals == [415, 415]
    assert [used for _, used, _, _ in server.requests] == ["", "", ""]


def test_a_batch_that_is_too_large_is_halved_until_it_passes(campus: Campus, server: LedgerServer) -> None:
    server.encodings = None
    events = write_records(campus.settings, 16)
    server.limit = 3 * len(events[0].text)
    with uplink_to(at(campus.settings, server.url)) as uplink:
        assert uplink.step() == 2
        assert server.refusals == [413, 413, 413]
        drain(uplink)
    assert sorted(server.ledger.records) == list(range(1, 17))


def test_a_record_too_large_even_alone_is_named_and_the_live_lane_goes_on(
    campus: Campus, server: LedgerServer
) -> None:
    write_records(campus.settings, 2)
    with uplink_to(at(campus.settings, server.url)) as uplink:
        uplink.step()
        write_records(campus.settings, 3)
        server.limit = 10
        with pytest.raises(SyncFault) as caught:
            uplink.step()
        assert caught.value.fault is Fault.TOO_LARGE
        assert "record 3 " in str(caught.value)
        assert uplink.trouble == str(caught.value)
        server.limit = 10**6
        write_records(campus.settings, 2)
        uplink.step()
        assert server.ledger.arrived[-1][0] is Lane.LIVE
        drain(uplink)
        assert uplink.trouble == ""
    assert sorted(server.ledger.records) == list(range(1, 8))


def test_what_central_wishes_bounds_the_next_batches_and_a_pause_holds_only_the_backlog(
    campus: Campus, server: LedgerServer
) -> None:
    server.wish = Wish(records=2, pause=1e9)
    write_records(campus.settings, 12)
    with uplink_to(at(campus.settings, server.url, batch_records=4)) as uplink:
        assert uplink.step() == 4
        assert 0 < uplink.rest <= campus.settings.sync.backoff_seconds
        assert uplink.step() == 0
        write_records(campus.settings, 3)
        assert uplink.step() == 2
        assert [(lane, count) for lane, _, count, _ in server.requests] == [(Lane.MAIN, 4), (Lane.LIVE, 2)]
