"""What maintenance staff did, on its way into the journal.

The terminal alone writes the journal, and a console is needed most when the terminal does not run. So each
entry is first made durable here, a file of its own, and handed over by the control op "record" as soon as the
terminal answers; the terminal takes each id once. A thief who ends the console loses no entry by it.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from config.control import ask
from config.errors import ControlError
from config.files import private_directory, write_atomic
from config.settings import Settings
from hw.clock import SystemClock
from terminal.console.session import User
from terminal.records import MOST_DETAILS

log = logging.getLogger(__name__)

_AT_ONCE = 50  # entries in one request
_BYTES_AT_ONCE = 60_000  # of JSON; a request to a control socket has 65,536
_MOST_DENIED = 1000  # failed logins that are kept while no terminal takes them


class Audit:
    """The entries in `directory` that the journal does not have yet."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unwritten: list[
            tuple[str, dict[str, Any]]
        ] = []  # a full disk must not keep a repair from being made

    def add(
        self, user: User, session: str, action: str, details: Mapping[str, Any], clock: SystemClock
    ) -> None:
        """Keep one entry, durably. session: the id of the session. Never raises OSError."""
        now = clock.now()
        entry = {
            "id": str(uuid.uuid4()),
            "at": now.wall.astimezone(UTC).isoformat(timespec="milliseconds"),
            "trusted": now.trusted,
            "user": user.name,
            "role": str(user.role),
            "via": user.via,
            "session": session,
            "action": action,
            "details": _bounded(details),
        }
        # A stick may have a file whose name is no text: the journal takes none, and is to have the rest.
        data = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
        entry = json.loads(data)
        name = f"{time.time_ns():020}-{entry['id']}.json"
        try:
            private_directory(self._directory)
            if action == "denied" and len(self._names()) >= _MOST_DENIED:
                return
            write_atomic(self._directory / name, data, mode=0o600)
        except OSError as error:
            log.error("%s: cannot be written: %s; kept in memory", self._directory, error.strerror)
            self._unwritten.append((name, entry))

    def hand_over(self, settings: Settings) -> int:
        """Give the terminal what it has not taken yet; how many entries wait still. Never raises."""
        try:
            while waiting := _fitting(self._waiting()):
                answer = ask(settings.socket("terminal"), "record", entries=[entry for _, entry in waiting])
                done = {*answer["recorded"], *(refused["id"] for refused in answer.get("refused", ()))}
                for refused in answer.get("refused", ()):
                    log.error("the terminal does not take entry %s: %s", refused["id"], refused["error"])
                if not self._forget(waiting, done):
                    break
        except (ControlError, OSError, ValueError, KeyError, TypeError) as error:
            log.debug("entries wait: %s", error)
        return len(self._names()) + len(self._unwritten)

    def _waiting(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for name in self._names():
            try:
                found.append((name, json.loads((self._directory / name).read_bytes())))
            except FileNotFoundError:  # another process has handed it over
                continue
            except (OSError, ValueError) as error:
                log.error("%s: is damaged: %s", self._directory / name, error)
                (self._directory / name).rename(self._directory / f"{name}.damaged")
        return sorted(found + self._unwritten, key=lambda item: item[0])

    def _forget(self, waiting: list[tuple[str, dict[str, Any]]], done: set[str]) -> bool:
        taken = [name for name, entry in waiting if entry.get("id") in done]
        for name in taken:
            with suppress(FileNotFoundError, NotADirectoryError):  # it was kept in memory
                (self._directory / name).unlink()
        self._unwritten = [(name, entry) for name, entry in self._unwritten if name not in taken]
        return bool(taken)

    def _names(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return sorted(path.name for path in self._directory.glob("*.json") if not path.name.startswith("."))


def _bounded(details: Mapping[str, Any]) -> dict[str, Any]:
    """`details`, or how long they are if no record can hold them."""
    size = len(json.dumps(dict(details), ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return dict(details) if size <= MOST_DETAILS else {"left_out_bytes": size}


def _fitting(waiting: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """As many of the first as go into one request; at least one."""
    room = _BYTES_AT_ONCE
    for number, (_, entry) in enumerate(waiting[:_AT_ONCE]):
        room -= len(json.dumps(entry)) + 2
        if room < 0:
            return waiting[: max(1, number)]
    return waiting[:_AT_ONCE]
