"""What all sessions of one console share, and one session: the rights, the record, the other processes."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from config.control import ask
from config.errors import CampusgateError, SettingsError
from config.settings import Settings, load_settings
from config.settings_history import last_good
from terminal.console.audit import Audit
from terminal.console.catalogue import Catalogue
from terminal.console.command import Answer, Command, Refused
from terminal.console.login import Login
from terminal.console.session import Dialogue, User
from terminal.staff_clock import machine_clock

log = logging.getLogger(__name__)


class Station:
    """One console on one machine. catalogue: what it can be told."""

    def __init__(self, settings_path: Path, catalogue: Catalogue, line_name: str) -> None:
        self.settings_path, self.catalogue, self.line_name = settings_path, catalogue, line_name
        self._audits: dict[Path, Audit] = {}
        self._login: tuple[Path, Login] | None = None

    @property
    def provisioned(self) -> bool:
        """Whether this machine is a terminal already. One whose settings are broken is."""
        return self.settings_path.exists()

    def settings(self) -> Settings:
        """The settings on disk or, while they are broken, the last that were good. Raises: SettingsError."""
        try:
            return load_settings(self.settings_path)
        except SettingsError:
            good = last_good(self.settings_path)
            if good is None:
                raise
            return good

    def device(self) -> str:
        """The terminal's name, "" without settings."""
        with suppress(SettingsError):
            return self.settings().device.name
        return ""

    def login(self) -> Login:
        """Who may come in. Raises: SettingsError."""
        settings = self.settings()
        if self._login is None or self._login[0] != settings.keys:
            self._login = (settings.keys, Login(settings.keys, settings.device.name))
        return self._login[1]

    def record(self, user: User, session: str, action: str, details: Mapping[str, Any]) -> None:
        """Keep what was done for the journal; on a machine that is not provisioned there is none."""
        if not self.provisioned:
            return
        settings = self.settings()
        entry = {"line": self.line_name, **details}
        self._audit(settings).add(user, session, action, entry, machine_clock(settings))

    def hand_over(self) -> None:
        """Give the journal what it does not have yet. Never raises."""
        with suppress(SettingsError):
            if self.provisioned:
                settings = self.settings()
                self._audit(settings).hand_over(settings)

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
