"""The errors every package of campusgate shares, each with one sentence that says when.

An error carries its own sentence: what is wrong, with which value, and what to do. Nothing secret is ever
put into one.
"""

from __future__ import annotations

from collections.abc import Sequence


class CampusgateError(Exception):
    """Base of all errors that campusgate raises on purpose."""


class SettingsError(CampusgateError, ValueError):
    """Raised when a settings file is missing, is not TOML, or holds a key or value that is not allowed.

    problems: one line for each thing that is wrong, naming file, key, value and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class KeyFileError(CampusgateError, ValueError):
    """Raised when a key file is missing, unreadable, too widely readable or of the wrong kind."""


class CommitRefused(CampusgateError, ValueError):
    """Raised when settings cannot be put in force, confirmed or taken back; says why and what to do."""


class ControlError(CampusgateError, ConnectionError):
    """Raised when a process does not answer on its control socket, or answers with an error."""


class NotRunning(ControlError):
    """Raised when nobody listens on the control socket. alive: when somebody last did, "" if unknown."""

    def __init__(self, message: str, alive: str) -> None:
        self.alive = alive
        super().__init__(message)


class Hung(ControlError):
    """Raised when somebody listens on the control socket and does not answer. alive: when it last worked."""

    def __init__(self, message: str, alive: str) -> None:
        self.alive = alive
        super().__init__(message)
