"""A central in memory that follows the protocol and nothing else: lanes, spans, wishes, codings.

`Ledger` is pure; `LedgerServer` speaks HTTP for it on loopback and verifies every signature.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Self

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync.lanes import Lane
from sync.protocol import MAX_SPANS, BatchReceipt, Refused, Span, Wish, verify_batch
from terminal.events import FIRST_DIGEST, Event, parse_event


class Gap(Exception):
    """Records are missing before the batch; `expected` is the first."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(str(expected))


@dataclass
class Stretch:
    """Records first..through that are here. previous: of the first; chained: what the next must name."""

    first: int
    through: int
    previous: str
    digest: str
    chained: str


@dataclass
class Ledger:
    """What central has of one device. records: by sequence. arrived: (lane, sequence) in order of arrival."""

    records: dict[int, Event] = field(default_factory=dict)
    arrived: list[tuple[Lane, int]] = field(default_factory=list)
    alarms: list[tuple[str, int]] = field(default_factory=list)
    base: Stretch = field(default_factory=lambda: Stretch(1, 0, FIRST_DIGEST, FIRST_DIGEST, FIRST_DIGEST))
    spans: list[Stretch] = field(default_factory=list)

    def take(self, device: str, lane: Lane, events: Sequence[Event]) -> BatchReceipt:
        """Store what is new; the receipt. Raises: Gap."""
        refused, touched = [], self.base
        for event in events:
            known = self.records.get(event.sequence)
            if known:
                touched = self._of(event.sequence)
                if known.digest != event.digest:
                    refused.append(Refused(sequence=event.sequence, reason="fork"))
                    self.alarms.append(("fork", event.sequence))
                continue
            touched = self._place(lane, event)
            if event.previous != touched.chained:
                self.alarms.append(("chain", event.sequence))
            touched.through, touched.digest, touched.chained = event.sequence, event.digest, event.chained
            self.records[event.sequence] = event
            self.arrived.append((lane, event.sequence))
            self._join()
        live = None
        if lane is Lane.LIVE and any(span is touched for span in self.spans):
            live = Span(first=touched.first, through=touched.through, digest=touched.digest)
        through, digest = self.base.through, self.base.digest
        return BatchReceipt(device=device, through=through, digest=digest, live=live, refused=refused)

    def _of(self, sequence: int) -> Stretch:
        return next((s for s in self.spans if s.first <= sequence <= s.through), self.base)

    def _place(self, lane: Lane, event: Event) -> Stretch:
        for stretch in (self.base, *self.spans):
            if stretch.through + 1 == event.first and (stretch is self.base or lane is Lane.LIVE):
                return stretch
        if lane is Lane.MAIN or len(self.spans) >= MAX_SPANS:
            raise Gap(self.base.through + 1)
        made = Stretch(event.first, event.first - 1, event.previous, "", event.previous)
        self.spans = sorted([*self.spans, made], key=lambda span: span.first)
        return made

    def _join(self) -> None:
        stretches = [self.base, *self.spans]
        for before, after in pairwise(stretches):
            if before.through + 1 == after.first:
                if after.previous != before.chained:
                    self.alarms.append(("chain", after.first))
                before.through, before.digest, before.chained = after.through, after.digest, after.chained
                self.spans = [span for span in self.spans if span is not after]
                return self._join()
        return None


class LedgerServer:
    """`ledger` over HTTP. Change its attributes to make it refuse, wish or offer otherwise.

    encodings: its Accept-Encoding. limit: bytes of body. live: whether it knows the live lane.
    requests: (lane, coding, records, bytes) of each batch that was taken.
    """

    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key, self.ledger = key, Ledger()
        self.encodings: str | None = "zstd, gzip"
        self.unsupported: set[str] = set()
        self.limit = 8_388_608
        self.limit_main = 0  # of the main lane alone, when not 0
        self.live = True
        self.wish = Wish()
        self.requests: list[tuple[Lane, str, int, int]] = []
        self.refusals: list[int] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="ledger")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document for a POST."""
        coding = headers.get("content-encoding", "")
        if path == Lane.LIVE and not self.live:
            return _problem(404, "about:blank")
        if len(body) > (self.limit if path == Lane.LIVE else self.limit_main or self.limit):
            return _problem(413, "too-large")
        if coding in self.unsupported:
            return _problem(415, "about:blank")
        message = SimpleNamespace(method="POST", url=self.url + path, headers=headers)
        device, _ = verify_batch(message, keys=lambda _: [self.key], body=body)
        if coding:
            body = (
                gzip.decompress(body) if coding == "gzip" else zstandard.ZstdDecompressor().decompress(body)
            )
        events = [parse_event(item) for item in json.loads(body)]
        lane = Lane(path)
        try:
            receipt = self.ledger.take(device, lane, events)
        except Gap as gap:
            return _problem(409, "gap", expected=gap.expected)
        self.requests.append((lane, coding, len(events), len(body)))
        return 200, receipt.model_copy(update={"wish": self.wish}).model_dump()


def _problem(status: int, kind: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"type": kind, "title": "No", "status": status, **more}


def _handler(server: LedgerServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = server.answer(self.path, headers, body)
            if status != 200:
                server.refusals.append(status)
            data = json.dumps(document).encode()
            self.send_response(status)
            kind = "application/json" if status == 200 else "application/problem+json"
            self.send_header("Content-Type", kind)
            if server.encodings is not None:
                self.send_header("Accept-Encoding", server.encodings)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
