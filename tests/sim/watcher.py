"""What the demo sees of the terminal and of central: answers as they fall, status, screen, counts.

It looks from outside, through the control socket and central's HTTP, as an attendant and an operator would.
"""

from __future__ import annotations

import base64
import queue
import threading
from typing import Any

import requests

from config.control import ask, follow
from config.errors import ControlError
from config.settings import Settings


class Watcher:
    """Follows one terminal and the central on `port` of loopback until closed."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._socket = settings.socket("terminal")
        self._counts_url = f"http://127.0.0.1:{port}/v1/counts"
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.at_central = 0
        self.following = False  # whether every answer is heard
        self._stop = threading.Event()
        for work in (self._follow, self._count):
            threading.Thread(target=work, daemon=True).start()

    def status(self) -> dict[str, Any]:
        """The terminal's status; {} while it does not answer."""
        try:
            return ask(self._socket, "status", timeout=1.0)
        except ControlError:
            return {}

    def screen(self) -> bytes:
        """The gate's screen as PNG; b"" while the terminal does not answer."""
        try:
            return base64.b64decode(ask(self._socket, "screen", timeout=1.0)["png"])
        except (ControlError, KeyError):
            return b""

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                for event in follow(self._socket):
                    self.following = True
                    if event.get("event") == "answer":
                        self.answers.put(event)
                    if self._stop.is_set():
                        return
            except ControlError:
                self._stop.wait(0.05)  # killed just now: it will be back
            finally:
                self.following = False

    def _count(self) -> None:
        while not self._stop.wait(0.25):
            try:
                answer = requests.get(self._counts_url, timeout=1.0).json()
                self.at_central = int(answer["record"])
            except (requests.RequestException, ValueError, KeyError):
                continue
