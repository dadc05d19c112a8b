"""A person at the line: editing, completion, history and paging by prompt_toolkit, over any `Wire`.

prompt_toolkit gets a pipe for its keyboard and writes to the wire; nothing of this process's own terminal is
touched. What comes is cleaned first: a line that is noisy or at the wrong speed gives any bytes at all.
"""

from __future__ import annotations

import array
import asyncio
import codecs
import fcntl
import os
import re
import select
import termios
import time
from collections.abc import Callable, Iterable
from typing import Any

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import Completer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import DummyHistory, History
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession

from config.errors import CampusgateError
from hw.serial_line import LineLost
from terminal.console import render
from terminal.console.toolkit import Recent, Unseen, WireText, forget, ignore
from terminal.console.wire import Interrupted, Wire

LONGEST = 2000  # characters of a line; a longer one is no command, it is a file or noise
_AHEAD = 8192  # bytes that may wait in the pipe
_LOOK_EVERY = 0.25  # seconds
_DOWN = b"\x1b[B"
_REST_OF_KEY = 0.1  # seconds within which the bytes of one key come
_A_FEW = 10  # lines that fit on any screen
_CURSOR_ANSWERS = 0.4  # seconds for a client to say where its cursor is
_CURSOR = re.compile(rb"\x1b\[(\d{1,4});(\d{1,4})R")
_PLAIN_SIZE = Size(rows=24, columns=80)
_SUBMIT, _TAB, _ESCAPE = "\r", "\t", "\x1b"


class Ended(CampusgateError):
    """Raised when the client has been idle for too long, or the console is to stop; says which."""


