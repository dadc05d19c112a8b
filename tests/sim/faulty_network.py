"""The network between sync daemon and central at its worst: a proxy that knows HTTP and breaks it.

Two sorts of fault. Each in EXCHANGES spoils one request for a batch or its answer; `plan` queues it and the
next batch takes it. Each in OUTAGES holds for a while and for every connection: `out` begins it, `well` ends
it. Whatever really happened is counted in `injected`.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.protocol import BATCHES

OUTAGES = ("reset", "black-hole")
_DRIP = 0.05  # seconds between two bytes
_UPSTREAM = 5.0  # seconds for central to answer
_PORTAL = b"<!doctype html><html><body>Welcome to the guest Wi-Fi</body></html>"


@dataclass(slots=True)
class Exchange:
    """One request on its way, and the line to whoever sent it."""

    line: socket.socket
    request: bytes
    network: FaultyNetwork

    def forward(self, request: bytes | None = None) -> bytes:
        """Central's whole answer to `request` (else its own). Raises: OSError when there is none."""
        return self.network.ask_central(self.request if request is None else request)

    def answer(self, data: bytes) -> None:
        """Give `data` to whoever asked."""
        self.line.sendall(data)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()

    def silence(self) -> None:
        """Say nothing more, until the other side gives up."""
        with contextlib.suppress(OSError):
            self.line.settimeout(None)
            while self.line.recv(65_536):
                pass


