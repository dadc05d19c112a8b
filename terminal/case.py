"""The terminal's case: that somebody opened it becomes a violation record, as soon as one can be written."""

from __future__ import annotations

import logging
from collections.abc import Callable

from config.settings import InputSettings
from hw.inputs import TamperSwitch
from terminal.findings import Violation, ViolationKind
from terminal.journal import Entry

log = logging.getLogger(__name__)

_RETRY_AFTER = 2.0  # seconds


class Case:
    """Watches the tamper switch, if the settings name one. Raises: InputError."""

    def __init__(self, settings: InputSettings) -> None:
        self._switch = None if settings.tamper is None else TamperSwitch(settings.tamper)
        self._unrecorded: list[Violation] = []
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        """Whether the case is open now; False without a switch."""
        return self._switch is not None and self._switch.open

    @property
    def level(self) -> int:
        """The level of the switch's wire now: 1 high, 0 low; 0 without a switch."""
        return self._switch.level if self._switch else 0

    def watch(self, now: float, record: Callable[[Violation], Entry | None]) -> None:
        """Look at the switch; record what is to be recorded. now: monotonic seconds. Call it often."""
        if self._switch and self._switch.opened(now):
            log.warning("the case was opened")
            self._unrecorded.append(Violation(ViolationKind.TAMPERING, {"gpio": self._switch.pin}))
        while self._unrecorded and now >= self._retry_at:
            if record(self._unrecorded[0]):
                self._unrecorded.pop(0)
            else:
                self._retry_at = now + _RETRY_AFTER

    def close(self) -> None:
        """Give the pin back."""
        if self._switch:
            self._switch.close()
