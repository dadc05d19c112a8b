"""The link between terminal and central: carries bytes, and when it is cut nothing passes, old or new."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.sim.network import Link, free_port
from tests.sim.processes import wait_until


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def link() -> Iterator[Link]:
    """A link to a server that sends back what it gets."""
    with _Server(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        made = Link()
        made.target = server.server_address[1]
        yield made
        made.close()
        server.shutdown()


def _dial(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def _echoed(connection: socket.socket, data: bytes) -> bytes:
    threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
    got = bytearray()
    while len(got) < len(data) and (chunk := connection.recv(65_536)):
        got += chunk
    return bytes(got)


def _broken(connection: socket.socket) -> bool:
    """Whether nothing comes through and the end is noticed, not waited for."""
    try:
        connection.sendall(b"anyone?")
        return connection.recv(100) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_carries_bytes_both_ways_unchanged(link: Link) -> None:
    data = bytes(range(256)) * 8_000
    with _dial(link) as connection:
        assert _echoed(connection, data) == data


def test_carries_many_connections_at_once(link: Link) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(_dial(link)) for _ in range(10)]
        for number, connection in enumerate(connections):
            assert _echoed(connection, b"%d" % number) == b"%d" % number


def test_a_cut_breaks_connections_that_are_open(link: Link) -> None:
    with _dial(link) as connection:
        assert _echoed(connection, b"hello") == b"hello"
        link.cut()
        assert not link.up
        assert _broken(connection)


def test_while_cut_new_connections_get_nothing(link: Link) -> None:
    link.cut()
    for _ in range(3):
        with _dial(link) as connection:
            assert _broken(connection)


def test_once_mended_new_connections_pass_and_the_old_stay_broken(link: Link) -> None:
    with _dial(link) as old:
        assert _echoed(old, b"hello") == b"hello"
        link.cut()
        link.mend()
        assert link.up
        with _dial(link) as new:
            assert _echoed(new, b"again") == b"again"
        assert _broken(old)


def test_a_central_that_is_down_is_a_broken_connection_and_the_link_goes_on(link: Link) -> None:
    works, link.target = link.target, free_port()
    with _dial(link) as connection:
        assert _broken(connection)
    link.target = works
    with _dial(link) as connection:
        assert _echoed(connection, b"back") == b"back"


def test_an_end_that_hangs_up_is_heard_of_at_the_other(link: Link) -> None:
    threads = threading.active_count()
    with _dial(link) as connection:
        assert _echoed(connection, b"hello") == b"hello"
    assert wait_until(lambda: threading.active_count() <= threads, 30), "a connection is kept for ever"


def test_a_closed_link_leaves_its_port(link: Link) -> None:
    link.close()
    assert wait_until(lambda: _refused(link.port), 30)


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False
