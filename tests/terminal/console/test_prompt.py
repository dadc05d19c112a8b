"""A person at a real pty: editing, completion, history, paging, noise, and a line that goes away."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.errors import CampusgateError
from hw.serial_line import LineLost, SerialLine
from terminal.console import toolkit
from terminal.console.person import PersonDialogue
from terminal.console.prompt import LONGEST, Ended, Prompt
from terminal.console.toolkit import Completions, Recent
from terminal.console.wire import Interrupted, Wire
from tests.sim.processes import wait_until
from tests.terminal.console.null_modem import NullModem

WORDS = Completions(lambda before: [(w, "") for w in ("show", "shell") if w.startswith(before)])


class Person:
    """Types at one end; what the console's side gets comes out of `got`."""

    def __init__(self, directory: Path) -> None:
        self.cable = NullModem(directory)
        self.line = SerialLine(str(self.cable.near), 115_200)
        self.wire = Wire(self.line)
        self.why_end = ""
        self.prompt = Prompt(self.wire, lambda: self.why_end)
        self.got: queue.Queue[Any] = queue.Queue()

    def at(self, ask: Callable[[Prompt], Any]) -> None:
        def run() -> None:
            try:
                self.got.put(ask(self.prompt))
            except (CampusgateError, EOFError) as error:
                self.got.put(error)

        threading.Thread(target=run, daemon=True).start()

    def command(self) -> None:
        self.at(lambda prompt: prompt.command("gate> ", WORDS, lambda before: [f"about {before!r}"]))

    def types(self, data: bytes) -> None:
        self.cable.send(data)

    def answer(self) -> Any:
        return self.got.get(timeout=30)

    def sees(self, text: str) -> bool:
        return wait_until(lambda: text.encode() in self.cable.heard, 30)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    made = Person(tmp_path)
    yield made
    made.wire.close()
    made.prompt.close()
    made.line.close()
    made.cable.close()


def test_a_line_is_edited_and_found_again(person: Person) -> None:
    person.command()
    person.types(b"shox\x7fw\x01 \x08\x05 status\r")  # Backspace, start of line, end of line
    assert person.answer() == "show status"
    person.command()
    person.types(b"\x1b[A\r")
    assert person.answer() == "show status"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_return_may_be_any_of_three(person: Person, end: bytes) -> None:
    person.types(b"one" + end + b"two" + end)
    person.command()
    assert person.answer() == "one"
    person.command()
    assert person.answer() == "two"


def test_tab_completes_and_a_question_mark_explains(person: Person) -> None:
    person.command()
    person.types(b"sho\t")
    assert person.sees("show")
    person.types(b"?")
    assert person.sees("about 'show '")
    person.types(b"\r")
    assert person.answer().strip() == "show"


def test_of_a_secret_nothing_is_shown(person: Person) -> None:
    person.at(lambda prompt: prompt.secret("password: "))
    assert person.sees("password:")
    before = len(person.cable.heard)
    person.types(b"Hunter2\x7f2 ")
    person.types(b"\r")
    assert person.answer() == "Hunter2 "
    shown = bytes(person.cable.heard[before:])
    assert b"*" not in shown
    assert not any(letter in shown for letter in b"Hunt")
    person.command()
    person.types(b"\x1b[A\r")
    assert person.answer() == ""  # nor is it in the history


def test_ctrl_c_gives_up_the_line_and_ctrl_d_ends(person: Person) -> None:
    person.command()
    person.types(b"reboo\x03")
    assert isinstance(person.answer(), Interrupted)
    person.command()
    person.types(b"\x04")
    assert isinstance(person.answer(), EOFError)


def test_noise_breaks_and_half_characters_leave_a_line_that_works(person: Person) -> None:
    person.command()
    person.types(b"\x00\x00\xff\xfe\x80\xe4\xb8\x00\x1b\x1b[\x1b[99999\x00\x03")
    assert isinstance(person.answer(), Interrupted)
    person.command()
    person.types("北门\r".encode())
    assert person.answer() == "北门"


def test_a_count_before_a_key_makes_no_endless_line(person: Person) -> None:
    person.command()
    person.types(b"\x1b9\x1b9\x1b9\x1b9\x1b9\x1b9x\r")
    assert len(person.answer()) < 20


