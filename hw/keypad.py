"""The keypad of a gate: keys as they are pressed. A keyboard at the screen comes through the screen.

Keys are characters: letters, digits, "*" to begin, "\\r" for Enter, "\\b" for backspace, "\\x1b" for
Esc. What they mean is for whoever reads them.
"""

from __future__ import annotations

from typing import Protocol

from config.settings import Settings
from hw.drivers import load_driver

_MOST = 256  # keys in one look; nobody types faster


class Keypad(Protocol):
    """What every keypad driver is: constructed from settings, then asked for the keys since the last look."""

    def read(self) -> str:
        """The keys pressed since the last call, in order; never waits, never raises."""

    def close(self) -> None:
        """Let the device go."""


def open_keypad(settings: Settings) -> Keypad:
    """The keypad that `settings.keypad` names. Raises: UnknownDriver."""
    keypad: Keypad = load_driver("keypad", settings.keypad.driver)(settings)
    return keypad


class NoKeypad:
    """A terminal without a keypad of its own."""

    def __init__(self, settings: Settings) -> None:
        del settings

    def read(self) -> str:
        """No keys."""
        return ""

    def close(self) -> None:
        """Nothing is held."""


class SimulatedKeypad:
    """Keys from the file `keypad.path`: whatever the simulated campus appends to it has been pressed."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.keypad.path or "")
        self._read = self._size()

    def read(self) -> str:
        """See `Keypad.read`."""
        size = self._size()
        if size < self._read:  # a new file
            self._read = 0
        if size == self._read:
            return ""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                pressed = file.read(_MOST)
        except OSError:
            return ""
        self._read += len(pressed)
        return pressed.decode("ascii", "ignore")

    def close(self) -> None:
        """Nothing is held."""

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0