class FaultyNetwork:
    """Listens on `port` of loopback and carries HTTP to `target`, a port there too. seed: of accidents."""

    def __init__(self, target: int, seed: int) -> None:
        self.target = target
        self.injected: Counter[str] = Counter()
        self.rng = random.Random(seed)
        self.first_receipt = b""  # central's first answer to a batch
        self.first_batch = b""
        self._outage = ""
        self._plan: deque[str] = deque()
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="faulty network", daemon=True).start()

    @property
    def planned(self) -> bool:
        """Whether a fault still waits for its batch."""
        return bool(self._plan)

    def plan(self, kind: str) -> None:
        """Let the next batch suffer `kind`, one of EXCHANGES."""
        self._plan.append(kind)

    def out(self, kind: str) -> None:
        """Begin an outage, one of OUTAGES: what is under way suffers too."""
        self.injected[kind] += 1
        self._outage = kind
        if kind == "reset":
            self._hang_up()

    def well(self) -> None:
        """End an outage, and all faults that are still planned."""
        self._outage = ""
        self._plan.clear()

    def close(self) -> None:
        """Stop for good."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def ask_central(self, request: bytes) -> bytes:
        """Central's answer to `request`, whole. Raises: OSError."""
        with socket.create_connection(("127.0.0.1", self.target), timeout=_UPSTREAM) as far:
            far.sendall(request.replace(b"Connection: keep-alive\r\n", b"Connection: close\r\n", 1))
            answer = b""
            while data := far.recv(65_536):
                answer += data
        return re.sub(rb"(?i)\r\nconnection: close(?=\r\n)", b"", answer, count=1)

    def _hang_up(self) -> None:
        with self._lock:
            for line in self._lines:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._lines.add(line)
            threading.Thread(target=self._serve, args=(line,), name="faulty line", daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(line):
            line.settimeout(30)
            while request := _whole_request(line):
                exchange = Exchange(line, request, self)
                if self._outage == "black-hole":
                    exchange.silence()
                    break
                if self._outage:
                    exchange.reset()
                    break
                batch = request.startswith(b"POST " + BATCHES.encode())
                kind = self._next() if batch else None
                if kind is not None:
                    self.injected[kind] += 1
                    if not EXCHANGES[kind](exchange):
                        break
                    continue
                answer = exchange.forward()
                if batch and b" 200 " in answer[:16] and not self.first_receipt:
                    self.first_batch, self.first_receipt = request, answer
                if self._outage_began():
                    break
                exchange.answer(answer)
        with self._lock:
            self._lines.discard(line)

    def _outage_began(self) -> bool:
        """Whether one holds now: the answer that was on its way is lost, and so is the connection."""
        return bool(self._outage)

    def _next(self) -> str | None:
        with contextlib.suppress(IndexError):
            return self._plan.popleft()
        return None


def _whole_request(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65_536)
        if not more:
            return b""
        data += more
    head = data.partition(b"\r\n\r\n")[0]
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    whole = len(head) + 4 + (int(length[1]) if length else 0)
    while len(data) < whole:
        more = line.recv(65_536)
        if not more:
            return b""
        data += more
    return data


# --- The faults of one exchange. Each gives back whether the connection goes on.


def _cut_request(exchange: Exchange) -> bool:
    half = exchange.request[: len(exchange.request) * exchange.network.rng.randint(1, 9) // 10]
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", exchange.network.target), timeout=_UPSTREAM) as far,
    ):
        far.sendall(half)
    exchange.reset()
    return False


def _cut_response(exchange: Exchange) -> bool:
    answer = exchange.forward()
    exchange.answer(answer[: len(answer) * exchange.network.rng.randint(1, 9) // 10])
    return False


def _truncated_response(exchange: Exchange) -> bool:
    head, body = _parts(exchange.forward())
    exchange.answer(_rebuilt(head, body[: exchange.network.rng.randrange(len(body) or 1)]))
    return True


def _swallowed_response(exchange: Exchange) -> bool:
    exchange.forward()
    exchange.reset()
    return False


def _silent_after_commit(exchange: Exchange) -> bool:
    exchange.forward()
    exchange.silence()
    return False


def _vanished_packets(exchange: Exchange) -> bool:
    exchange.silence()
    return False


def _slow_drip(exchange: Exchange) -> bool:
    for byte in exchange.forward():
        exchange.answer(bytes([byte]))
        threading.Event().wait(_DRIP)
    return True


def _delay(exchange: Exchange) -> bool:
    threading.Event().wait(exchange.network.rng.uniform(0.05, 0.25))
    exchange.answer(exchange.forward())
    return True


def _corrupt_request(exchange: Exchange) -> bool:
    head, body = _parts(exchange.request)
    exchange.answer(exchange.forward(head + b"\r\n\r\n" + _flipped(body, exchange.network.rng)))
    return True


def _corrupt_response(exchange: Exchange) -> bool:
    head, body = _parts(exchange.forward())
    exchange.answer(head + b"\r\n\r\n" + _flipped(body, exchange.network.rng))
    return True


def _duplicated_request(exchange: Exchange) -> bool:
    answers: list[bytes] = []

    def twin() -> None:
        with contextlib.suppress(OSError):
            answers.append(exchange.forward())

    both = [threading.Thread(target=twin) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    if answers:
        exchange.answer(exchange.network.rng.choice(answers))
    return bool(answers)


def _old_request_again(exchange: Exchange) -> bool:
    answer = exchange.forward()
    exchange.forward(exchange.network.first_batch or exchange.request)
    exchange.answer(answer)
    return True


def _lie_ahead(exchange: Exchange) -> bool:
    return _lie(exchange, lambda document: {"through": document["through"] + 7, "digest": "ab" * 32})


def _lie_digest(exchange: Exchange) -> bool:
    return _lie(exchange, lambda _document: {"digest": "cd" * 32})


def _lie_device(exchange: Exchange) -> bool:
    return _lie(exchange, lambda _document: {"device": "south-gate-1"})


def _lie(exchange: Exchange, changes: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    head, body = _parts(exchange.forward())
    if b" 200 " in head[:16]:
        document = json.loads(body)
        body = json.dumps(document | changes(document)).encode()
    exchange.answer(_rebuilt(head, body))
    return True


def _old_receipt(exchange: Exchange) -> bool:
    exchange.answer(exchange.network.first_receipt or exchange.forward())
    return True


def _canned(status: str, *headers: str, body: bytes = b"") -> Callable[[Exchange], bool]:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"])

    def answer(exchange: Exchange) -> bool:
        exchange.answer(head.encode() + b"\r\n\r\n" + body)
        return True

    return answer


EXCHANGES: dict[str, Callable[[Exchange], bool]] = {
    "cut-request": _cut_request,
    "cut-response": _cut_response,
    "truncated-response": _truncated_response,
    "swallowed-response": _swallowed_response,
    "silent-after-commit": _silent_after_commit,
    "vanished-packets": _vanished_packets,
    "slow-drip": _slow_drip,
    "delay": _delay,
    "corrupt-request": _corrupt_request,
    "corrupt-response": _corrupt_response,
    "duplicated-request": _duplicated_request,
    "old-request-again": _old_request_again,
    "lie-ahead": _lie_ahead,
    "lie-digest": _lie_digest,
    "lie-device": _lie_device,
    "old-receipt": _old_receipt,
    "captive-portal": _canned("200 OK", "Content-Type: text/html", body=_PORTAL),
    "redirect": _canned("302 Found", "Location: http://127.0.0.1:9/login"),
    "bad-gateway": _canned("502 Bad Gateway", "Content-Type: text/html", body=b"<h1>502</h1>"),
    "busy": _canned("503 Service Unavailable", "Retry-After: 1"),
    "proxy-login": _canned("407 Proxy Authentication Required", "Proxy-Authenticate: Basic"),
}


def _parts(message: bytes) -> tuple[bytes, bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return head, body


def _rebuilt(head: bytes, body: bytes) -> bytes:
    sized = re.sub(rb"(?i)(content-length: *)\d+", rb"\g<1>%d" % len(body), head)
    return sized + b"\r\n\r\n" + body


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)
