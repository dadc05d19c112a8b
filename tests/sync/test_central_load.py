"""Central under load or without its database: 503 and a time to come back, nothing half done."""

from __future__ import annotations

import random
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from sync.central.app import create_app
from sync.central.shedding import Shedder
from sync.central.store import Store
from sync.central.wire import Refusal
from sync.protocol import BATCH_TYPE, BATCHES, LIVE, Wish, batch_body
from tests.sim.campus import Campus
from tests.sync.batches import assert_problem, chain, event, post
from tests.sync.world import arrived, counts, listening

AT_ONCE = 2


@pytest.fixture
def central(campus: Campus) -> Iterator[str]:
    store = Store(campus.site.database_url)
    with listening(create_app(campus.site, store, Shedder(AT_ONCE))) as url:
        yield url
    store.close()


def metric(url: str, name: str) -> float:
    """The sample `name`, with its labels, of central's metrics; 0 when there is none yet."""
    page = requests.get(f"{url}/metrics", timeout=30)
    assert page.headers["content-type"].startswith("text/plain; version=")
    values = [line.rpartition(" ")[2] for line in page.text.splitlines() if line.startswith(f"{name} ")]
    return float(values[0]) if values else 0.0


def started(url: str) -> socket.socket:
    """A batch whose body does not come: it takes up a place."""
    line = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)
    head = f"POST {BATCHES} HTTP/1.1\r\nHost: x\r\nContent-Type: {BATCH_TYPE}\r\nContent-Length: 10\r\n\r\n"
    line.sendall(head.encode())
    return line


def test_more_batches_than_central_can_hold_are_turned_away_and_small_routes_answer(
    campus: Campus, central: str
) -> None:
    held = [started(central) for _ in range(AT_ONCE)]
    while metric(central, "campusgate_batches_in_work") < AT_ONCE:
        pass
    body = batch_body(chain(3))
    for lane in (BATCHES, LIVE):
        answer = post(central, campus, body, lane=lane)
        assert_problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
    assert counts(central) == {"record": 0, "alarm": 0}
    assert metric(central, "campusgate_shed_batches_total") == 2
    for line in held:
        line.close()
    while metric(central, "campusgate_batches_in_work") > 0:
        pass
    assert post(central, campus, body).status_code == 200
    assert arrived(campus) == [1, 2, 3]


def test_a_locked_database_is_busy_and_nothing_is_half_done(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.central.database._PATIENCE", 0.05)
    store = Store(campus.site.database_url)
    with listening(create_app(campus.site, store)) as url:
        lock = sqlite3.connect(campus.site.directory / "central.db", isolation_level=None)
        lock.execute("begin immediate")
        answer = post(url, campus, batch_body(chain(2)))
        assert_problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
        assert counts(url) == {"record": 0, "alarm": 0}
        assert metric(url, "campusgate_database_up") == 1
        lock.execute("rollback")
        lock.close()
        assert post(url, campus, batch_body(chain(2))).status_code == 200
    store.close()


def test_a_database_that_is_gone_is_busy_on_every_route(
    campus: Campus, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.sim.campus import build
    from tests.sync.conftest import NOBODY, new_database

    address = new_database(postgresql)
    monkeypatch.setenv("CAMPUSGATE_DATABASE", address)
    far = build(tmp_path / "far", seed=7, link_url=NOBODY)
    store = Store(far.site.database_url)
    name = address.partition("?")[0].rpartition("/")[2]
    with listening(create_app(far.site, store)) as url, psycopg.connect(postgresql, autocommit=True) as admin:
        admin.execute(f"alter database {name} with allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        body = batch_body(chain(2))
        assert_problem(post(url, far, body), 503, "busy")
        busy = requests.get(f"{url}/v1/counts", timeout=30)
        assert_problem(busy, 503, "busy")
        assert busy.headers["Retry-After"]
        assert "postgres:" not in busy.text
        assert metric(url, "campusgate_database_up") == 0
        admin.execute(f"alter database {name} with allow_connections true")
        assert post(url, far, body).status_code == 200
    store.close()


@pytest.mark.usefixtures("database")
def test_what_happened_is_counted_and_nobody_is_named(campus: Campus, central: str) -> None:
    events = chain(6)
    post(central, campus, batch_body(events[:2]))
    post(central, campus, batch_body(events[:3]))
    post(central, campus, batch_body(events[4:]), lane=LIVE)
    post(central, campus, batch_body([event(2, events[0].digest, salt="forged")]))
    post(central, campus, batch_body(events[5:]))
    expected = {
        'campusgate_batches_total{lane="main"}': 3,
        'campusgate_batches_total{lane="live"}': 1,
        'campusgate_records_total{lane="main"}': 3,
        'campusgate_records_total{lane="live"}': 2,
        "campusgate_duplicate_records_total": 2,
        'campusgate_refused_records_total{reason="fork"}': 1,
        'campusgate_refused_batches_total{reason="gap",status="409"}': 1,
        'campusgate_raised_alarms_total{kind="fork"}': 1,
        "campusgate_alarms": 1,
        "campusgate_ingest_seconds_count": 4,
        "campusgate_missing_records": 1,
        "campusgate_database_up": 1,
    }
    assert {name: metric(central, name) for name in expected} == expected
    assert "north-gate" not in requests.get(f"{central}/metrics", timeout=30).text


def test_the_time_to_come_back_grows_with_those_who_wait_and_is_not_the_same_for_all() -> None:
    shedder = Shedder(2, random.Random(7))
    assert shedder.wish() == Wish()
    with shedder.admitted(), shedder.admitted():
        assert (shedder.wish().records, shedder.wish().pause > 0) == (2000, True)
        first, last = [], []
        for number in range(4000):
            with pytest.raises(Refusal) as caught, shedder.admitted():
                pass
            seconds = caught.value.retry_after
            assert seconds is not None
            assert 1 <= seconds <= 300
            (first if number < 100 else last if number >= 3900 else []).append(seconds)
    assert len(set(first)) > 1
    assert min(last) > max(first)
    assert shedder.wish() == Wish()


def test_a_place_is_given_back_whatever_happens() -> None:
    shedder = Shedder(1)
    for _ in range(3):
        with pytest.raises(RuntimeError), shedder.admitted():
            raise RuntimeError
    assert shedder.in_work == 0


def test_many_senders_at_once_all_get_through_in_the_end(campus: Campus, central: str) -> None:
    body = batch_body(chain(40))
    statuses: list[int] = []

    def send() -> None:
        status = 0
        while status != 200:
            status = post(central, campus, body).status_code
            statuses.append(status)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503}
    assert arrived(campus) == list(range(1, 41))
    assert counts(central) == {"record": 40, "alarm": 0}
