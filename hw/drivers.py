"""Drivers by name: each device class has an entry-point group, each driver is one class in it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from hw.errors import UnknownDriver


def load_driver(device: str, name: str) -> Any:
    """The class registered as `name` in the entry-point group `campusgate.<device>`.

    Raises: UnknownDriver, naming those there are.
    """
    group = f"campusgate.{device}"
    for entry in entry_points(group=group, name=name):
        return entry.load()
    known = ", ".join(sorted(entry_points(group=group).names))
    raise UnknownDriver(f"{device}.driver: no driver {name!r} is installed; there are: {known}")
