"""The control socket over real Unix sockets: bad requests, slow and lost clients, dead servers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from config.control import ControlServer, Events, ask, follow
from config.errors import ControlError, Hung
from config.heartbeat import Heartbeat


def _divide(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"result": request["a"] / request["b"]}


def _no_json(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"result": object()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def server(path: Path, events: Events) -> Iterator[ControlServer]:
    made = ControlServer(path, {"divide": _divide, "no-json": _no_json}, events)
    yield made
    made.close()


def talk(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send `lines` in one connection; the answers until the server closes it or all are answered."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(3)
        line.connect(str(path))
        line.sendall(b"".join(lines))
        line.shutdown(socket.SHUT_WR)
        with line.makefile("rb") as answers:
            return [json.loads(answer) for answer in answers]


@pytest.mark.usefixtures("server")
def test_a_question_gets_its_answer(path: Path) -> None:
    assert ask(path, "divide", a=7, b=2) == {"ok": True, "result": 3.5}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "bad",
    [b"{", b"[]", b"3", b'"op"', b"null", b"{}", b"\xff\xfe", b"[" * 60_000, b""],
    ids=lambda b: repr(b[:9]),
)
def test_a_bad_request_is_answered_and_the_next_one_in_the_same_line_works(bad: bytes, path: Path) -> None:
    first, second = talk(path, bad + b"\n", b'{"op": "divide", "a": 1, "b": 1}\n')
    assert first == {"ok": False, "error": 'a request is one JSON object a line with an "op"'}
    assert second == {"ok": True, "result": 1.0}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("op", ["reboot", 3, None, ["divide"]])
def test_an_unknown_op_is_told_what_is_known(op: object, path: Path) -> None:
    (answer,) = talk(path, json.dumps({"op": op}).encode() + b"\n")
    assert answer == {"ok": False, "error": "unknown op; known: divide, follow, no-json"}


@pytest.mark.usefixtures("server")
def test_a_line_of_64_kib_is_taken_and_a_longer_one_is_refused(path: Path) -> None:
    start = b'{"op": "divide", "a": 1, "b": 1, "pad": "'
    fits = start + b"x" * (65_536 - len(start) - 3) + b'"}\n'
    assert talk(path, fits) == [{"ok": True, "result": 1.0}]
    assert talk(path, b"x" + fits) == [{"ok": False, "error": "a request is at most 65536 bytes"}]


@pytest.mark.usefixtures("server")
def test_a_handler_that_raises_gives_an_error_and_not_a_dead_server(path: Path) -> None:
    with pytest.raises(ControlError, match="ZeroDivisionError"):
        ask(path, "divide", a=1, b=0)
    with pytest.raises(ControlError, match="KeyError"):
        ask(path, "divide")
    with pytest.raises(ControlError, match="TypeError"):
        ask(path, "no-json")
    assert ask(path, "divide", a=1, b=1)["ok"]


@pytest.mark.usefixtures("server")
def test_many_clients_at_once_each_get_their_own_answer(path: Path) -> None:
    results: dict[int, float] = {}

    def client(number: int) -> None:
        for _ in range(10):
            results[number] = ask(path, "divide", a=number, b=1)["result"]

    threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: float(number) for number in range(20)}


@pytest.mark.usefixtures("server")
def test_a_client_that_hangs_up_harms_nobody(path: Path, events: Events) -> None:
    for said in (b"", b'{"op": "div', b'{"op": "divide", "a": 1, "b": 1}\n', b'{"op": "follow"}\n'):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            line.sendall(said)
    events.publish({"event": "x"})
    assert ask(path, "divide", a=1, b=1)["ok"]


def test_a_follower_sees_every_event_in_order_and_ends_when_the_server_closes(
    path: Path, events: Events
) -> None:
    server = ControlServer(path, {}, events)
    seen = []
    for event in follow(path):
        if event == {"event": "alive"}:
            for number in range(100):
                events.publish({"event": "n", "number": number})
            threading.Thread(target=server.close).start()
        else:
            seen.append(event["number"])
    assert seen == list(range(100))


@pytest.mark.usefixtures("server")
def test_a_slow_follower_is_cut_off_and_delays_nobody(path: Path, events: Events) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(3)
        slow.connect(str(path))
        slow.sendall(b'{"op": "follow"}\n')
        with slow.makefile("rb") as lines:
            assert json.loads(lines.readline()) == {"ok": True}
            start = time.monotonic()
            for number in range(3000):
                events.publish({"event": "n", "number": number, "pad": "x" * 1000})
            assert time.monotonic() - start < 1
            assert ask(path, "divide", a=1, b=1)["ok"]
            heard = [json.loads(line) for line in lines]  # ends: it was cut off
    numbers = [event["number"] for event in heard if event["event"] == "n"]
    assert numbers == list(range(len(numbers)))
    assert 200 < len(numbers) < 3000


def test_a_stale_socket_file_of_a_killed_process_is_replaced(path: Path, events: Events) -> None:
    code = (
        f"import os, socket; s = socket.socket(1); s.bind({str(path)!r}); s.listen(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert path.is_socket()
    with pytest.raises(ControlError, match="is the process running"):
        ask(path, "divide")
    server = ControlServer(path, {"divide": _divide}, events)
    assert ask(path, "divide", a=1, b=1)["ok"]
    assert path.stat().st_mode & 0o777 == 0o660
    server.close()
    assert not path.exists()


def test_where_nothing_listens_the_error_says_so(path: Path) -> None:
    with pytest.raises(ControlError, match=r"c\.sock: nothing answers .*is the process running\?"):
        ask(path, "status")
    with pytest.raises(ControlError, match="nothing answers"):
        next(follow(path))


def test_a_server_that_takes_no_more_calls_is_hung_since_its_last_beat(path: Path) -> None:
    Heartbeat(path, ("main",)).close()
    waiting = []
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as stack:
        listener.bind(str(path))
        listener.listen(0)
        with suppress(BlockingIOError):
            while True:
                line = stack.enter_context(socket.socket(socket.AF_UNIX))
                line.setblocking(False)
                line.connect(str(path))
                waiting.append(line)
        assert waiting
        hung = r"hung since \d\d:\d\d:\d\d UTC \(\d+ s\): nobody takes the call"
        with pytest.raises(Hung, match=hung):
            ask(path, "health", timeout=30)
        with pytest.raises(Hung, match=hung):
            next(follow(path, timeout=30))


@pytest.mark.parametrize("says", [b"", b"[1, 2]\n", b"not JSON\n", b"\n"])
def test_a_wrong_server_is_an_error_in_time(says: bytes, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            line, _ = listener.accept()
            with line:
                line.sendall(says)
                time.sleep(0.5)

        thread = threading.Thread(target=answer)
        thread.start()
        start = time.monotonic()
        with pytest.raises(ControlError):
            ask(path, "status", timeout=0.2)
        assert time.monotonic() - start < 1
        thread.join()


def test_a_server_that_falls_silent_ends_the_following_with_an_error(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(ControlError, match="fell silent"):
            next(follow(path, timeout=0.2))
