"""Several receivers in front of one PostgreSQL: real processes, one device's batches on both at once."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import public_pem
from sync.central.database import _ARRIVAL_LOCK
from sync.central.site import DATABASE_VARIABLE
from sync.central.store import Store
from sync.protocol import BATCHES, LIVE, batch_body
from terminal.events import Event
from tests.sim.campus import Campus, build
from tests.sync.batches import chain, event, post
from tests.sync.conftest import NOBODY
from tests.sync.postgresql import new_database

RECORDS = 80


@pytest.fixture
def address(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> str:
    url = new_database(postgresql)
    monkeypatch.setenv(DATABASE_VARIABLE, url)
    return url


@pytest.fixture
def campus(address: str, tmp_path: Path) -> Campus:
    return build(tmp_path, seed=7, link_url=NOBODY)


@contextmanager
def receiver(campus: Campus) -> Iterator[str]:
    """`campusgate central run` in a process of its own; its URL, which it may not answer at yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--dir", str(campus.site.directory), "--port", str(port), "--publish-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from config.cli import main; main()", "central", "run", *options],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def until_it_answers(url: str) -> None:
    while True:
        try:
            requests.get(f"{url}/v1/counts", timeout=30)
            return
        except requests.ConnectionError:
            continue


def send(urls: Sequence[str], campus: Campus, events: Sequence[Event], rng: random.Random) -> None:
    """Send all of `events` as a careless terminal would: anywhere, in pieces, twice, until all is through."""
    through = 0
    while through < len(events):
        start = rng.randrange(max(1, through - 3), through + 2)
        live = rng.random() < 0.3
        if live:
            start = rng.randrange(start, len(events) + 1)
        batch = events[start - 1 : start - 1 + rng.randrange(1, 12)]
        answer = post(rng.choice(urls), campus, batch_body(batch), lane=LIVE if live else BATCHES)
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            assert answer.json()["refused"] == []
            through = answer.json()["through"]
        else:
            through = answer.json()["expected"] - 1


def test_two_receivers_take_one_device_s_batches_once_and_in_order(campus: Campus) -> None:
    events = chain(RECORDS)
    with ExitStack() as stack:
        urls = [stack.enter_context(receiver(campus)) for _ in range(2)]
        for url in urls:
            until_it_answers(url)
        failed: list[BaseException] = []

        def sender(number: int) -> None:
            try:
                send(urls, campus, events, random.Random(number))
            except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
                failed.append(error)

        threads = [threading.Thread(target=sender, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
    store = Store(campus.site.database_url)
    stored = [one.event for one in store.records(limit=1000)]
    assert sorted(stored, key=lambda event: event.sequence) == events
    assert store.counts() == {"record": RECORDS, "alarm": 0}
    assert store.missing() == 0
    store.close()


def test_a_reader_that_pages_by_identity_misses_no_record_of_a_slower_receiver(address: str) -> None:
    store = Store(address)
    for name in ("slow-1", "fast-1"):
        store.register(name, public_pem(Ed25519PrivateKey.generate().public_key()))
    seen: list[str] = []
    with psycopg.connect(address) as slow, psycopg.connect(address, autocommit=True) as watch:
        # What a receiver does up to its commit: from `arriving` on, ids are given out.
        slow.execute(f"select pg_advisory_xact_lock_shared({_ARRIVAL_LOCK})")
        slow.execute(
            "insert into record (device, sequence, digest, event, received_at)"
            " values ('slow-1', 1, '', %s, '')",
            [chain(1)[0].text],
        )
        store.ingest("fast-1", [event(1, device="fast-1")])  # its id is higher, and it is committed first

        def read() -> None:
            after = 0
            while page := store.records(after=after, limit=1):
                after = page[-1].identity
                seen.extend(one.event.device for one in page)

        reader = threading.Thread(target=read)
        reader.start()
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while watch.execute(waiting).fetchone() != (1,):
            pass
        assert seen == []
        slow.commit()
        reader.join()
    assert seen == ["north-gate-1", "fast-1"]
    store.close()
