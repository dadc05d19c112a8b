"""The terminal's control socket: every op, and who answers it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from config.control import ControlServer, Events, Handler
from config.heartbeat import Heartbeat
from config.process_log import ProcessLog
from config.process_ops import ProcessOps
from config.settings import Settings

GATE, SCREEN = "gate", "screen"
"""The loops whose beats are watched."""


class TerminalControl:
    """Answers on the socket of `settings` until closed. stop: makes the process's main loop end soon.

    Raises: OSError, SettingsError.
    """

    def __init__(self, settings: Settings, stop: Callable[[], None]) -> None:
        self._settings = settings
        socket = settings.socket("terminal")
        self.events = Events()
        group = settings.console.group
        self._log = ProcessLog(socket, self.events, group=group)
        self.heartbeat = Heartbeat(socket, (GATE, SCREEN), group=group)
        self._ops = ProcessOps(self.heartbeat, self._log, stop)
        self._server: ControlServer | None = None

    @property
    def restart(self) -> bool:
        """Whether the process is to begin anew."""
        return self._ops.restart

    def call_off_restart(self) -> None:
        """The process is to end, and not to begin anew."""
        self._ops.call_off()

    def open(
        self,
        status: Callable[[], Mapping[str, Any]],
        picture: Callable[[], bytes],
        *others: Mapping[str, Handler],
    ) -> None:
        """Answer from now on. status: of the op "status". picture: PNG of the screen. others: more ops."""
        handlers: dict[str, Handler] = {
            "status": lambda _: status(),
            "screen": lambda _: {"png": base64.b64encode(picture()).decode("ascii")},
            **self._ops.handlers(),
        }
        for more in others:
            handlers |= more
        group = self._settings.console.group
        self._server = ControlServer(self._settings.socket("terminal"), handlers, self.events, group=group)

    def close(self) -> None:
        """Stop answering, once no loop runs any more. What happens from then on is still logged."""
        if self._server:
            self._server.close()
        self.heartbeat.close()
