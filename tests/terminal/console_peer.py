"""A machine with a console at a pty: its real commands, accounts and files, behind a small JSON lines server.

The line can be cut, as by a pulled cable, after any number of lines that crossed it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import select
import shlex
import threading
import tty
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from config.control import ask
from config.errors import CampusgateError
from config.settings import Settings, load_settings
from terminal.console import accounts
from terminal.console.accounts import Accounts
from terminal.console.challenge import Challenges
from terminal.console.command import Command, Refused
from terminal.console.response import ResponseRefused
from terminal.console.roles import Role
from terminal.console.session import User

SETUP = User("setup", Role.ADMIN, "setup")


class Cut(Exception):
    """Raised when the line is gone."""


class Pty:
    """A pseudo-terminal: `port` for a client, the other end here. As a context, closed at its end."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Pull the cable."""
        master, slave, self.master, self._slave = self.master, self._slave, -1, -1
        for descriptor in (master, slave):
            if descriptor >= 0:
                os.close(descriptor)


class Machine:
    """One machine whose settings are to be in `directory`, with a console at a new pty for each `plug`."""

    def __init__(self, directory: Path, commands: Iterable[Command]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.settings_path = directory / "campusgate.toml"
        (directory / "factory.toml").write_text('[storage]\nstate = "state"\nrun = "run"\n', "utf-8")
        self.commands = {command.words: command for command in commands}
        self.recorded: list[tuple[str, Mapping[str, Any]]] = []
        self.maintenance_key: Any = None
        self.on_record: Callable[[str], None] = lambda _action: None

    def plug(self, *, cut_after: int = 1_000_000, before: bytes = b"") -> Console:
        """A console whose line is cut after so many lines. before: what the line holds by then."""
        return Console(self, cut_after, before)


class Console:
    """The console of `machine` in a thread, until closed or cut; a context."""

    def __init__(self, machine: Machine, cut_after: int, before: bytes) -> None:
        self._machine, self._left = machine, cut_after
        self._pty = Pty()
        self.port = self._pty.port
        self.was_cut = self._ended = False
        self._rest = bytearray()
        self._before = before
        self.thread = threading.Thread(target=self._run, name="console", daemon=True)
        self.thread.start()

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self.thread.join(30)

    def _run(self) -> None:
        try:
            if self._before:
                os.write(self._pty.master, self._before)
            while True:
                self._people()
                self._tool()
        except (Cut, OSError):
            pass
        finally:
            self._pty.close()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.was_cut = True
            raise Cut

    def _line(self) -> str:
        while (end := self._rest.find(b"\n")) < 0:
            if self._ended:
                raise Cut
            if not select.select([self._pty.master], [], [], 0.05)[0]:
                continue
            data = os.read(self._pty.master, 4096)
            self._rest += data.replace(b"\r", b"\n").replace(b"\x03", b"\n")
        line = bytes(self._rest[:end]).decode()
        del self._rest[: end + 1]
        return line

    def _people(self) -> None:
        while (line := self._line()) != "json":
            os.write(self._pty.master, f"{line}\r\nlogin: ".encode())

    def say(self, document: Mapping[str, Any]) -> None:
        """Send one object."""
        self._count()
        os.write(self._pty.master, json.dumps(document).encode() + b"\r\n")

    def next(self) -> dict[str, Any]:
        """The next object."""
        while not (line := self._line().strip()):
            pass
        self._count()
        return dict(json.loads(line))

    def _tool(self) -> None:
        settings = _settings(self._machine.settings_path)
        challenges = Challenges(settings.device.name) if settings and self._machine.maintenance_key else None
        self.say(
            {
                "console": "campusgate",
                "version": "1",
                "device": settings.device.name if settings else None,
                "provisioned": settings is not None,
                "challenge": challenges.current().text if challenges else None,
            }
        )
        user = None if settings else SETUP
        while True:
            try:
                request = self.next()
            except ValueError:
                self.say({"ok": False, "error": "a line is one JSON object"})
                continue
            number = request.get("id")
            try:
                if request.get("do") == "exit":
                    self.say({"id": number, "ok": True, "answer": {}})
                    return
                if "login" in request:
                    user = self._logged_in(request["login"], challenges)
                    answer: Mapping[str, Any] = {"name": user.name, "role": str(user.role)}
                else:
                    answer = self._carry_out(request, user)
                self.say({"id": number, "ok": True, "answer": answer})
            except (CampusgateError, OSError) as error:
                self.say({"id": number, "ok": False, "error": str(error)})

    def _logged_in(self, given: Mapping[str, Any], challenges: Challenges | None) -> User:
        settings = load_settings(self._machine.settings_path)
        if "response" in given and challenges:
            try:
                found = challenges.answered(given["response"], self._machine.maintenance_key)
            except ResponseRefused as refused:
                raise Refused(f"the response {refused}") from refused
            return User(found.name, found.role, "key")
        account = Accounts(settings.keys / accounts.FILE).verify(given["name"], given["password"])
        if account is None:
            raise Refused("name or password is wrong")
        return User(account.name, account.role, "password")

    def _carry_out(self, request: Mapping[str, Any], user: User | None) -> Mapping[str, Any]:
        if "do" not in request:
            raise Refused("a request has a do")
        if user is None or (user == SETUP and self._machine.settings_path.exists()):
            raise Refused("log in first")
        words = shlex.split(request["do"])
        for length in range(len(words), 0, -1):
            command = self._machine.commands.get(tuple(words[:length]))
            if command:
                session = PeerSession(self._machine, user, PeerDialogue(self, request["id"]))
                return command.run(session, command.arguments(words[length:]))
        raise Refused("no such command")


def _settings(path: Path) -> Settings | None:
    return load_settings(path) if path.exists() else None


class PeerDialogue:
    """See `terminal.console.session.Dialogue`."""

    def __init__(self, console: Console, number: object) -> None:
        self._console, self._number = console, number

    def _tell(self, **document: Any) -> None:
        self._console.say({"id": self._number, **document})

    def _reply(self, key: str) -> Any:
        document = self._console.next()
        if document.get("cancel"):
            raise Refused("interrupted")
        self.last = document
        return document[key]

    def say(self, text: str) -> None:
        """See `Dialogue`."""
        self._tell(say=text)

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        """See `Dialogue`."""
        self._tell(ask=question, answers=list(answers))
        return str(self._reply("answer"))

    def text(self, question: str) -> str:
        """See `Dialogue`."""
        self._tell(ask=question)
        return str(self._reply("answer"))

    def secret(self, question: str) -> str:
        """See `Dialogue`."""
        self._tell(secret=question)
        return str(self._reply("answer"))

    def wait(self, seconds: float) -> None:
        """See `Dialogue`."""

    def receive(self, directory: Path, limit: int) -> Path:
        """See `Dialogue`."""
        self._tell(receive={"limit": limit})
        data = b""
        while chunk := base64.b64decode(self._reply("chunk")):
            data += chunk
            if len(data) > limit:
                raise Refused(f"the file has more than {limit} bytes")
            self._tell(more=len(data))
        if hashlib.sha256(data).hexdigest() != self.last["sha256"]:
            raise Refused("the file came with another SHA-256")
        path = directory / f"{secrets.token_hex(4)}-{self.last['name']}"
        path.write_bytes(data)
        return path

    def send(self, file: Path) -> None:
        """See `Dialogue`."""
        data = file.read_bytes()
        self._tell(send={"name": file.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for at in range(0, len(data), 5000):
            self._tell(chunk=base64.b64encode(data[at : at + 5000]).decode())
            if self._reply("more") != len(data[: at + 5000]):
                raise Refused("the client has not all of it")
        self._tell(chunk="")


class PeerSession:
    """See `terminal.console.session.Session`."""

    def __init__(self, machine: Machine, user: User, line: PeerDialogue) -> None:
        self._machine, self.user, self.line = machine, user, line

    @property
    def settings_path(self) -> Path:
        """See `Session`."""
        return self._machine.settings_path

    def settings(self) -> Settings:
        """See `Session`."""
        return load_settings(self.settings_path)

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        """See `Session`."""
        return ask(self.settings().socket(process), op, timeout=timeout, **arguments)

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        """See `Session`."""
        self._machine.recorded.append((action, details))
        self._machine.on_record(action)
