"""Every setting as it is in force: its value, its default, and where the value comes from.

What is shown holds no secret: the settings have none, and a URL with a user or a password is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.overlay import overlaid
from config.reference import every_setting
from config.settings import parse_settings

Origin = Literal["default", "file", "central"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting in force. allowed: what it may be, in words. required: it has no default."""

    key: str
    value: object
    default: object
    origin: Origin
    required: bool
    allowed: str
    description: str


def shown(text: str, central: Mapping[str, object], *, source: str, base: Path) -> list[Shown]:
    """All settings of the file's `text` with `central`'s on top, in the order of the reference.

    source, base: see `parse_settings`. Raises: SettingsError with one line for each problem in the text.
    """
    local = parse_settings(text, source=source, base=base)
    overlay = overlaid(local, central)
    lines = []
    for key, setting in every_setting().items():
        in_file = setting.name in getattr(local, setting.table).model_fields_set
        origin: Origin = "central" if key in overlay.applied else "file" if in_file else "default"
        value = getattr(getattr(overlay.settings, setting.table), setting.name)
        lines.append(
            Shown(key, value, setting.default, origin, setting.required, setting.takes, setting.description)
        )
    return lines
