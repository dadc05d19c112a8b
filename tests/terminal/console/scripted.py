"""A session whose person answers as a test says; it speaks with real processes by their control sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.control import ask
from config.settings import Settings, load_settings
from terminal.console.command import Answer, Refused, installed
from terminal.console.roles import Role
from terminal.console.session import User


@dataclass
class ScriptedLine:
    """The line to the person. answers: by words that the question holds; else the last of those allowed.

    waiting: called in the place of every wait, and when something is said.
    """

    answers: dict[str, str] = field(default_factory=dict)
    waiting: Callable[[], None] = lambda: None
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)
        self.waiting()

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        self.asked.append(question)
        answer = next((a for words, a in self.answers.items() if words in question), answers[-1])
        assert answer in answers
        return answer

    def text(self, question: str) -> str:
        raise AssertionError(question)

    def secret(self, question: str) -> str:
        raise AssertionError(question)

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.waiting()

    def receive(self, directory: Path, limit: int) -> Path:
        raise AssertionError(f"{directory} {limit}")

    def send(self, file: Path) -> None:
        self.sent.append(file.read_bytes())


@dataclass
class ScriptedSession:
    """One client of the terminal whose settings file is at `settings_path`."""

    settings_path: Path
    line: ScriptedLine = field(default_factory=ScriptedLine)
    user: User = field(default_factory=lambda: User("li.wei", Role.ADMIN, "password"))
    identity: str = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
    recorded: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    patience: float = 30.0
    """Seconds that a busy machine has at least to answer."""

    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        return ask(self.settings().socket(process), op, timeout=max(timeout, self.patience), **arguments)

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        self.recorded.append((action, details))

    def give(self, text: str) -> Answer:
        """The answer to a whole command line."""
        words = text.split()
        for command in reversed(list(installed())):  # the longer name first
            if tuple(words[: len(command.words)]) == command.words:
                answer = command.run(self, command.arguments(words[len(command.words) :]))
                assert all(command.render(answer) if command.render else [True])
                return answer
        raise Refused(text)
