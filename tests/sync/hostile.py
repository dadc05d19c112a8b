"""A server that misbehaves on purpose, one way at a time, on a loopback port of its own.

It speaks through bare sockets, because no HTTP library would agree to answer like this.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

Answer = Callable[["Call"], None]
HTML = b"<!doctype html><html><body>Welcome to the guest Wi-Fi</body></html>"


class Call:
    """One request that came in, and the line to whoever sent it. stopping: set when the server closes."""

    def __init__(self, line: socket.socket, head: bytes, body: bytes, stopping: threading.Event) -> None:
        self.line, self.head, self.body, self.stopping = line, head, body, stopping
        self.path = head.split(b" ", 2)[1].decode()

    @property
    def sequences(self) -> list[int]:
        """The sequence numbers of the batch in the body."""
        return [int(event["id"]) for event in json.loads(self.body)]


class Hostile:
    """Answers every request with `answer` until closed. tls: serve HTTPS with this context."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer, self._tls = answer, tls
        self.calls: list[Call] = []
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, name="hostile")]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(line,), name="hostile call")
            thread.start()
            self._threads.append(thread)

    def _serve(self, line: socket.socket) -> None:
        with contextlib.ExitStack() as ends:
            ends.enter_context(contextlib.suppress(OSError))  # hung up on: as it deserves
            ends.callback(line.close)
            line.settimeout(2)
            if self._tls:
                line = self._tls.wrap_socket(line, server_side=True)
                ends.callback(line.close)
            call = _request(line, self._stopping)
            if call:
                self.calls.append(call)
                self._answer(call)


def _request(line: socket.socket, stopping: threading.Event) -> Call | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65_536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += line.recv(65_536)
    return Call(line, head, body, stopping)


def http(status: int, body: bytes = b"", kind: str = "text/html", **headers: str) -> Answer:
    """A whole answer. headers: with _ for -."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def document(status: int, content: Any, kind: str = "application/json", **headers: str) -> Answer:
    """A whole answer with `content` as JSON."""
    return http(status, json.dumps(content).encode(), kind, **headers)


def problem(status: int, kind: str = "about:blank", **more: Any) -> Answer:
    """A problem document as central gives it."""
    content = {"type": kind, "title": "No", "status": status, **more}
    return document(status, content, "application/problem+json")


def raw(data: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""
    return lambda call: call.line.sendall(data)


def silence(call: Call) -> None:
    """Keep the connection open and say nothing."""
    call.stopping.wait()


def drip(start: bytes, pause: float = 0.2) -> Answer:
    """`start`, then a byte every `pause` seconds for ever: each read gets something, never all."""

    def answer(call: Call) -> None:
        call.line.sendall(start)
        while not call.stopping.wait(pause):
            call.line.sendall(b"x")

    return answer


def endless(start: bytes) -> Answer:
    """`start`, then bytes as fast as they are taken."""

    def answer(call: Call) -> None:
        call.line.sendall(start)
        while not call.stopping.is_set():
            call.line.sendall(b" " * 65_536)

    return answer


def files_of(directory: Path, until: int, then: Answer) -> Answer:
    """Serves the files in `directory`, but `then` from the shard numbered `until` on."""
    served = 0

    def answer(call: Call) -> None:
        nonlocal served
        file = directory / call.path.lstrip("/")
        served += "/people/" in call.path
        if served > until:
            then(call)
        elif file.is_file():
            http(200, file.read_bytes(), "application/octet-stream")(call)
        else:
            http(404)(call)

    return answer
