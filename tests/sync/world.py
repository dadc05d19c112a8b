"""The real things that the tests of sync are made of: central over HTTP, a journal, and the reckoning."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
import uvicorn
from fastapi import FastAPI

from config.settings import Settings
from sync.central.app import create_app
from sync.central.store import Store
from sync.downlink import Downlink
from sync.http import session
from sync.uplink import Uplink
from terminal.decision import Decision
from terminal.events import Event
from terminal.journal import Journal, JournalReader
from terminal.provision import device_key, trust
from terminal.reasons import Reason, Verdict
from terminal.receipt import Receipt
from terminal.records import Record
from terminal.roster import Roster
from tests.sim.audit import reckon
from tests.sim.campus import Campus

DEVICE = "north-gate-1"
FIRST_SCAN = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)


def write_records(settings: Settings, count: int, *, at: datetime = FIRST_SCAN) -> list[Event]:
    """Append `count` records to the terminal's journal; all that are in it now."""
    trusted = trust(settings)
    journal = Journal(
        settings.journal, device=DEVICE, central_key=trusted.central_key, state_key=trusted.state_key
    )
    try:
        for _ in range(count):
            number = journal.head.sequence + 1
            allowed = Decision(Verdict.ALLOW, (Reason.OK,))
            journal.append(
                Record(f"scan-{number}", at + timedelta(seconds=number), True, "north-gate", allowed)
            )
    finally:
        journal.close()
    return JournalReader(settings.journal).after(0, records=100_000, size=10**9)


@contextmanager
def serving(campus: Campus, port: int = 0) -> Iterator[str]:
    """The real central of `campus` on loopback, in a thread; its URL."""
    store = Store(campus.site.database_url)
    try:
        with listening(create_app(campus.site, store), port) as url:
            yield url
    finally:
        store.close()


@contextmanager
def listening(app: FastAPI, port: int = 0) -> Iterator[str]:
    """`app` on loopback, in a thread; its URL."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms more for every answer
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="central")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def at(
    settings: Settings, url: str, *, timeout: float = 5.0, ca: Path | None = None, **sync: int
) -> Settings:
    """`settings` with another central, as strictly validated as a file's. sync: keys of [sync]."""
    central = settings.central.model_validate({"url": url, "timeout": timeout, "ca": str(ca) if ca else None})
    paced = settings.sync.model_copy(update=sync)
    return settings.model_copy(update={"central": central, "sync": paced})


@contextmanager
def uplink_to(settings: Settings) -> Iterator[Uplink]:
    """An uplink to the central of `settings`."""
    with session(settings) as http:
        yield Uplink(settings, device_key(settings), http)


@contextmanager
def downlink_from(settings: Settings) -> Iterator[Downlink]:
    """A downlink from the central of `settings`."""
    with session(settings) as http:
        yield Downlink(settings, trust(settings).root, http)


def deliver(settings: Settings, url: str) -> list[int]:
    """Step an uplink to `url` until nothing waits; how many records each step brought."""
    with uplink_to(at(settings, url)) as uplink:
        steps = []
        while uplink.waiting():
            steps.append(uplink.step())
        return steps


def arrived(campus: Campus) -> list[int]:
    """The sequence numbers at central, in order of arrival."""
    store = Store(campus.site.database_url)
    try:
        return [stored.event.sequence for stored in store.records(limit=100_000)]
    finally:
        store.close()


def assert_exactly_once(campus: Campus, count: int) -> None:
    """Central has the `count` records of the journal: unaltered, once each, in order, without an alarm."""
    assert arrived(campus) == list(range(1, count + 1))
    ledger = reckon(campus)
    assert ledger.clean, ledger
    assert Receipt.load(campus.settings.receipt).through == count


def open_roster(campus: Campus) -> Roster:
    """The roster on the mirror, as the terminal opens it."""
    settings = campus.settings
    return Roster(settings.roster, settings.state / "terminal-trust", trust(settings).root)


def publish(campus: Campus) -> int:
    """Publish central's people and policy as they are now; the version."""
    store = Store(campus.site.database_url)
    try:
        return campus.site.publish(store)
    finally:
        store.close()


def counts(url: str) -> dict[str, int]:
    """Central's own count of records and alarms."""
    result: dict[str, int] = requests.get(f"{url}/v1/counts", timeout=30).json()
    return result


def campusgate(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command `campusgate` to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "from config.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def as_json(text: str) -> dict[str, object]:
    """`text` as a JSON object."""
    document = json.loads(text)
    assert isinstance(document, dict)
    return document
