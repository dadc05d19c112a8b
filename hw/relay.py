"""The relay that moves the gate: gpiozero on lgpio on a Pi, gpiozero's own mock pins elsewhere.

It rests in its safe state from the moment it is claimed: a terminal that starts, stops or fails never
pulses the gate. It knows nothing of why it is asked to open.
"""

from __future__ import annotations

import gpiozero
from gpiozero.exc import GPIOZeroError
from gpiozero.pins.mock import MockFactory

from config.settings import RelaySettings
from hw.errors import RelayError


class Relay:
    """One output that releases the gate.

    settings.safe_state "secure": the coil is energised to release (fail-secure); "safe": the coil is
    energised to hold the gate locked (fail-safe), so that losing power releases it.
    Raises: RelayError when the pin cannot be claimed.
    """

    def __init__(self, settings: RelaySettings, factory: gpiozero.Factory | None = None) -> None:
        self._released_level = settings.safe_state == "secure"
        try:
            self._device = gpiozero.DigitalOutputDevice(
                settings.pin,
                active_high=settings.active_high,
                initial_value=not self._released_level,
                pin_factory=factory or pin_factory(),
            )
        except (GPIOZeroError, OSError) as error:
            raise RelayError(f"relay.pin {settings.pin}: cannot be claimed: {error}") from error

    @property
    def released(self) -> bool:
        """True while the gate is released."""
        return bool(self._device.value) == self._released_level

    @property
    def level(self) -> int:
        """The wire's level now, read back from the pin: 1 high, 0 low."""
        return int(self._device.pin.state)

    def release(self) -> None:
        """Release the gate until `lock`."""
        self._device.value = self._released_level

    def lock(self) -> None:
        """Lock the gate."""
        self._device.value = not self._released_level

    def close(self) -> None:
        """Go to the safe state and give the pin back: de-energised, whatever the wiring means by it."""
        self._device.off()
        self._device.close()


def on_gpio_machine() -> bool:
    """True on a machine whose GPIO gpiozero can drive (a Raspberry Pi)."""
    try:
        with open("/proc/device-tree/model", "rb") as model:  # noqa: PTH123 - a device-tree node, not a file
            return b"Raspberry Pi" in model.read()
    except OSError:
        return False


def pin_factory() -> gpiozero.Factory:
    """lgpio's factory on a Raspberry Pi, otherwise mock pins that remember every change."""
    if on_gpio_machine():
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory()
    return MockFactory()
