"""Central: what it takes and what it refuses over HTTP, and that every record is there exactly once."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.keys import public_pem
from sync.central.ingest import Gap
from sync.central.store import Store
from sync.protocol import BATCH_TYPE, BATCHES, BatchReceipt, batch_body, sign_batch
from terminal.events import Event
from terminal.provision import device_key
from tests.sim.campus import Campus
from tests.sync.batches import assert_problem, chain, event, post
from tests.sync.world import DEVICE, arrived, counts, write_records

on_both_databases = pytest.mark.usefixtures("database")


@on_both_databases
def test_a_gap_is_a_conflict_that_names_what_is_expected(campus: Campus, central: str) -> None:
    events = chain(5)
    post(central, campus, batch_body(events[:2]))
    assert assert_problem(post(central, campus, batch_body(events[3:])), 409, "gap")["expected"] == 3
    assert arrived(campus) == [1, 2]


def test_the_same_batch_twice_gives_the_same_receipt_and_no_duplicates(campus: Campus, central: str) -> None:
    body = batch_body(chain(4))
    first, second = (post(central, campus, body).json() for _ in range(2))
    assert first == second
    assert BatchReceipt.model_validate(first) == BatchReceipt(
        device=DEVICE, through=4, digest=chain_end(body)
    )
    assert counts(central) == {"record": 4, "alarm": 0}


def chain_end(body: bytes) -> str:
    from terminal.events import parse_event

    return parse_event(json.loads(body)[-1]).digest


@on_both_databases
def test_overlapping_batches_store_only_what_is_new(campus: Campus, central: str) -> None:
    events = chain(6)
    for start, end in ((0, 3), (1, 5), (0, 2), (2, 6)):
        assert post(central, campus, batch_body(events[start:end])).status_code == 200
    assert arrived(campus) == [1, 2, 3, 4, 5, 6]


@on_both_databases
def test_a_fork_is_refused_and_one_alarm_however_often_it_is_sent(campus: Campus, central: str) -> None:
    events = chain(3)
    post(central, campus, batch_body(events))
    forged = event(2, events[0].digest, salt="forged")
    for _ in range(3):
        answer = post(central, campus, batch_body([forged])).json()
        assert answer["refused"] == [{"sequence": 2, "reason": "fork"}]
        assert answer["digest"] == events[2].digest
    assert counts(central) == {"record": 3, "alarm": 1}


@on_both_databases
def test_a_broken_chain_is_stored_and_is_an_alarm(campus: Campus, central: str) -> None:
    answer = post(central, campus, batch_body([*chain(2), event(3, "ab" * 32)]))
    assert answer.json()["through"] == 3
    assert counts(central) == {"record": 3, "alarm": 1}


@on_both_databases
def test_two_senders_of_the_same_batch_at_once_store_it_once(campus: Campus, central: str) -> None:
    body, answers, together = batch_body(chain(50)), [], threading.Barrier(4)

    def send() -> None:
        together.wait()
        answers.append(post(central, campus, body).json())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer == answers[0] for answer in answers)
    assert arrived(campus) == list(range(1, 51))


@pytest.mark.parametrize("year", [1970, 2099])
def test_records_of_a_device_whose_clock_is_years_off_are_taken(
    year: int, campus: Campus, central: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(year, 1, 2, tzinfo=UTC)
    write_records(campus.settings, 2, at=at)
    import http_message_signatures.signatures as library

    class Wrong(datetime):
        @classmethod
        def now(cls, _tz: Any = None) -> datetime:
            return at

    monkeypatch.setattr(library.datetime, "datetime", Wrong)
    body = batch_body(write_records(campus.settings, 0))
    request = requests.Request(
        "POST", central + BATCHES, data=body, headers={"Content-Type": BATCH_TYPE}
    ).prepare()
    sign_batch(request, device=DEVICE, key=device_key(campus.settings), body=body)
    monkeypatch.undo()
    assert f"created={int(at.timestamp())}" in request.headers["Signature-Input"]
    with requests.Session() as http:
        assert http.send(request, timeout=30).json()["through"] == 2


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("stores")


SEQUENCE = chain(12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.sampled_from(SEQUENCE), min_size=1, max_size=8), max_size=12))
def test_however_batches_are_split_repeated_and_shuffled_each_record_is_there_once(
    batches: list[list[Event]], directory: Path
) -> None:
    file = directory / "central.db"
    for old in directory.glob("central.db*"):
        old.unlink()
    store = Store(f"sqlite:///{file}")
    store.register(DEVICE, public_pem(Ed25519PrivateKey.generate().public_key()))
    through = 0
    for batch in [*batches, SEQUENCE[:7], SEQUENCE]:
        try:
            answer = store.ingest(DEVICE, batch)
        except Gap as gap:
            assert gap.expected <= max(e.sequence for e in batch)  # noqa: PT017 - both ways are right
        else:
            assert answer.through >= through
            through = answer.through
        assert [s.event.sequence for s in store.records()] == list(range(1, through + 1))
    assert [s.event for s in store.records()] == SEQUENCE
    assert store.counts() == {"record": 12, "alarm": 0}
    store.close()


def test_the_database_is_durable_before_a_receipt_is_given(campus: Campus) -> None:
    store = Store(campus.site.database_url)
    with store._database.connect() as db:
        assert db.exec_driver_sql("pragma synchronous").scalar() == 2
    store.close()
    with sqlite3.connect(campus.site.directory / "central.db") as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)
    db.close()