class Prompt:
    """Asks a person for lines, and shows some. ending: why it is to end, "" while it is not."""

    def __init__(self, wire: Wire, ending: Callable[[], str]) -> None:
        self._wire, self._ending = wire, ending
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._after_return = False
        self._answers_size = True
        self.size = _PLAIN_SIZE
        self._pipe_context = create_pipe_input()
        self._pipe = self._pipe_context.__enter__()
        self._output = Vt100_Output(
            WireText(wire),  # type: ignore[arg-type]
            lambda: self.size, term="vt100", default_color_depth=ColorDepth.DEPTH_1_BIT,
            enable_cpr=False, enable_bell=True,
        )  # fmt: skip
        # Pasted lines are lines: a client that marks a paste would hold them back until Return.
        self._output.enable_bracketed_paste = lambda: None  # type: ignore[method-assign]
        self._history = Recent()

    def close(self) -> None:
        """Give the pipe back."""
        self._pipe_context.__exit__(None, None, None)

    def command(self, message: str, completer: Completer, explain: Callable[[str], Iterable[str]]) -> str:
        """A line that is completed with Tab, explained with `?`, and found again in the history.

        Raises: Interrupted for Ctrl-C, EOFError for Ctrl-D, Ended, LineLost.
        """
        return self._read(message, self._history, completer=completer, bindings=self._keys(explain))

    def line(self, message: str) -> str:
        """A line. Raises: as `command`."""
        return self._read(message, DummyHistory(), bindings=self._keys(None))

    def secret(self, message: str) -> str:
        """A line of which nothing is shown, not even its length. Raises: as `command`."""
        return self._read(message, DummyHistory(), bindings=self._keys(None), secret=True)

    def show(self, lines: Iterable[str], *, paged: bool = False) -> None:
        """Show lines, broken at the client's width; paged: wait at the end of each screen for a key."""
        shown = [render.harmless(line) for line in lines]
        if paged and len(shown) > _A_FEW:
            self.measure()
        shown = [part for line in shown for part in render.fitted(line, self.size.columns)]
        room = max(2, self.size.rows - 1)
        if not paged or len(shown) <= room:
            self._write("".join(line + "\r\n" for line in shown))
            return
        at = 0
        step = room
        while at < len(shown):
            self._write("".join(line + "\r\n" for line in shown[at : at + step]))
            at += step
            if at < len(shown):
                key = self._page_key(self._more(f" {at}/{len(shown)} ", " space, Return, q "))
                step = 1 if key in (b"\r", b"\n", _DOWN) else room
                if key in (b"q", b"\x03", b"Q"):
                    return

    def measure(self) -> None:
        """Ask the client how large its screen is, unless it did not answer the last time or is pasting."""
        if not self._answers_size or self._wire.unread:
            return
        self._write("\x1b7\x1b[999;999H\x1b[6n\x1b8")  # DECSC, CUP, DSR 6, DECRC (ECMA-48, DEC VT100)
        heard, until = b"", time.monotonic() + _CURSOR_ANSWERS
        while (left := until - time.monotonic()) > 0:
            heard += self._wire.read(64, left)
            if found := _CURSOR.search(heard):
                rows, columns = int(found[1]), int(found[2])
                if rows >= 2 and columns >= 20:
                    self.size = Size(rows, columns)
                self._wire.put_back(heard[: found.start()] + heard[found.end() :])
                return
        self._wire.put_back(heard)
        self._answers_size = False

    def discard(self) -> int:
        """Throw away what was typed ahead; about how many bytes that was."""
        clear_typeahead(self._pipe)
        gone = self._wire.discard()
        while select.select([self._pipe.fileno()], [], [], 0)[0]:
            gone += len(os.read(self._pipe.fileno(), 65_536))
        return gone

    def _more(self, *parts: str) -> str:
        """As much of that as fits on one line: a longer one would push the first of the screen out."""
        message = "--more--"
        for part in parts:
            if render.cells(message + part) < self.size.columns:
                message += part
        return message

    def _page_key(self, message: str) -> bytes:
        self._write(message)
        while not (key := self._wire.read(1, _LOOK_EVERY)):
            if reason := self._ending():
                raise Ended(reason)
        if key == b"\x1b":  # an arrow or the like is one key
            while (more := self._wire.read(1, _REST_OF_KEY)) and len(key) < 8:
                key += more
                if more != b"[" and more[0] >= 0x40:  # its last byte: ECMA-48, 5.4
                    break
        self._write("\r" + " " * len(message) + "\r")
        return key

    def _read(
        self,
        message: str,
        history: History,
        *,
        completer: Completer | None = None,
        bindings: KeyBindings,
        secret: bool = False,
    ) -> str:
        if reason := self._ending():  # lines that were typed ahead are read too fast for `_tick`
            raise Ended(reason)
        session: PromptSession[str] = PromptSession(
            message,
            input=self._pipe,
            output=self._output,
            history=history,
            completer=completer,
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=bindings,
            input_processors=[Unseen()] if secret else [],
            interrupt_exception=Interrupted,
        )
        session.default_buffer.on_text_changed += self._shorten
        return asyncio.run(self._prompted(session))

    async def _prompted(self, session: PromptSession[str]) -> str:
        loop = asyncio.get_running_loop()
        session.app.ttimeoutlen = 0.1  # after an Escape that nothing follows
        loop.add_reader(self._wire.fileno(), self._feed, session)
        ticking = loop.create_task(self._tick(session))
        try:
            return await session.prompt_async(handle_sigint=False)
        finally:
            ticking.cancel()
            loop.remove_reader(self._wire.fileno())

    async def _tick(self, session: PromptSession[str]) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            reason = self._ending()
            if reason and session.app.is_running and not session.app.is_done:
                session.app.exit(exception=Ended(reason))

    def _feed(self, session: PromptSession[str]) -> None:
        if self._typed_ahead() >= _AHEAD:
            return  # a pipe that is full would hold up the one who empties it
        try:
            data = self._wire.read(1024, 0)
        except LineLost as error:
            asyncio.get_running_loop().remove_reader(self._wire.fileno())
            if session.app.is_running and not session.app.is_done:
                session.app.exit(exception=error)
            return
        if cleaned := self._cleaned(data):
            forget()
            self._pipe.send_text(cleaned)

    def _typed_ahead(self) -> int:
        """Bytes in the pipe that no prompt has read yet."""
        count = array.array("i", [0])
        fcntl.ioctl(self._pipe.fileno(), termios.FIONREAD, count)
        return count[0]

    def _cleaned(self, data: bytes) -> str:
        """What of `data` are keys. Return may come as CR, LF or both."""
        kept = []
        for char in self._decoder.decode(data):
            if char == "\n":
                if not self._after_return:
                    kept.append(_SUBMIT)
            elif char.isprintable() or char in (_SUBMIT, _TAB, _ESCAPE, "\x7f") or "\x01" <= char <= "\x1a":
                kept.append(char)
            self._after_return = char == _SUBMIT
        return "".join(kept)

    def _shorten(self, buffer: Any) -> None:
        if len(buffer.text) > LONGEST:
            buffer.reset()
            self._output.bell()

    def _keys(self, explain: Callable[[str], Iterable[str]] | None) -> KeyBindings:
        keys = KeyBindings()

        # A count before a key, as Escape 9 9 9 9 9 x, would make a line of any length out of noise.
        for digit in "0123456789-":
            keys.add("escape", digit, eager=True)(ignore)

        # prompt_toolkit takes noise that looks like a mouse for one, and fails.
        keys.add(Keys.Vt100MouseEvent, eager=True)(ignore)

        if explain:

            @keys.add("?")
            def _explain(event: KeyPressEvent) -> None:
                before = event.current_buffer.document.text_before_cursor
                if before and not before[-1].isspace():
                    event.current_buffer.insert_text("?")
                    return
                lines = list(explain(before))
                event.app.create_background_task(self._above(lines))

        return keys

    async def _above(self, lines: list[str]) -> None:
        await run_in_terminal(lambda: self.show(lines))

    def _write(self, text: str) -> None:
        self._wire.write(text.encode())
