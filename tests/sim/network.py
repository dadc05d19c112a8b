"""The network between terminal and central, with a switch: a TCP relay on loopback that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 65_536


class Link:
    """Listens on a port of its own; while it is up, carries bytes to and from `target` (port on loopback)."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.target = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._up = threading.Event()
        self._up.set()
        threading.Thread(target=self._accept, name="link", daemon=True).start()

    @property
    def up(self) -> bool:
        """Whether bytes pass."""
        return self._up.is_set()

    def cut(self) -> None:
        """Break every connection and refuse new ones, as a pulled cable and a dead switch do."""
        with self._lock:
            self._up.clear()
            for end in self._open:
                _hang_up(end)
            self._open.clear()

    def mend(self) -> None:
        """Carry bytes again."""
        with self._lock:
            self._up.set()

    def close(self) -> None:
        """Stop for good."""
        self.cut()
        # Closing alone would leave the port open: `accept` is waiting in another thread.
        _hang_up(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with contextlib.ExitStack() as ends:
            ends.callback(near.close)
            if not self.up:
                return  # refused, as far as the terminal can tell
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                return
            far.settimeout(None)
            ends.callback(far.close)
            with self._lock:
                # Cut while connecting: neither end was in the set that `cut` went through.
                if self._up.is_set():
                    self._open |= {near, far}
                else:
                    _hang_up(near)
            back = threading.Thread(target=_carry, args=(far, near), daemon=True)
            back.start()
            _carry(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    _hang_up(sink)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    """A port on loopback that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
