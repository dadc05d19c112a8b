"""Diagnostics: what the doctor finds without touching camera and sensor, and how the machine is.

No names, no temperatures of people, no secrets: it goes sealed to central, but need not say more than helps.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from config.settings import Settings
from terminal.doctor import look_around


class Diagnosis(threading.Thread):
    """Collects in a thread of its own, so that nobody at the gate waits. details: None until it is done."""

    def __init__(self, settings: Settings, status: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__(name="diagnosis", daemon=True)
        self._settings, self._status = settings, status
        self.details: Mapping[str, Any] | None = None
        self.start()

    def run(self) -> None:
        """Collect, whatever fails."""
        try:
            self.details = collected(self._settings, self._status())
        except Exception as error:  # noqa: BLE001 - that, too, is a diagnosis
            self.details = {"error": repr(error)}


def collected(settings: Settings, status: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a diagnosis. status: what the terminal says of itself; its last answer is left out."""
    return {
        "status": {name: value for name, value in status.items() if name != "last"},
        "doctor": [asdict(finding) for finding in look_around(settings)],
        "machine": _machine(settings.state),
    }


def _machine(state: Path) -> dict[str, Any]:
    """Versions, uptime, load, the processor's heat (millidegrees Celsius), bytes of disk and journal."""
    disk = os.statvfs(state)
    zones = sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))
    return {
        "campusgate": version("campusgate"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "uptime_seconds": int(float(_text(Path("/proc/uptime")).split()[0] or 0)),
        "load": [round(load, 2) for load in os.getloadavg()],
        "cpu_millidegrees": [_text(zone) for zone in zones],
        "disk_bytes": disk.f_blocks * disk.f_frsize,
        "disk_free_bytes": disk.f_bavail * disk.f_frsize,
        "state_bytes": {file.name: file.stat().st_size for file in sorted(state.glob("journal*"))},
    }


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""
