"""A laptop's tool at the line: requests and answers as JSON, one object a line (RFC 8259, UTF-8).

The same commands as for a person. JSON_LINES.md has it all with examples. Files go in chunks, each
answered before the next comes, so that a slow reader loses nothing on a line without flow control.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.files import sync_directory
from terminal.console.command import Refused, one_answer
from terminal.console.prompt import Ended
from terminal.console.wire import Interrupted, Wire

LONGEST = 65_536  # bytes of a line
CHUNK = 16_384  # bytes of a file in one line
_LOOK_EVERY = 0.25  # seconds
_NAME = re.compile(r"[^A-Za-z0-9._-]")


class Malformed(Refused):
    """Raised when a line is not what is expected now; the next one may be."""


class JsonLines:
    """Objects each way over `wire`. ending: why it is to end, "" while it is not."""

    def __init__(self, wire: Wire, ending: Callable[[], str]) -> None:
        self._wire, self._ending = wire, ending
        self._rest = bytearray()
        self._too_long = False

    def say(self, document: Mapping[str, Any]) -> None:
        """Send one object; names of files that are no text have "?" where they are none. Raises: LineLost."""
        self._wire.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\r\n")

    def next(self) -> dict[str, Any]:
        """The next object. Raises: Malformed, Ended, LineLost."""
        while (line := self._line()) is None:
            data = self._wire.read(4096, _LOOK_EVERY)
            if not data and (reason := self._ending()):
                raise Ended(reason)
            self._take(data)
        if self._rest:  # it is not this request's: the line is not gone before it was read
            self._wire.put_back(bytes(self._rest))
            self._rest.clear()
        return _parsed(line)

    def cancelled(self) -> bool:
        """Whether a whole line that came calls off what runs. What came before it waits for its turn."""
        came = bytes(self._rest) + self._wire.peek()
        return b'"cancel"' in came and any(map(_calls_off, re.split(rb"[\r\n\x03]", came)[:-1]))

    def _take(self, data: bytes) -> None:
        self._rest += data.replace(b"\r", b"\n").replace(b"\x03", b"\n")

    def _line(self) -> bytes | None:
        """A whole line that is not empty, None without one. What is too long is thrown away to its end."""
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            if self._too_long or len(line) > LONGEST:
                self._too_long = False
                raise Malformed(f"a line is at most {LONGEST} bytes")
            if line.strip():
                return line
        if len(self._rest) > LONGEST:
            self._rest.clear()
            self._too_long = True
        return None


def _calls_off(line: bytes) -> bool:
    try:
        return bool(_parsed(line).get("cancel"))
    except Malformed:
        return False


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise Malformed('a line is one JSON object, such as {"id": 1, "do": "show status"}') from error
    if not isinstance(document, dict):
        raise Malformed('a line is one JSON object, such as {"id": 1, "do": "show status"}')
    return document


class ToolDialogue:
    """A command's dialogue with a tool; identity: of the request that it belongs to. See `Dialogue`.

    ending: why the console is to stop, "" while it is not.
    """

    def __init__(self, wire: Wire, lines: JsonLines, identity: object, ending: Callable[[], str]) -> None:
        self._wire, self._lines, self._identity, self._ending = wire, lines, identity, ending

    def say(self, text: str) -> None:
        """See `Dialogue.say`."""
        self._tell(say=text)
        self.wait(0)

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        """See `Dialogue.ask`."""
        while True:
            self._tell(ask=question, answers=list(answers))
            if meant := one_answer(str(self._reply("answer")), answers):
                return meant

    def text(self, question: str) -> str:
        """See `Dialogue.text`."""
        self._tell(ask=question)
        return str(self._reply("answer")).strip()

    def secret(self, question: str) -> str:
        """See `Dialogue.secret`."""
        self._tell(secret=question)
        return str(self._reply("answer"))

    def wait(self, seconds: float) -> None:
        """See `Dialogue.wait`."""
        self._wire.pause(seconds)
        if reason := self._ending():
            raise Ended(reason)
        if self._lines.cancelled():
            while not self._lines.next().get("cancel"):
                pass
            raise Interrupted("interrupted")

    def receive(self, directory: Path, limit: int) -> Path:
        """See `Dialogue.receive`."""
        self._tell(receive={"limit": limit})
        digest, size = hashlib.sha256(), 0
        temporary = directory / f".{secrets.token_hex(8)}.part"
        try:
            with temporary.open("xb") as file:
                while chunk := self._chunk():
                    size += len(chunk)
                    if size > limit:
                        raise Refused(f"the file has more than {limit} bytes")
                    file.write(chunk)
                    digest.update(chunk)
                    self._tell(more=size)
                file.flush()
                os.fsync(file.fileno())
            if self._last.get("sha256") != digest.hexdigest():
                raise Refused("the file came with another SHA-256 than it was sent with; send it again")
            name = _NAME.sub("", Path(str(self._last.get("name") or "")).name).lstrip(".") or "file"
            temporary.replace(directory / name)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(directory)
        return directory / name

    def send(self, file: Path) -> None:
        """See `Dialogue.send`."""
        with file.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
            self._tell(send={"name": file.name, "size": file.stat().st_size, "sha256": digest})
            data.seek(0)
            sent = 0
            while chunk := data.read(CHUNK):
                self._tell(chunk=base64.b64encode(chunk).decode("ascii"))
                sent += len(chunk)
                if self._reply("more") != sent:
                    raise Refused(f"the client has not all of the first {sent} bytes; ask for the file again")
            self._tell(chunk="")

    def _chunk(self) -> bytes:
        try:
            return base64.b64decode(str(self._reply("chunk")), validate=True)
        except ValueError as error:
            raise Refused("a chunk is base64") from error

    def _reply(self, key: str) -> Any:
        """What the client says to a question, by `key`. Raises: Interrupted, Malformed, Ended, LineLost."""
        self._last = self._lines.next()
        self._check(self._last)
        if key not in self._last:
            raise Malformed(f"an object with {key!r} is expected now")
        return self._last[key]

    def _check(self, request: Mapping[str, Any]) -> None:
        if request.get("cancel"):
            raise Interrupted("interrupted")
        if "do" in request or "login" in request:
            raise Malformed("one request at a time: the one before was given up")

    def _tell(self, **document: Any) -> None:
        self._lines.say({"id": self._identity, **document})
