"""The control socket: how a process on the same machine asks the terminal or the sync daemon something.

Protocol: a Unix stream socket; one JSON object a line each way (RFC 8259, UTF-8, no line over 64 KiB in).
A request is {"op": NAME, ...arguments}; the answer is {"ok": true, ...} or {"ok": false, "error": TEXT}.
The op "follow" answers with one line for each event from then on, until the asker hangs up. Who may connect
is decided by the permissions of the socket and its directory and nothing else; no secret is ever answered,
and of people only what the screen shows. CONTROL.md has all ops.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config.errors import CampusgateError, ControlError, Hung, NotRunning
from config.files import give_to_group
from config.heartbeat import HUNG_AFTER, last_alive, since_alive

log = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_MAX_LINE = 65_536
_SEND_WITHIN = 5  # seconds
_BACKLOG = 256  # events a slow follower may lag behind before it is cut off
_ANSWERED_WITHIN = 1.0  # seconds that a process which stops gives to the answers it owes


class Events:
    """Events for whoever follows; a slow or dead follower never holds up the one who publishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: list[queue.Queue[Mapping[str, Any] | None]] = []

    def publish(self, event: Mapping[str, Any]) -> None:
        """Hand `event` to every follower; one that lags by more than 256 events is cut off."""
        with self._lock:
            for follower in list(self._followers):
                if follower.qsize() < _BACKLOG:
                    follower.put_nowait(event)
                else:
                    self._cut_off(follower)

    @contextlib.contextmanager
    def follow(self) -> Iterator[queue.Queue[Mapping[str, Any] | None]]:
        """A queue of all events from now on; None in it means that the process stops."""
        follower: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        with self._lock:
            self._followers.append(follower)
        try:
            yield follower
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._followers.remove(follower)

    def close(self) -> None:
        """Tell every follower that there will be no more."""
        with self._lock:
            for follower in list(self._followers):
                self._cut_off(follower)

    def _cut_off(self, follower: queue.Queue[Mapping[str, Any] | None]) -> None:
        """Let it have what it has not read yet, and then the end."""
        self._followers.remove(follower)
        follower.put_nowait(None)


class ControlServer:
    """Answers requests on the socket at `path` in threads of its own until closed.

    handlers: what each op does; a handler's exception becomes an error answer, never a crash. group: whose
    members may connect, besides this process's own user; None for its own group.
    Raises: OSError when the directory cannot be made or written, SettingsError when the group cannot have it.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], events: Events, *, group: str | None = None
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # left behind by a killed process: nobody listens on it
        self._events = events
        handlers_by_op = dict(handlers)
        self._owed = owed = _Owed()

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    # A follower that takes nothing must not hold this thread for ever.
                    send_timeout = struct.pack("ll", _SEND_WITHIN, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, send_timeout)
                    _serve(self.rfile, self.wfile, handlers_by_op, events, owed)

        self._server = _Server(str(path), Connection)
        give_to_group(path, group)
        path.chmod(0o660)
        self._path = path
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and remove the socket; whoever asked before gets the answer, if it comes soon."""
        self._events.close()
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        self._owed.wait(_ANSWERED_WITHIN)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # a full queue refuses on a Unix socket, it does not wait

    def server_bind(self) -> None:
        os.fchmod(self.fileno(), 0o600)  # nobody else gets in before it has its group (Linux: unix(7))
        super().server_bind()


class _Owed:
    """How many requests are not answered yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_exception: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, seconds)


def _serve(rfile: Any, wfile: Any, handlers: Mapping[str, Handler], events: Events, owed: _Owed) -> None:
    while line := rfile.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            _send(wfile, {"ok": False, "error": f"a request is at most {_MAX_LINE} bytes"})
            return
        try:
            request = json.loads(line)
            op = request["op"]
        except (ValueError, TypeError, KeyError, RecursionError):
            _send(wfile, {"ok": False, "error": 'a request is one JSON object a line with an "op"'})
            continue
        if op == "follow":
            _stream(wfile, events)
            return
        handler = handlers.get(op) if isinstance(op, str) else None
        if handler is None:
            known = ", ".join(sorted([*handlers, "follow"]))
            _send(wfile, {"ok": False, "error": f"unknown op; known: {known}"})
            continue
        with owed:
            try:
                answer = {"ok": True, **handler(request)}
                json.dumps(answer)  # what is no JSON is the handler's error too
            except (CampusgateError, TimeoutError) as error:  # raised on purpose: its text says what to do
                log.warning("control op %s: %s", op, error)
                answer = {"ok": False, "error": str(error) or type(error).__name__}
            except Exception as error:
                log.exception("control op %s failed", op)
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            _send(wfile, answer)


def _stream(wfile: Any, events: Events) -> None:
    with events.follow() as follower:
        _send(wfile, {"ok": True})
        _send(wfile, {"event": "alive"})  # from here on nothing is missed
        while True:
            try:
                event = follower.get(timeout=1.0)
            except queue.Empty:
                _send(wfile, {"event": "alive"})  # a follower that hung up is noticed by the failing write
                continue
            if event is None:
                return
            _send(wfile, event)


def _send(wfile: Any, answer: Mapping[str, Any]) -> None:
    wfile.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


def ask(path: Path, op: str, /, *, timeout: float = 2.0, **arguments: Any) -> dict[str, Any]:
    """The answer of the process behind the socket `path` to `op`.

    timeout: seconds to wait for it. Raises: ControlError when nothing answers or the answer is an error;
    NotRunning; Hung when its loops do not go round, or not even "health" is answered, which waits for none.
    """
    with _connect(path, timeout) as connection:
        try:
            connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        except TimeoutError as error:
            what = f"no answer to {op!r} within {timeout:g} s"
            seconds = since_alive(path)
            if op != "health" and seconds is not None and seconds <= HUNG_AFTER:
                raise ControlError(f"{path}: {what}, and yet it was alive at {last_alive(path)}") from error
            raise _hung(path, what) from error
        except (OSError, ValueError) as error:
            raise ControlError(f"{path}: ended before it answered {op!r}") from error
    if not isinstance(answer, dict):
        raise ControlError(f"{path}: answered something that is no JSON object")
    if not answer.get("ok"):
        raise ControlError(f"{path.stem}: {answer.get('error', 'refused without a reason')}")
    return dict(answer)


def follow(path: Path, *, timeout: float = 5.0) -> Iterator[dict[str, Any]]:
    """Events of the process behind `path`, one after the other, {"event": "alive"} at least every second.

    Ends when the process stops. Raises: ControlError when it is not there or is silent for `timeout` seconds.
    """
    with _connect(path, timeout) as connection:
        try:
            connection.sendall(b'{"op": "follow"}\n')
            with connection.makefile("rb") as lines:
                lines.readline()
                for line in lines:
                    yield json.loads(line)
        except TimeoutError as error:
            raise _hung(path, "fell silent") from error
        except (OSError, ValueError) as error:
            raise ControlError(f"{path}: fell silent") from error


def _connect(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except (BlockingIOError, TimeoutError) as error:  # as many as can wait to be heard do so already
        connection.close()
        raise _hung(path, "nobody takes the call") from error
    except OSError as error:
        connection.close()
        alive = last_alive(path)
        said = f"; it was alive at {alive}" if alive else ""
        raise NotRunning(
            f"{path}: nothing answers ({error.strerror}); is the process running?{said}", alive
        ) from error
    return connection


def _hung(path: Path, what: str) -> Hung:
    alive = last_alive(path)
    return Hung(f"{path}: {f'hung since {alive}: ' if alive else ''}{what}", alive)
