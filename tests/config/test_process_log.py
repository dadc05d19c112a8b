"""What a process logs: kept in memory and in a file, followed, and there after it died, with why."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import process_log
from config.control import Events
from config.process_log import KEPT, ProcessLog, last_words, log_file

log = logging.getLogger("gate")


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "run" / "gate.sock"


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def kept(socket: Path, events: Events) -> Iterator[ProcessLog]:
    level = logging.getLogger().level
    made = ProcessLog(socket, events)
    yield made
    made.close()
    logging.getLogger().setLevel(level)


def test_each_line_is_kept_and_published_and_in_the_file(
    kept: ProcessLog, events: Events, socket: Path
) -> None:
    with events.follow() as follower:
        log.info("first")
        log.warning("two\nlines")
        log.debug("not this")
    lines = kept.lines(10)
    assert [line[-5:] for line in lines] == ["first", ": two", "lines"]
    assert [follower.get_nowait() for _ in lines] == [{"event": "log", "line": line} for line in lines]
    assert last_words(socket, 10) == lines
    assert kept.lines(1) == last_words(socket, 1) == ["lines"]
    assert log_file(socket).stat().st_mode & 0o777 == 0o640


def test_a_line_that_is_worded_wrongly_harms_nobody(
    kept: ProcessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    # Not by way of pytest's own handlers: what they caught could not be reported.
    ours = [
        handler for handler in logging.getLogger().handlers if type(handler).__module__ != "_pytest.logging"
    ]
    for message, given in (("%d scans", ("many",)), ("half a character: \ud800", ())):
        for handler in ours:
            handler.handle(logging.LogRecord("test", logging.INFO, __file__, 1, message, given, None))
    assert len(kept.lines(10)) == 1


def test_memory_holds_the_newest_and_the_files_turn_over(
    socket: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_log, "_FILE_BYTES", 4096)
    kept = ProcessLog(socket, events)
    for number in range(KEPT + 100):
        log.info("line %d", number)
    assert len(kept.lines(KEPT)) == KEPT
    assert kept.lines(1)[0].endswith(f"line {KEPT + 99}")
    kept.close()
    files = sorted(socket.parent.iterdir())
    assert [file.name for file in files] == ["gate.log", "gate.log.1"]
    assert all(file.stat().st_size <= 4096 and file.stat().st_mode & 0o777 == 0o640 for file in files)
    words = last_words(socket, 60)
    assert [line.rpartition(" ")[2] for line in words] == [str(n) for n in range(KEPT + 40, KEPT + 100)]


def test_it_can_be_read_and_closed_while_others_log(kept: ProcessLog) -> None:
    over, failed = threading.Event(), []

    def chatter() -> None:
        while not over.is_set():
            log.info("chatter")

    def read() -> None:
        try:
            for _ in range(300):
                kept.lines(KEPT)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failed.append(error)

    threads = [threading.Thread(target=chatter) for _ in range(2)]
    reader = threading.Thread(target=read)
    for thread in (*threads, reader):
        thread.start()
    reader.join()
    kept.close()
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []


DYING = """
import sys, threading
from pathlib import Path
from config.control import Events
from config.process_log import ProcessLog
ProcessLog(Path(sys.argv[1]), Events())
def work():
    {thread}
worker = threading.Thread(target=work, name="worker")
worker.start()
worker.join()
{main}
"""


def dying(socket: Path, *, main: str = "", thread: str = "pass") -> str:
    """The last words of a process that ends so."""
    subprocess.run(
        [sys.executable, "-c", DYING.format(main=main, thread=thread), str(socket)],
        stderr=subprocess.DEVNULL, timeout=30, check=False,
    )  # fmt: skip
    return "\n".join(last_words(socket, 100))


def test_what_ends_the_process_is_its_last_word(socket: Path) -> None:
    said = dying(socket, main="1 // 0")
    assert "CRITICAL root: the process ends\nTraceback (most recent call last):" in said
    assert said.endswith("ZeroDivisionError: integer division or modulo by zero")


def test_what_ends_a_thread_is_logged_but_not_that_it_wants_to_end(socket: Path) -> None:
    said = dying(socket, thread="[][1]")
    assert "thread worker ends" in said
    assert "IndexError" in said
    assert dying(socket.with_name("quiet.sock"), thread="raise SystemExit(3)") == ""


def test_what_kills_it_in_a_library_in_c_is_there_too_also_after_the_file_turned_over(socket: Path) -> None:
    said = dying(socket, main="import ctypes; ctypes.string_at(0)")
    assert "Fatal Python error: Segmentation fault" in said
    assert "in string_at" in said
    many = "import logging, ctypes; [logging.info('x' * 1000) for _ in range(150)]; ctypes.string_at(0)"
    assert dying(socket.with_name("talks.sock"), main=many).endswith(" in <module>")
    assert (socket.parent / "talks.log.1").exists()


def test_without_a_file_there_are_no_last_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "none.sock", 10) == []
