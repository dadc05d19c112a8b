"""Contacts wired to GPIO inputs: the tamper switch of the terminal's case.

A contact closes its pin to ground while all is well, so that a cut wire reads as an opened case. It says what
the wire does and decides nothing.
"""

from __future__ import annotations

import gpiozero
from gpiozero.exc import GPIOZeroError

from hw.errors import InputError
from hw.relay import pin_factory

SETTLED_AFTER = 0.1  # seconds; contacts bounce


class TamperSwitch:
    """The switch at GPIO number `pin` (BCM), closed while the case is shut.

    Raises: InputError when the pin cannot be claimed.
    """

    def __init__(self, pin: int, factory: gpiozero.Factory | None = None) -> None:
        self.pin = pin
        self._known_open = False
        self._changed_at: float | None = None
        try:
            self._device = gpiozero.DigitalInputDevice(
                pin, pull_up=True, pin_factory=factory or pin_factory()
            )
        except (GPIOZeroError, OSError) as error:
            raise InputError(f"inputs.tamper {pin}: cannot be claimed: {error}") from error

    @property
    def open(self) -> bool:
        """Whether the case is open, as the wire says now."""
        return not self._device.value

    @property
    def level(self) -> int:
        """The wire's level now: 1 high, 0 low."""
        return int(self._device.pin.state)

    def opened(self, now: float) -> bool:
        """Whether the case has been opened since the last call; a case found open at the start counts.

        now: monotonic seconds. Call it often: a contact counts once it has been still for 0.1 s.
        """
        if self.open == self._known_open:
            self._changed_at = None
            return False
        if self._changed_at is None:
            self._changed_at = now
        if now - self._changed_at < SETTLED_AFTER:
            return False
        self._known_open, self._changed_at = self.open, None
        return self._known_open

    def close(self) -> None:
        """Give the pin back."""
        self._device.close()
