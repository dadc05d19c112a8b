"""What all sessions of one console share, and one session: the rights, the record, the other processes."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from config.control import ask
from config.errors import CampusgateError, SettingsError
from config.settings import Settings, load_settings
from config.settings_history import SettingsHistory, last_good
from terminal.console.audit import Audit
from terminal.console.catalogue import Catalogue
from terminal.console.command import Answer, Command, Refused
from terminal.console.login import Login
from terminal.console.reset import reset_path
from terminal.console.roles import Role
from terminal.console.session import Dialogue, User
from terminal.console.setup_draft import SetupDraft
from terminal.provision import is_provisioned
from terminal.staff_clock import machine_clock

log = logging.getLogger(__name__)

_DENIED_AT_ONCE = 10  # records of denied logins
_DENIED_EVERY = 60.0  # seconds until there may be one more
NOBODY = User("", Role.OBSERVE, "none")


class Station:
    """One console on one machine. catalogue: what it can be told."""

    def __init__(self, settings_path: Path, catalogue: Catalogue, line_name: str) -> None:
        self.settings_path, self.catalogue, self.line_name = settings_path, catalogue, line_name
        self._audits: dict[Path, Audit] = {}
        self._login: tuple[tuple[Path, str], Login] | None = None
        self._seen: Settings | None = None
        self._denials, self._why_denied = 0, ""
        self._denials_lock = threading.Lock()
        self._said = ""
        self._paid_until = 0.0  # of `time.monotonic`: no more records of denials before that

    @property
    def provisioned(self) -> bool:
        """Whether this machine is a terminal already.

        One whose settings are broken is, and one whose settings are gone while their versions or its keys
        are there: it is for its staff to put them back, not for anybody at the line to make it another one.
        """
        path = self.settings_path
        if path.exists() or path.is_symlink():
            return True
        # The keys that an attempt to set it up has made are not yet a terminal's.
        if reset_path(path).exists() or SetupDraft(path).begun:
            return False
        has_keys = self._seen is not None and is_provisioned(self._seen)
        return has_keys or SettingsHistory(path).directory.exists()

    def settings(self) -> Settings:
        """The settings on disk or, while they are broken, the last that were good. Raises: SettingsError."""
        try:
            settings = load_settings(self.settings_path)
        except SettingsError:
            good = last_good(self.settings_path)
            if good is None:
                raise
            settings = good
        self._seen = settings
        return settings

    def device(self) -> str:
        """The terminal's name, "" without settings."""
        with suppress(SettingsError):
            return self.settings().device.name
        return ""

    def login(self) -> Login:
        """Who may come in. Raises: SettingsError."""
        settings = self.settings()
        whose = (settings.keys, settings.device.name)
        if self._login is None or self._login[0] != whose:
            self._login = (whose, Login(*whose))
        return self._login[1]

    def stands(self, user: User) -> bool:
        """Whether `user` may go on. While that cannot be told, whoever is in may go on to mend it."""
        try:
            return self.login().stands(user)
        except CampusgateError:
            return True

    def record(self, user: User, session: str, action: str, details: Mapping[str, Any]) -> None:
        """Keep what was done for the journal; on a machine that is not provisioned there is none."""
        if not self.provisioned:
            return
        settings = self.settings()
        entry = {"line": self.line_name, **details}
        self._audit(settings).add(user, session, action, entry, machine_clock(settings))

    def denied(self, why: str) -> None:
        """Keep that somebody was not let in; when it would fill the journal, only how often."""
        with self._denials_lock:
            self._denials, self._why_denied = self._denials + 1, why
        self._tell_denials()

    def _tell_denials(self) -> None:
        with self._denials_lock:
            now = time.monotonic()
            paid = max(self._paid_until, now - _DENIED_AT_ONCE * _DENIED_EVERY) + _DENIED_EVERY
            if not self._denials or paid > now:
                return
            self._paid_until = paid
            times, why = self._denials, self._why_denied
            self._denials = 0
        self.record(NOBODY, "", "denied", {"why": why} | ({"times": times} if times > 1 else {}))

    def hand_over(self) -> None:
        """Give the journal what it does not have yet. Never raises."""
        try:
            if self.provisioned:
                self._tell_denials()
                settings = self.settings()
                self._audit(settings).hand_over(settings)
            self._said = ""
        except Exception as error:  # noqa: BLE001 - a card that fails must not end the thread that also brings settings back
            if str(error) != self._said:
                log.error("what staff did cannot be handed over: %s", error)
            self._said = str(error)

    def _audit(self, settings: Settings) -> Audit:
        directory = settings.state / "console"
        return self._audits.setdefault(directory, Audit(directory))


class StaffSession:
    """One client. See `Session`."""

    def __init__(self, station: Station, user: User, line: Dialogue) -> None:
        self._station, self.user, self.line = station, user, line
        self.identity = str(uuid.uuid4())

    @property
    def settings_path(self) -> Path:
        """See `Session.settings_path`."""
        return self._station.settings_path

    def settings(self) -> Settings:
        """See `Session.settings`."""
        return load_settings(self._station.settings_path)

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        """See `Session.ask`."""
        answer = ask(self._station.settings().socket(process), op, timeout=timeout, **arguments)
        del answer["ok"]
        return answer

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        """See `Session.record`."""
        self._station.record(self.user, self.identity, action, details)

    def run(self, text: str) -> tuple[Command, Answer]:
        """Carry out the command line `text`.

        Raises: CampusgateError, OSError with what to do. What is unforeseen becomes a `Refused`: a console
        ends for nothing but its line.
        """
        if not self._station.stands(self.user):
            raise Refused(f"{self.user.name}: was removed or has another role now; log in again")
        command, words = self._station.catalogue.find(text, self.user)
        arguments = command.arguments(words)
        if command.changes:
            self.record(command.name, dict(arguments))
        try:
            return command, command.run(self, arguments)
        except (CampusgateError, OSError):
            raise
        except Exception as error:
            log.exception("console command %s", command.name)
            raise Refused(
                f"{command.name}: failed in a way that is not foreseen: {type(error).__name__}: {error}"
            ) from error
