"""What a command has to work with: who gave it, the line to the client, the settings, the other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from config.settings import Settings
from terminal.console.roles import Role


@dataclass(frozen=True, slots=True)
class User:
    """Who is at the line. via: "password", "key" (challenge and response), or "setup" before provisioning."""

    name: str
    role: Role
    via: str


class Dialogue(Protocol):
    """The line to the client while a command runs: a person's screen, or JSON lines.

    Every call raises `Interrupted` once the client pressed Ctrl-C, and `LineLost` once the line is gone.
    """

    def say(self, text: str) -> None:
        """Show one line now: progress, or one more event of a command that goes on."""

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        """One of `answers`; asked again until it is one."""

    def text(self, question: str) -> str:
        """A line, whatever it is."""

    def secret(self, question: str) -> str:
        """A line that is not echoed and kept nowhere."""

    def wait(self, seconds: float) -> None:
        """Do nothing for `seconds`, or until one of the above is to be raised."""

    def receive(self, directory: Path, limit: int) -> Path:
        """A file from the client, of at most `limit` bytes, now in `directory`; refused unless whole."""

    def send(self, file: Path) -> None:
        """Give `file` to the client."""


class Session(Protocol):
    """One client, logged in. identity: names the session in records."""

    @property
    def identity(self) -> str: ...
    @property
    def user(self) -> User: ...
    @property
    def line(self) -> Dialogue: ...
    @property
    def settings_path(self) -> Path:
        """The settings file, which may not be there or be broken."""

    def settings(self) -> Settings:
        """The settings as they are on disk now. Raises: SettingsError."""

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        """What "terminal" or "sync" answers to a control op. Raises: ControlError, which says if it hangs."""

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        """Make what is done a record in the journal, durably, now or once the terminal runs again."""
