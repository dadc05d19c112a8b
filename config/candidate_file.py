"""The candidate on disk: settings being edited, kept when the line is lost, seen by every session."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from config.errors import CommitRefused, SettingsError
from config.files import sync_directory, write_atomic
from config.settings_history import SettingsHistory, digest


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings that are not in force. on: SHA-256 (hex) of the settings file that they were made from.

    by, at: who edited it last, and when (RFC 3339).
    """

    text: str
    on: str
    by: str
    at: str


class CandidateFile:
    """The candidate of the settings that `history` keeps, in candidate.json beside their versions."""

    def __init__(self, history: SettingsHistory) -> None:
        self._history = history
        self._path = history.directory / "candidate.json"

    def load(self) -> Candidate | None:
        """The candidate; None when there is none, or it is in force. Raises: SettingsError, OSError."""
        try:
            candidate = Candidate(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise SettingsError([f"{self._path}: is damaged; `discard` it"]) from error
        return None if candidate.text.encode() == self._history.on_disk() else candidate

    def present(self) -> str:
        """The text of the settings file. Raises: SettingsError when it is not UTF-8; OSError."""
        try:
            return self._history.on_disk().decode()
        except UnicodeDecodeError as error:
            raise SettingsError(
                [f"{self._history.path}: is not UTF-8 text (byte {error.start}); `rollback` to what was"]
            ) from error

    def edit(self, change: Callable[[str], str], by: str) -> Candidate:
        """Change the candidate, or begin one from what is in force.

        Raises: CommitRefused when the settings file was changed since it was begun; what `change` raises;
        SettingsError, OSError.
        """
        with self._history.alone():
            candidate = self.load()
            if candidate:
                self._history.unchanged_since(candidate.on)
            return self._save(change(candidate.text if candidate else self.present()), by)

    def replace(self, text: str, by: str) -> Candidate:
        """Make `text` the candidate, whatever was one. Raises: CommitRefused, OSError."""
        with self._history.alone():
            return self._save(text, by)

    def discard(self) -> None:
        """Forget the candidate. Raises: CommitRefused, OSError."""
        with self._history.alone():
            self._forget()

    def settle(self) -> None:
        """Forget a candidate that is in force to stay; before that it is back when the settings are put back.

        Raises: SettingsError, OSError.
        """
        # Whoever holds the settings now edits a candidate of their own.
        with contextlib.suppress(CommitRefused), self._history.alone():
            if self.load() is None:
                self._forget()

    def _forget(self) -> None:
        self._path.unlink(missing_ok=True)
        sync_directory(self._history.directory)

    def _save(self, text: str, by: str) -> Candidate:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        candidate = Candidate(text, digest(self._history.on_disk()), by, at)
        write_atomic(self._path, json.dumps(asdict(candidate), ensure_ascii=False).encode())
        return candidate
