"""Bringing back the settings before a commit that nobody confirmed: by whichever process is there to do it.

The console does it, and so does the terminal: settings may be committed on a console that serves once and is
gone with a lost connection. A terminal that new settings keep from starting comes to it when its supervisor
starts it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.control import ask
from config.errors import CampusgateError, ControlError
from config.settings import Settings, parse_settings
from config.settings_history import SettingsHistory, Version
from terminal.console.catalogue import Catalogue
from terminal.console.roles import Role
from terminal.console.session import User
from terminal.console.staff import Station
from terminal.overview import PROCESSES

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds
ITSELF = User("campusgate", Role.ADMIN, "itself")


class Reverting:
    """Looks whether settings are to be brought back on the machine of `station`."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._said = ""

    def look(self) -> None:
        """Bring back what is due, with a record of it, and restart what uses it. Never raises."""
        try:
            SettingsHistory(self._station.settings_path).revert_if_due(self._restart)
            self._said = ""
        except Exception as error:  # noqa: BLE001 - nothing may end what brings settings back
            if str(error) != self._said:
                log.error("settings that were not confirmed cannot be brought back: %s", error)
            self._said = str(error)

    def _restart(self, version: Version) -> None:
        log.warning("settings were not confirmed: back to what they were, now version %d", version.number)
        self._station.record(ITSELF, "", "revert", {"version": version.number})
        sockets = [settings.socket(process) for settings in self._running_by() for process in PROCESSES]
        for socket in dict.fromkeys(sockets):
            try:
                ask(socket, "restart")
            except ControlError as error:
                log.warning("%s", error)

    def _running_by(self) -> Iterator[Settings]:
        """By what the processes may run: what is in force again, and what was not confirmed."""
        yield self._station.settings()
        path = self._station.settings_path
        history = SettingsHistory(path)
        with suppress(CampusgateError):
            if waiting := history.unconfirmed():
                text = history.text(waiting.version)
                yield parse_settings(text, source=path.name, base=path.parent.absolute())


@contextmanager
def reverting(settings_path: Path, who: str) -> Iterator[None]:
    """Look at once, and every second while it lasts. who: is named as the line in the record of it."""
    station = Station(settings_path, Catalogue(()), who)
    watch = Reverting(station)
    watch.look()
    over = threading.Event()

    def chores() -> None:
        while not over.wait(LOOK_EVERY):
            watch.look()
            station.hand_over()

    thread = threading.Thread(target=chores, name="reverting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
