"""A laptop's client of a terminal's console, in JSON lines over a serial line.

It takes whatever state the line is in (boot messages, a person's half line, another tool's session) to a
fresh greeting, and then carries one request after the other, with what a command says and asks meanwhile.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from config.errors import CampusgateError
from terminal.console.client_files import Incoming, Outgoing
from terminal.console.client_line import ClientLine, LineError

_SHOWN_WITHIN = 1.5  # seconds for a prompt or a greeting to come
_QUIET = 0.1  # seconds after which half a line is taken for a prompt
_ANSWER_WITHIN = 60.0  # seconds of silence while a command runs


class _Seen(Enum):
    """What stands on a line that is not known yet; prompts by how they end."""

    LOGIN = ("login:",)
    PASSWORD = ("password:",)
    PROMPT = (">", "#")
    JSON = ("{",)
    NOTHING = ()


_PROMPTS = (_Seen.LOGIN, _Seen.PASSWORD, _Seen.PROMPT)


class ConsoleRefused(CampusgateError, RuntimeError):
    """Raised when the console answers that something cannot be done, in its words."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a console says of itself first. device: None and challenge: None before provisioning."""

    version: str
    device: str | None
    provisioned: bool
    challenge: str | None


def _ask_nobody(question: str, answers: tuple[str, ...]) -> str:
    raise ConsoleRefused(
        f"the console asks {question!r} ({', '.join(answers)}), and nobody is there to answer"
    )


def _no_secret(question: str) -> str:
    raise ConsoleRefused(f"the console asks {question!r}, and nobody is there to answer")


@dataclass(frozen=True, slots=True)
class Replies:
    """What to do with what a command says and asks while it runs.

    offer: name and content of the file that it may ask for. save_to: the directory for files that it sends.
    """

    say: Callable[[str], None] = lambda _text: None
    ask: Callable[[str, tuple[str, ...]], str] = _ask_nobody
    secret: Callable[[str], str] = _no_secret
    offer: tuple[str, bytes] | None = None
    save_to: Path | None = None


