"""Central's signed time over real HTTP: asked, left on disk, taken up by the clock; and what goes wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests

from hw.clock import Source, SystemClock
from hw.clock_sources import MachineSources
from sync.faults import Fault, SyncFault
from sync.http import session
from sync.protocol import TIME
from sync.time_offer import TimeOffer
from terminal.central_clock import CentralClock
from terminal.roster_shelf import RosterShelf
from terminal.statement import MAX_STATEMENT
from tests.sim.campus import Campus
from tests.sync import hostile
from tests.sync.batches import assert_problem
from tests.sync.conftest import NOBODY
from tests.sync.hostile import HTML, Answer, Call, Hostile
from tests.sync.world import DEVICE, at, downlink_from

NONCE = "AAAAAAAAAAAAAAAAAAAAAA"


class Unvouched:
    """This machine's boot, and no source that vouches for its clock."""

    boot = MachineSources().boot

    def kernel(self) -> bool:
        return False

    def timesyncd(self) -> int | None:
        return None

    def rtc(self) -> datetime | None:
        return None


def ask(campus: Campus, url: str) -> None:
    with session(campus.settings) as http:
        assert TimeOffer(at(campus.settings, url), http).step() is False


def clock_of(campus: Campus, clock: SystemClock | None = None) -> tuple[SystemClock, CentralClock]:
    """A terminal's clock for which nothing vouches but what central has signed."""
    clock = clock or SystemClock(sources=Unvouched())
    shelf = RosterShelf(
        campus.settings.roster, campus.settings.state / "terminal-trust", campus.site.repository.root
    )
    shelf.refresh()
    taker = CentralClock(campus.settings, clock)
    taker.refresh(shelf)
    return clock, taker


@pytest.fixture
def synced(campus: Campus, central: str) -> str:
    """The URL of central, whose roster is on the mirror."""
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
    return central


def test_what_central_signs_makes_the_clock_trusted(campus: Campus, synced: str) -> None:
    ask(campus, synced)
    clock, taker = clock_of(campus)
    moment = clock.now()
    assert taker.refused == ""
    assert (moment.trusted, moment.basis.source) == (True, Source.CENTRAL)
    anchor = clock.state().central
    assert anchor is not None
    assert abs((moment.wall - datetime.now(UTC)).total_seconds()) <= anchor.uncertainty + 0.1
    assert anchor.uncertainty <= 1.5


def test_without_a_roster_nobody_can_tell_whether_it_is_centrals(campus: Campus, central: str) -> None:
    ask(campus, central)
    clock, taker = clock_of(campus)
    assert "not signed by central" in taker.refused
    assert not clock.now().trusted


def test_the_roster_may_come_after_the_time(campus: Campus, central: str) -> None:
    ask(campus, central)
    clock, taker = clock_of(campus)
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
    shelf = RosterShelf(
        campus.settings.roster, campus.settings.state / "terminal-trust", campus.site.repository.root
    )
    shelf.refresh()
    taker.refresh(shelf)
    assert (taker.refused, clock.now().basis.source) == ("", Source.CENTRAL)


def test_a_time_before_the_newest_record_is_refused_and_said(campus: Campus, synced: str) -> None:
    ask(campus, synced)
    late = SystemClock(datetime.now(UTC) + timedelta(days=400), sources=Unvouched())
    clock, taker = clock_of(campus, late)
    assert "which is past" in taker.refused
    assert not clock.now().trusted


def test_an_answer_of_the_boot_before_is_refused(campus: Campus, synced: str) -> None:
    ask(campus, synced)
    sources = Unvouched()
    sources.boot = "0" * 16
    clock, taker = clock_of(campus, SystemClock(sources=sources))
    assert "another boot" in taker.refused
    assert not clock.now().trusted


