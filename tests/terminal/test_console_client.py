"""A laptop's client of the console finds its way on any line, and carries requests, questions and files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.console import client as client_module
from terminal.console.client import ConsoleClient, ConsoleRefused, Greeting, Replies, _objects
from terminal.console.client_files import FileRefused, Incoming, Outgoing
from terminal.console.client_line import ClientLine, LineError
from terminal.console.command import Answer, Arguments, Command, Parameter
from terminal.console.roles import Role
from terminal.console.session import Session
from tests.terminal.console_peer import Machine, Pty


def _greet(session: Session, given: Arguments) -> Answer:
    session.line.say("one")
    name = session.line.ask("who?", ("me", "you"))
    word = session.line.secret("word: ")
    return {"name": name, "word": word, "given": given["what"]}


def _take(session: Session, given: Arguments) -> Answer:
    del given
    file = session.line.receive(session.settings_path.parent, 20_000)
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _give(session: Session, given: Arguments) -> Answer:
    session.line.send(session.settings_path.parent / given["file"])
    return {"sent": given["file"]}


COMMANDS = (
    Command("greet", Role.OBSERVE, "", "", _greet, (Parameter("what", ""),)),
    Command("take", Role.OBSERVE, "", "", _take),
    Command("give", Role.OBSERVE, "", "", _give, (Parameter("file", ""),)),
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", COMMANDS)


@contextlib.contextmanager
def connected(machine: Machine, before: bytes = b"") -> Iterator[ConsoleClient]:
    with machine.plug(before=before) as console:
        client = ConsoleClient(console.port)
        try:
            client.synchronise()
            yield client
        finally:
            client.close()


def test_the_greeting_says_what_is_at_the_line(machine: Machine) -> None:
    with machine.plug() as console:
        client = ConsoleClient(console.port)
        assert client.synchronise() == Greeting("1", None, False, None)
        client.exit()
        assert client.synchronise().provisioned is False
        client.close()


def test_the_next_client_finds_its_way_into_a_session_that_nobody_ended(machine: Machine) -> None:
    with machine.plug() as console:
        for _ in range(2):
            client = ConsoleClient(console.port)
            client.synchronise()
            client.close()


def test_what_a_command_says_and_asks_reaches_the_caller(machine: Machine) -> None:
    said: list[str] = []
    asked: list[Any] = []

    def ask(question: str, answers: tuple[str, ...]) -> str:
        asked.append((question, answers))
        return "you"

    with connected(machine) as client:
        replies = Replies(say=said.append, ask=ask, secret=lambda question: f"{question}密")
        assert client.do("greet x", replies) == {"name": "you", "word": "word: 密", "given": "x"}
    assert (said, asked) == (["one"], [("who?", ("me", "you"))])


def test_a_question_that_nobody_answers_is_an_error_and_the_next_command_works(machine: Machine) -> None:
    with connected(machine) as client:
        with pytest.raises(ConsoleRefused, match="nobody is there"):
            client.do("greet x")
        with pytest.raises(ConsoleRefused, match="no such command"):
            client.do("unheard")
        replies = Replies(ask=lambda *_: "me", secret=lambda _: "")
        assert client.do("greet y", replies)["given"] == "y"


@pytest.mark.parametrize("size", [0, 1, 3072, 3073, 20_000])
def test_files_go_both_ways_whole(machine: Machine, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (machine.settings_path.parent / "some.bin").write_bytes(data)
    with connected(machine) as client:
        answer = client.do("take", Replies(offer=("f.bin", data)))
        assert answer == {"sha256": hashlib.sha256(data).hexdigest()}
        client.do("give some.bin", Replies(save_to=tmp_path))
    assert (tmp_path / "some.bin").read_bytes() == data


def test_a_file_that_is_too_large_is_never_sent(machine: Machine) -> None:
    with connected(machine) as client:
        with pytest.raises(FileRefused, match="20001 bytes; the console takes at most 20000"):
            client.do("take", Replies(offer=("f.bin", bytes(20_001))))
        assert client.do("take", Replies(offer=("f.bin", b"x")))


def test_files_that_nobody_offers_or_wants_are_refused(machine: Machine) -> None:
    (machine.settings_path.parent / "some.bin").write_bytes(b"x")
    with connected(machine) as client:
        with pytest.raises(ConsoleRefused, match="there is none to give"):
            client.do("take")
        with pytest.raises(ConsoleRefused, match="not asked for"):
            client.do("give some.bin")


@pytest.mark.parametrize(
    "before",
    [
        b"[    0.0] Booting Linux\r\n[    1.2] random: crng done\r\nnorth-gate-1 half a lo",
        bytes(range(256)),
        b'{"id": 1, "ok": true}{"id"',
        b"\x1b[?2004h\x1b[1;31mlogin: \x1b[0m",
        b"x" * 3000,
    ],
)
def test_whatever_is_on_the_line_the_client_gets_its_greeting(machine: Machine, before: bytes) -> None:
    with connected(machine, before) as client, pytest.raises(ConsoleRefused, match="no such command"):
        client.do("unheard")


Script = Callable[["Peer"], None]


class Peer:
    """The other end of a pty that follows a script, in a thread."""

    def __init__(self, script: Script) -> None:
        self.pty = Pty()
        self._script = script
        self.failed: BaseException | None = None
        self._rest = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._script(self)
        except (AssertionError, OSError, ValueError) as error:
            self.failed = error

    def end(self) -> None:
        """Wait for the script's end; raises what it raised."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.pty.close()
        if self.failed:
            raise self.failed

    def until(self, wanted: bytes) -> bytes:
        """What comes up to and including `wanted`."""
        while wanted not in self._rest:
            assert select.select([self.pty.master], [], [], 30)[0], self._rest
            self._rest += os.read(self.pty.master, 4096)
        at = self._rest.index(wanted) + len(wanted)
        found, self._rest = self._rest[:at], self._rest[at:]
        return found

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        os.write(self.pty.master, data)

    def request(self) -> dict[str, Any]:
        """The next request."""
        return dict(json.loads(self.until(b"\n")))