def test_a_line_without_end_is_thrown_away(person: Person) -> None:
    person.command()
    for _ in range(4):
        person.types(b"x" * (LONGEST // 2))
    person.types(b"\x03")
    assert isinstance(person.answer(), Interrupted)


def test_what_is_long_is_shown_a_screen_at_a_time_at_the_clients_size(person: Person) -> None:
    person.at(lambda prompt: prompt.show([f"line {n} " + "word " * 12 for n in range(15)], paged=True))
    assert person.sees("\x1b[6n")
    person.types(b"\x1b[11;50R")
    assert person.sees("--more-- 10/30")
    assert b"line 5" not in person.cable.heard
    person.types(b"\r")
    assert person.sees("--more-- 11/30")
    person.types(b"\x1b[B")  # down
    assert person.sees("--more-- 12/30")
    person.types(b"\x1b[6~")  # page down: one key, one page
    assert person.sees("--more-- 22/30")
    person.types(b"q")
    assert person.answer() is None
    assert b"line 14" not in person.cable.heard


def test_what_is_pasted_while_the_size_is_asked_for_is_kept(person: Person) -> None:
    person.at(lambda prompt: prompt.measure())
    assert person.sees("\x1b[6n")
    person.types(b"one\r\x1b[40;132Rtwo\r")
    person.answer()
    assert tuple(person.prompt.size) == (40, 132)
    person.command()
    assert person.answer() == "one"
    person.command()
    assert person.answer() == "two"


def test_a_client_that_does_not_tell_its_size_is_asked_once(person: Person) -> None:
    person.at(lambda prompt: (prompt.measure(), prompt.measure()))
    person.answer()
    assert person.cable.heard.count(b"\x1b[6n") == 1
    assert tuple(person.prompt.size) == (24, 80)


def test_far_more_lines_than_a_pipe_holds_hold_nothing_up(person: Person) -> None:
    person.types(b"x\r" * 60_000)
    for _ in range(200):
        person.command()
        assert person.answer() == "x"
    person.prompt.discard()
    person.command()
    person.types(b"\x03")
    assert isinstance(person.answer(), Interrupted)


def test_the_history_of_noise_is_short() -> None:
    history = Recent()
    for number in range(1000):
        history.append_string(f"line {number}")
    assert history.get_strings()[-1] == "line 999"
    assert len(history.get_strings()) == len(list(history.load_history_strings())) == 200


def test_the_console_can_end_a_prompt(person: Person) -> None:
    person.command()
    assert person.sees("gate>")
    person.why_end = "nothing was typed for 10 minutes"
    assert isinstance(person.answer(), Ended)


def test_a_cable_that_is_pulled_ends_a_prompt(person: Person) -> None:
    person.command()
    assert person.sees("gate>")
    person.cable.unplug()
    assert isinstance(person.answer(), LineLost)
    person.cable.plug()


def test_what_comes_is_not_remembered_for_ever(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "_REMEMBERED", 100)
    caches = (toolkit._CHAR_SIZES_CACHE, toolkit._IS_PREFIX_OF_LONGER_MATCH_CACHE, toolkit._CHAR_CACHE)
    for part in range(20):  # each of it once, as in noise
        person.command()
        chinese = "".join(chr(0x4E00 + 60 * part + n) for n in range(60))
        keys = "".join(f"\x1b[{part};{n}Q" for n in range(20))
        person.types(f"{chinese}\r".encode())
        assert person.answer() == chinese
        person.command()
        person.types(keys.encode() + b"\x15end\r")
        assert person.answer() == "end"
    sizes = [*map(len, caches), len(toolkit._CHAR_CACHE._keys)]
    assert max(sizes) < 600, sizes  # and not one for each of 1,200 characters and 400 keys


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("pi/KINGSTON", "pi/KINGSTON"), ("pi/kingston", "pi/KINGSTON"), ("pi/K", "pi/KINGSTON"),
     ("PI/s", "pi/SanDisk"), ("pi\rpi/北\rUSB", "usb")],
)  # fmt: skip
def test_an_answer_is_found_however_its_letters_are_written(person: Person, typed: str, meant: str) -> None:
    """Names of sticks: those of FAT are in capitals."""
    sticks = ("pi/KINGSTON", "pi/SanDisk", "pi/北门 A", "pi/北门 B", "usb")
    dialogue = PersonDialogue(person.wire, person.prompt, lambda: "")
    person.types(f"{typed}\r".encode())
    person.at(lambda _: dialogue.ask("Which stick?", sticks))
    assert person.answer() == meant


def test_on_a_narrow_screen_what_waits_for_a_key_takes_one_line(person: Person) -> None:
    """Two of them push a line out that nobody has seen, and stay when the next screen comes."""
    person.at(lambda prompt: prompt.show([f"line {n}" for n in range(40)], paged=True))
    assert person.sees("\x1b[6n")
    person.types(b"\x1b[5;20R")
    assert person.sees("--more-- 4/40 ")
    before = person.cable.heard.rindex(b"--more--")
    person.types(b" ")
    assert person.sees("--more-- 8/40 ")
    shown = bytes(person.cable.heard[before:])
    assert len(shown.split(b"\r", 1)[0]) < 20, shown
    person.types(b"q")
    assert person.answer() is None
