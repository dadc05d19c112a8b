"""A technician at the console: what was said and recorded, and answers that were thought of before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config import control
from config.settings import Settings, load_settings
from terminal.console.command import Answer, installed
from terminal.console.roles import Role
from terminal.console.session import User


class Technician:
    """A session and its line in one. answers: to questions, in order.

    gives: puts a file into the directory it is given, when one is asked for. takes: is given what is sent.
    pressed: looks at the line, and may raise what Ctrl-C or a cut line raises.
    """

    def __init__(
        self,
        settings_path: Path,
        answers: tuple[str, ...] = (),
        gives: Callable[[Path, int], Path] | None = None,
        takes: Callable[[Path], None] | None = None,
        pressed: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings_path, self._answers = settings_path, list(answers)
        self._gives, self._takes, self.pressed = gives, takes, pressed
        self.user = User("wang", Role.MAINTAIN, "password")
        self.line = self
        self.said: list[str] = []
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.records: list[tuple[str, dict[str, Any]]] = []

    def do(self, line: str) -> Answer:
        """Carry out a line that begins with a command's name."""
        command = next(one for one in installed() if line.startswith(one.name))
        return command.run(self, command.arguments(line.removeprefix(command.name).split()))

    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    def ask(self, *given: Any, timeout: float = 5.0, **arguments: Any) -> Any:
        """Both `Session.ask`, of a process, and `Dialogue.ask`, of the technician."""
        if given[0] in ("sync", "terminal"):
            return control.ask(self.settings().socket(given[0]), given[1], timeout=timeout, **arguments)
        self.asked.append((given[0], given[1]))
        return self._answers.pop(0)

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        self.records.append((action, dict(details)))

    def say(self, text: str) -> None:
        self.pressed()
        self.said.append(text)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
        self.pressed()

    def text(self, question: str) -> str:
        raise NotImplementedError(question)

    def secret(self, question: str) -> str:
        raise NotImplementedError(question)

    def receive(self, directory: Path, limit: int) -> Path:
        assert self._gives
        return self._gives(directory, limit)

    def send(self, file: Path) -> None:
        assert self._takes
        self._takes(file)