GREETING = (
    b'{"console": "campusgate", "version": "2", "device": "g-1", "provisioned": true, "challenge": "c"}\r\n'
)


def with_peer(script: Script, act: Callable[[ConsoleClient], None], *, patient: bool = True) -> None:
    """patient: the script answers everything; however busy this machine is, nothing is asked twice."""
    peer = Peer(script)
    shown_within = client_module._SHOWN_WITHIN
    client_module._SHOWN_WITHIN = 30 if patient else 0.5
    client = ConsoleClient(peer.pty.port)
    try:
        act(client)
    finally:
        client_module._SHOWN_WITHIN = shown_within
        client.close()
        peer.end()


def greet(peer: Peer) -> None:
    peer.until(b"\x03")
    peer.send(b"\r\nlogin: ")
    peer.until(b"json\r")
    peer.send(b"json\r\n" + GREETING)


def test_a_person_who_left_a_session_open_is_logged_out_first() -> None:
    def script(peer: Peer) -> None:
        peer.until(b"\x03")
        peer.send(b"^C\r\ng-1> ")
        peer.until(b"exit\r")
        peer.send(b"exit\r\nlogin: ")
        assert peer.until(b"json\r") == b"json\r"
        peer.send(GREETING)

    def act(client: ConsoleClient) -> None:
        assert client.synchronise() == Greeting("2", "g-1", True, "c")

    with_peer(script, act)


def test_the_word_json_is_never_given_as_a_password() -> None:
    def script(peer: Peer) -> None:
        peer.until(b"\x03")
        peer.send(b"Password: ")
        assert b"json" not in peer.until(b"\x03")
        peer.send(b"\r\nlogin: ")
        peer.until(b"json\r")
        peer.send(GREETING)

    with_peer(script, lambda client: void(client.synchronise()))


def void(_value: object) -> None:
    pass


def test_a_console_that_boots_meanwhile_is_waited_for() -> None:
    def script(peer: Peer) -> None:
        peer.until(b"json\r")  # asked blindly
        peer.send(b"U-Boot 2026.01\r\n\r\n")
        greet(peer)

    with_peer(script, lambda client: void(client.synchronise()), patient=False)


def test_a_console_of_json_lines_alone_is_asked_for_a_fresh_greeting() -> None:
    def script(peer: Peer) -> None:
        peer.until(b"json\r")
        peer.send(b'{"id": null, "ok": false, "error": "a line is one JSON object"}\r\n')
        peer.until(b'"do": "exit"}\n')
        peer.send(b'{"id": 1, "ok": true, "answer": {}}\r\n' + GREETING)

    with_peer(script, lambda client: void(client.synchronise()), patient=False)


def test_noise_and_answers_to_others_are_passed_over() -> None:
    def script(peer: Peer) -> None:
        greet(peer)
        number = peer.request()["id"]
        peer.send(b"\xff\xfe\x00{\r\n")
        peer.send(b'{"id": 0, "ok": true, "answer": {"wrong": 1}}\n[1]\n"x"\n')
        peer.send(b'noise{ {"id": %d, "ok": true,' % number)
        peer.send(b' "answer": {"right": 1}}\r\n')

    def act(client: ConsoleClient) -> None:
        client.synchronise()
        assert client.do("x") == {"right": 1}

    with_peer(script, act)