@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}", b"[]", b"x" * 100_000])
def test_a_damaged_file_leaves_the_clock_as_it_was(campus: Campus, synced: str, damage: bytes) -> None:
    campus.settings.clock_offer.write_bytes(damage)
    clock, taker = clock_of(campus)
    assert "is damaged" in taker.refused
    ask(campus, synced)
    clock, taker = clock_of(campus, clock)
    assert (taker.refused, clock.now().trusted) == ("", True)
    campus.settings.clock_offer.write_bytes(damage)
    clock, taker = clock_of(campus, clock)
    assert clock.now().basis.source is Source.CENTRAL


def test_without_an_offer_nothing_is_said(campus: Campus) -> None:
    clock, taker = clock_of(campus)
    assert (taker.refused, clock.now().trusted) == ("", False)


def test_an_answer_given_before_is_no_answer_to_a_new_question(campus: Campus, synced: str) -> None:
    answer = requests.post(synced + TIME, json={"device": DEVICE, "nonce": NONCE}, timeout=30)
    replayed = hostile.http(200, answer.content, "application/cwt")
    with Hostile(replayed) as server:
        ask(campus, server.url)
    clock, taker = clock_of(campus)
    assert "answers something else" in taker.refused
    assert not clock.now().trusted


def slow(call: Call) -> None:
    """An answer later than any that is used."""
    call.stopping.wait(2.2)
    hostile.http(200, b"late", "application/cwt")(call)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (hostile.http(200, HTML), Fault.CAPTIVE_PORTAL),
        (hostile.http(302, b"", Location="http://127.0.0.1:9/"), Fault.CAPTIVE_PORTAL),
        (hostile.http(200, b"x" * (MAX_STATEMENT + 1), "application/cwt"), Fault.NOT_CENTRAL),
        (hostile.http(200, b"x" * 10_000, "application/cwt"), Fault.NOT_CENTRAL),
        (hostile.http(503, b"", "text/plain"), Fault.SERVER_ERROR),
        (hostile.http(503, HTML), Fault.PROXY),
        (hostile.problem(404), Fault.REFUSED),
        (hostile.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), Fault.CUT),
        (slow, Fault.SLOW),
    ],
)  # fmt: skip
def test_what_is_no_time_has_a_name_and_leaves_the_last_one(
    campus: Campus, answer: Answer, fault: Fault
) -> None:
    campus.settings.clock_offer.write_bytes(b"the last one")
    with Hostile(answer) as server, pytest.raises(SyncFault) as caught:
        ask(campus, server.url)
    assert caught.value.fault is fault
    assert campus.settings.clock_offer.read_bytes() == b"the last one"


def test_a_central_that_is_busy_says_when_to_ask_for_the_time_again(campus: Campus) -> None:
    busy = hostile.http(503, b"", "text/plain", **{"Retry-After": "120"})
    with Hostile(busy) as server, pytest.raises(SyncFault) as caught:
        ask(campus, server.url)
    assert (caught.value.fault, caught.value.retry_after) == (Fault.SERVER_ERROR, 120.0)


def test_nobody_there_is_said(campus: Campus) -> None:
    with pytest.raises(SyncFault) as caught:
        ask(campus, NOBODY)
    assert caught.value.fault is Fault.UNREACHABLE


def test_every_question_has_a_nonce_of_its_own(campus: Campus) -> None:
    with Hostile(hostile.http(200, b"?", "application/cwt")) as server:
        for _ in range(3):
            ask(campus, server.url)
        nonces = {json.loads(call.body)["nonce"] for call in server.calls}
    assert len(nonces) == 3


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"device": "d"}',
        b'{"device": "D!", "nonce": "AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"device": "d", "nonce": "AAAA"}',
        b'{"device": "d", "nonce": "AAAAAAAAAAAAAAAAAAAAA="}',
        b'{"device": "d", "nonce": 5}',
        b"[" * 1000,
    ],
)
def test_central_refuses_a_malformed_question(central: str, question: bytes) -> None:
    assert_problem(requests.post(central + TIME, data=question, timeout=30), 400, "malformed")


def test_central_refuses_a_long_question(central: str) -> None:
    assert_problem(requests.post(central + TIME, data=b" " * 2000, timeout=30), 413, "too-large")