class ConsoleClient:
    """The console at the other end of `port`. Raises: LineError when the port cannot be opened."""

    def __init__(self, port: str) -> None:
        self._line = ClientLine(port)
        # What was asked before this client began may still be answered: its numbers are others.
        self._id = secrets.randbelow(2**30)
        self._heard = False

    def close(self) -> None:
        """Leave the line as it is; `exit` ends the session first."""
        self._line.close()

    def synchronise(self, within: float = 60.0) -> Greeting:
        """Bring the console to JSON lines, whatever it is doing now; its greeting.

        within: seconds to keep trying. Raises: LineError when no greeting comes.
        """
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if greeting := self._try_to_greet():
                return greeting
        why = (
            "something answers there, but no campusgate console"
            if self._heard
            else "nothing answers; is the terminal on, the cable in, and the line at 115200 8N1?"
        )
        raise LineError(f"{self._line.port}: {why}")

    def login_with_password(self, name: str, password: str) -> dict[str, Any]:
        """Log in; {"name", "role"}. Raises: ConsoleRefused, LineError."""
        return self._request({"login": {"name": name, "password": password}}, Replies())

    def login_with_response(self, response: str) -> dict[str, Any]:
        """Log in by the answer to the greeting's challenge; as above."""
        return self._request({"login": {"response": response}}, Replies())

    def do(self, line: str, replies: Replies | None = None) -> dict[str, Any]:
        """The answer to the command `line`.

        Raises: ConsoleRefused; LineError when the line is gone or silent, and then the command may have been
        carried out or not.
        """
        return self._request({"do": line}, replies or Replies())

    def exit(self) -> None:
        """End the session: the line is for people again. Raises: LineError."""
        self._send({"id": self._next(), "do": "exit"})

    def _try_to_greet(self) -> Greeting | None:
        """One try: ask for JSON lines where that can be asked, else bring the line nearer to there."""
        found = self._probe(b"\r\x03\r")
        if found is _Seen.JSON:  # another tool's session: its command and then itself are ended
            found = self._leave_json()
        elif found is _Seen.PROMPT:  # a person's session
            found = self._probe(b"exit\r")
        if isinstance(found, Greeting):
            return found
        if found is _Seen.PASSWORD:  # the word `json` would count as a wrong one
            return None
        found = self._probe(b"json\r", over=_PROMPTS)
        if found is _Seen.JSON:  # it spoke JSON lines and had not said so
            found = self._leave_json()
        return found if isinstance(found, Greeting) else None

    def _leave_json(self) -> Greeting | _Seen:
        self._send({"id": self._id, "cancel": True})
        self.exit()
        return self._look((_Seen.JSON,))

    def _probe(self, data: bytes, over: tuple[_Seen, ...] = ()) -> Greeting | _Seen:
        """What the console shows after `data`; see `_look`."""
        self._heard = self._line.discard() or self._heard
        self._line.write(data)
        return self._look(over)

    def _look(self, over: tuple[_Seen, ...]) -> Greeting | _Seen:
        """What the console shows now, as soon as that is clear; what is in `over` is passed over."""
        deadline = time.monotonic() + _SHOWN_WITHIN
        while (left := deadline - time.monotonic()) > 0:
            line = self._line.read_line(min(left, _QUIET))
            found = _shown(line, self._line.unfinished)
            self._heard = self._heard or bool(line or self._line.unfinished)
            if isinstance(found, Greeting) or found not in (_Seen.NOTHING, *over):
                return found
        return _Seen.NOTHING

    def _request(self, body: Mapping[str, Any], replies: Replies) -> dict[str, Any]:
        number = self._next()
        try:
            self._send({"id": number, **body})
            return self._answer(number, replies)
        except (KeyboardInterrupt, CampusgateError, OSError) as error:
            if not isinstance(error, LineError | _Answered):
                self._send({"id": number, "cancel": True})
            raise

    def _answer(self, number: int, replies: Replies) -> dict[str, Any]:
        try:
            return self._answer_in_order(number, replies)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CampusgateError):
                raise
            raise ConsoleRefused(f"the console says something that is not understood ({error!r})") from error

    def _answer_in_order(self, number: int, replies: Replies) -> dict[str, Any]:
        outgoing: Outgoing | None = None
        incoming: Incoming | None = None
        while True:
            document = self._receive(number)
            reply: Mapping[str, Any] | None = None
            if document.get("ok") is True:
                answer = document.get("answer")
                return dict(answer) if isinstance(answer, Mapping) else {}
            if document.get("ok") is False:
                raise _Answered(str(document.get("error", "refused without a reason")))
            if "say" in document:
                replies.say(str(document["say"]))
            elif "ask" in document:
                answers = tuple(str(one) for one in document.get("answers", ()))
                reply = {"answer": replies.ask(str(document["ask"]), answers)}
            elif "secret" in document:
                reply = {"answer": replies.secret(str(document["secret"]))}
            elif "receive" in document:
                if replies.offer is None:
                    raise ConsoleRefused("the console asks for a file, and there is none to give")
                outgoing = Outgoing(*replies.offer, limit=int(document["receive"]["limit"]))
                reply = outgoing.next(0)
            elif "more" in document and outgoing:
                reply = outgoing.next(int(document["more"]))
            elif "send" in document:
                if replies.save_to is None:
                    raise ConsoleRefused("the console sends a file that was not asked for")
                incoming = Incoming(replies.save_to, document["send"])
            elif "chunk" in document and incoming:
                reply = incoming.take(document)
            if reply is not None:
                self._send({"id": number, **reply})

    def _receive(self, number: int) -> dict[str, Any]:
        """The next object that belongs to the request `number`; noise and older ones are passed over."""
        deadline = time.monotonic() + _ANSWER_WITHIN
        while (left := deadline - time.monotonic()) > 0:
            line = self._line.read_line(left)
            for document in _objects(line or ""):
                if document.get("id") == number:
                    return document
        raise LineError(f"{self._line.port}: no answer for {_ANSWER_WITHIN:g} s")

    def _send(self, document: Mapping[str, Any]) -> None:
        self._line.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")

    def _next(self) -> int:
        self._id += 1
        return self._id


class _Answered(ConsoleRefused):
    """The console's own last word: there is nothing left to interrupt."""


def _shown(line: str | None, unfinished: str) -> Greeting | _Seen:
    """What a whole line shows, or without one the beginning of the next, when nothing more comes."""
    if line is not None:
        for document in _objects(line):
            return _greeting(document) or _Seen.JSON
        return _Seen.NOTHING
    prompt = unfinished.lower()
    return next((seen for seen in _PROMPTS if prompt.endswith(seen.value)), _Seen.NOTHING)


def _objects(line: str) -> list[dict[str, Any]]:
    """The JSON object in `line`, from whichever brace on one is whole: noise may stand before it."""
    start = line.find("{")
    for _ in range(8):
        if start < 0:
            break
        try:
            document = json.loads(line[start:])
        except (ValueError, RecursionError):
            start = line.find("{", start + 1)
            continue
        return [document] if isinstance(document, dict) else []
    return []


def _greeting(document: Mapping[str, Any]) -> Greeting | None:
    if document.get("console") != "campusgate":
        return None
    device, challenge = document.get("device"), document.get("challenge")
    return Greeting(
        version=str(document.get("version", "")),
        device=device if isinstance(device, str) else None,
        provisioned=document.get("provisioned") is True,
        challenge=challenge if isinstance(challenge, str) else None,
    )
