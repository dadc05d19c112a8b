"""A tool at a real pty: whole lines, half ones, ones that are none; files that arrive whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import CampusgateError
from hw.serial_line import SerialLine
from terminal.console.command import Refused
from terminal.console.json_lines import CHUNK, LONGEST, JsonLines, Malformed, ToolDialogue
from terminal.console.wire import Interrupted, Wire
from tests.terminal.console.null_modem import NullModem


class Tool:
    """The tool's end of a cable at whose other end `run` is done to a dialogue."""

    def __init__(self, directory: Path) -> None:
        self.cable = NullModem(directory)
        self._line = SerialLine(str(self.cable.near), 115_200)
        self.wire = Wire(self._line)
        self._far = SerialLine(str(self.cable.far), 115_200)
        self.lines = JsonLines(self.wire, lambda: "")
        self._rest = b""
        self.came: queue.Queue[Any] = queue.Queue()

    def run(self, command: Callable[[ToolDialogue], Any]) -> None:
        def guarded() -> None:
            try:
                self.came.put(command(ToolDialogue(self.wire, self.lines, 7, lambda: "")))
            except CampusgateError as error:
                self.came.put(error)

        threading.Thread(target=guarded, daemon=True).start()

    def says(self, **document: Any) -> None:
        self._far.write(json.dumps(document).encode() + b"\n")

    def hears(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            came = self._far.read(30)
            assert came, "the console says nothing"
            self._rest += came
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        assert found.pop("id") == 7
        return found

    def outcome(self) -> Any:
        return self.came.get(timeout=30)

    def close(self) -> None:
        self.wire.close()
        self._line.close()
        self._far.close()
        self.cable.close()


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    made = Tool(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_may_end_in_three_ways_and_come_in_pieces(tool: Tool, end: bytes) -> None:
    tool.run(lambda _: [tool.lines.next(), tool.lines.next()])
    for piece in (b'{"do": "sh', b'ow status"}' + end + b"\r\n" + b'{"do"', b': "exit"}' + end):
        tool.cable.send(piece)
    assert tool.outcome() == [{"do": "show status"}, {"do": "exit"}]


@pytest.mark.parametrize(
    "line",
    [b"help", b"[1]", b"\xff\xfe", b"[" * 5000, b"x" * (LONGEST + 1), b'{"a": NaN', b'{"do": "\\ud800"}'],
)
def test_a_line_that_is_no_object_hurts_only_itself(tool: Tool, line: bytes) -> None:
    tool.run(lambda _: tool.lines.next())
    tool.cable.send(line + b"\n")
    assert isinstance(tool.outcome(), Malformed)
    tool.run(lambda _: tool.lines.next())
    tool.cable.send(b'{"do": "exit"}\n')
    assert tool.outcome() == {"do": "exit"}


def test_a_question_is_asked_until_it_is_answered(tool: Tool) -> None:
    tool.run(lambda line: line.ask("did the gate move?"))
    assert tool.hears() == {"ask": "did the gate move?", "answers": ["yes", "no"]}
    tool.says(id=7, answer="perhaps")
    assert tool.hears()["ask"]
    tool.says(id=7, answer="yes")
    assert tool.outcome() == "yes"


def test_what_runs_can_be_cancelled(tool: Tool) -> None:
    def endless(line: ToolDialogue) -> None:
        while True:
            line.say("on")
            line.wait(0.01)

    tool.run(endless)
    assert tool.hears() == {"say": "on"}
    tool.says(id=7, cancel=True)
    assert isinstance(tool.outcome(), Interrupted)


def file_of(data: bytes, **last: str) -> list[dict[str, Any]]:
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    ending = {"name": "x.roster", "sha256": hashlib.sha256(data).hexdigest(), **last}
    return [{"chunk": base64.b64encode(chunk).decode()} for chunk in chunks] + [{"chunk": "", **ending}]


@pytest.mark.parametrize("size", [0, 1, CHUNK, 3 * CHUNK + 5])
def test_a_file_arrives_whole(tool: Tool, tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    (tmp_path / "in").mkdir()
    tool.run(lambda line: line.receive(tmp_path / "in", 100_000))
    assert tool.hears() == {"receive": {"limit": 100_000}}
    for message in file_of(data, name="../../etc/x .roster"):
        tool.says(id=7, **message)
        if message["chunk"]:
            assert tool.hears()["more"]
    assert tool.outcome().read_bytes() == data
    assert [file.name for file in (tmp_path / "in").iterdir()] == ["x.roster"]


@pytest.mark.parametrize(
    "messages",
    [
        file_of(b"abc", sha256="0" * 64),
        file_of(b"x" * 2000),
        [{"chunk": "no base64!"}],
        [{"answer": "yes"}],
        [{"do": "show status"}],
        [{"cancel": True}],
    ],
)
def test_a_file_that_is_not_whole_leaves_nothing(tool: Tool, tmp_path: Path, messages: list[Any]) -> None:
    (tmp_path / "in").mkdir()
    tool.run(lambda line: line.receive(tmp_path / "in", 1000))
    tool.hears()
    for message in messages:
        tool.says(id=7, **message)
    assert isinstance(tool.outcome(), Refused | Interrupted)
    assert not list((tmp_path / "in").iterdir())


def test_a_file_is_given_in_chunks_that_are_acknowledged(tool: Tool, tmp_path: Path) -> None:
    data = bytes(range(256)) * 200
    (tmp_path / "a.records").write_bytes(data)
    tool.run(lambda line: line.send(tmp_path / "a.records"))
    sha256 = hashlib.sha256(data).hexdigest()
    assert tool.hears() == {"send": {"name": "a.records", "size": len(data), "sha256": sha256}}
    got = b""
    while chunk := base64.b64decode(tool.hears()["chunk"]):
        got += chunk
        tool.says(id=7, more=len(got))
    assert got == data
    assert tool.outcome() is None


def test_a_tool_that_lost_a_chunk_gets_no_more_of_the_file(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "a.records").write_bytes(b"x" * 50_000)
    tool.run(lambda line: line.send(tmp_path / "a.records"))
    tool.hears()
    tool.hears()
    tool.says(id=7, more=16_000)
    assert isinstance(tool.outcome(), Refused)


class Given:
    """A wire that has `data` and no more."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, timeout: float) -> bytes:
        del timeout
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def put_back(self, data: bytes) -> None:
        self.data = data + self.data


@given(st.binary(max_size=400))
def test_any_bytes_are_objects_or_refused_and_what_follows_works(data: bytes) -> None:
    lines = JsonLines(Given(data + b'\n{"do": "exit"}\n'), lambda: "the end")
    for _ in range(500):
        try:
            if lines.next() == {"do": "exit"}:
                return
        except Malformed:
            continue
    raise AssertionError("the good line was not found")


def test_an_answer_in_capitals_is_one(tool: Tool) -> None:
    tool.run(lambda line: line.ask("Which stick?", ("pi/KINGSTON", "a")))
    assert tool.hears() == {"ask": "Which stick?", "answers": ["pi/KINGSTON", "a"]}
    tool.says(answer="pi/KINGSTON")
    assert tool.outcome() == "pi/KINGSTON"


def test_the_name_of_a_file_that_is_no_text_can_be_told(tool: Tool) -> None:
    tool.run(lambda line: line.say(os.fsdecode(b"\xb1\xb1.roster")))
    assert tool.hears() == {"say": "??.roster"}
    assert tool.outcome() is None