def test_what_is_not_understood_is_an_error_and_the_command_is_interrupted() -> None:
    def script(peer: Peer) -> None:
        greet(peer)
        number = peer.request()["id"]
        peer.send(b'{"id": %d, "receive": {}}\r\n' % number)
        assert peer.request() == {"id": number, "cancel": True}

    def act(client: ConsoleClient) -> None:
        client.synchronise()
        with pytest.raises(ConsoleRefused, match="not understood"):
            client.do("x", Replies(offer=("f", b"")))

    with_peer(script, act)


def test_ctrl_c_at_the_laptop_interrupts_the_command() -> None:
    def script(peer: Peer) -> None:
        greet(peer)
        number = peer.request()["id"]
        peer.send(b'{"id": %d, "say": "one"}\r\n' % number)
        assert peer.request() == {"id": number, "cancel": True}

    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    def act(client: ConsoleClient) -> None:
        client.synchronise()
        with pytest.raises(KeyboardInterrupt):
            client.do("x", Replies(say=interrupt))

    with_peer(script, act)


def test_a_cable_that_is_pulled_is_an_error_at_once() -> None:
    def script(peer: Peer) -> None:
        greet(peer)
        peer.request()
        peer.pty.close()

    def act(client: ConsoleClient) -> None:
        client.synchronise()
        with pytest.raises(LineError, match="is gone"):
            client.do("x")
        with pytest.raises(LineError):
            client.do("x")

    with_peer(script, act)


def test_a_silent_line_and_one_without_a_console_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_SHOWN_WITHIN", 0.1)
    with Pty() as pty:
        client = ConsoleClient(pty.port)
        with pytest.raises(LineError, match="nothing answers"):
            client.synchronise(within=0.01)
        os.write(pty.master, b"Welcome to FreeDOS\r\nC:\\")
        with pytest.raises(LineError, match="no campusgate console"):
            client.synchronise(within=0.01)
        client.close()


def test_a_port_is_for_one_program_and_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    with Pty() as pty:
        line = ClientLine(pty.port)
        with pytest.raises(LineError, match="another program"):
            ClientLine(pty.port)
        line.close()
    with pytest.raises(LineError, match=r"no-such.*cable"):
        ClientLine(str(tmp_path / "no-such"))


def test_a_line_without_an_end_takes_no_memory() -> None:
    with Pty() as pty:
        line = ClientLine(pty.port)

        def flood() -> None:
            for _ in range(60):
                os.write(pty.master, b"x" * 2000)
            os.write(pty.master, b"\n{}\n")

        thread = threading.Thread(target=flood)
        thread.start()
        while (found := line.read_line(30)) != "{}":
            assert found is not None
            assert len(found) <= 65_536 + 4096
        thread.join()
        line.close()


@given(st.text())
def test_any_text_on_a_line_holds_one_object_or_none(text: str) -> None:
    assert all(isinstance(found, dict) for found in _objects(text))


@given(st.text(alphabet=st.characters(exclude_characters="{")), st.dictionaries(st.text(), st.integers()))
def test_an_object_is_found_behind_noise(noise: str, document: dict[str, int]) -> None:
    assert _objects(noise + json.dumps(document)) == [document]


@given(st.binary(max_size=10_000))
def test_a_file_that_went_out_comes_in_the_same(tmp_path: Path, data: bytes) -> None:
    outgoing = Outgoing("f.bin", data, limit=10_000)
    digest = hashlib.sha256(data).hexdigest()
    incoming = Incoming(tmp_path, {"name": "f.bin", "size": len(data), "sha256": digest})
    chunk = outgoing.next(0)
    while more := incoming.take(chunk):
        chunk = outgoing.next(more["more"])
    assert (tmp_path / "f.bin").read_bytes() == data


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        (["eA==", "eA=="], "more of it than the 1 bytes"),
        ([""], "not come whole"),
        (["eQ==", ""], "not come whole"),
        (["?"], "no base64"),
    ],
)
def test_a_file_that_is_not_whole_leaves_nothing(tmp_path: Path, chunks: list[str], why: str) -> None:
    announced = {"name": "../../f.bin", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    incoming = Incoming(tmp_path, announced)
    *before, last = chunks
    for chunk in before:
        incoming.take({"chunk": chunk})
    with pytest.raises(FileRefused, match=why):
        incoming.take({"chunk": last})
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_that_the_console_has_not_all_of_ends_it() -> None:
    outgoing = Outgoing("f.bin", bytes(9000), limit=9000)
    outgoing.next(0)
    with pytest.raises(FileRefused, match="has 1 bytes of the 3072"):
        outgoing.next(1)
