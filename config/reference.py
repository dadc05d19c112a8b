"""The settings explained: every table, key, default and what is allowed, as TOML to edit and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from config.settings import Settings

_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the settings, as the model has it. key: with its table, such as "relay.pin".

    kind: what type of value it takes, in words. allowed: which of these, "" when the description says it.
    default: None also for a key that is simply absent. required: it has no default and must be given.
    """

    key: str
    kind: str
    allowed: str
    default: object
    required: bool
    description: str

    @property
    def takes(self) -> str:
        """What values it takes, in words."""
        return ": ".join(words for words in (self.kind, self.allowed) if words)

    @property
    def table(self) -> str:
        """The part of the key before the dot."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """The part of the key after the dot."""
        return self.key.partition(".")[2]


def tables() -> dict[str, type[BaseModel]]:
    """The model of each table, in the order of the reference."""
    found = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: table for name, table in found.items() if isinstance(table, type)}


@cache
def every_setting() -> Mapping[str, Setting]:
    """All settings there are, by key, in the order of the reference."""
    found: dict[str, Setting] = {}
    for table, model in tables().items():
        schema = model.model_json_schema()["properties"]
        for name, field in model.model_fields.items():
            key = f"{table}.{name}"
            default = None if field.is_required() else field.default
            found[key] = Setting(
                key,
                _kind(schema[name]),
                allowed_values(schema[name]),
                default,
                field.is_required(),
                field.description or "",
            )
    return found


def reference() -> str:
    """A settings file with every key: needed ones to fill in, the others commented out at their default."""
    lines: list[str] = []
    for table, settings in _by_table():
        lines.append(f"[{table}]  # {_purpose(table)}")
        for setting in settings:
            allowed = f"; {setting.allowed}" if setting.allowed else ""
            lines.append(f"# {setting.description}{allowed}")
            if setting.required:
                lines.append(f"{setting.name} = ")
            elif setting.default is None:
                lines.append(f"# {setting.name} =")
            else:
                lines.append(f"# {setting.name} = {json.dumps(setting.default)}")
        lines.append("")
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The same as a document: a Markdown table for each table of the settings (config/SETTINGS.md)."""
    lines = [
        "# Settings",
        "",
        "Every key of `campusgate.toml`, as `campusgate terminal settings --markdown` prints it. Unknown",
        "keys are refused, relative paths start at the file itself, and what has no default must be given.",
    ]
    for table, settings in _by_table():
        lines += ["", f"## [{table}]", "", _purpose(table), ""]
        lines += ["| key | what it takes | default | what it is |", "|---|---|---|---|"]
        for setting in settings:
            default = "*must be given*" if setting.required else _code(setting.default)
            cells = [f"`{setting.name}`", setting.takes, default, setting.description]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _by_table() -> Iterator[tuple[str, list[Setting]]]:
    settings = every_setting().values()
    for table in tables():
        yield table, [setting for setting in settings if setting.table == table]


def _purpose(table: str) -> str:
    return (tables()[table].__doc__ or "").strip()


def _code(default: object) -> str:
    return "none" if default is None else f"`{json.dumps(default)}`"


def _kind(schema: dict[str, Any]) -> str:
    kinds = [_KINDS[kind["type"]] for kind in schema.get("anyOf", [schema]) if kind["type"] in _KINDS]
    return " or ".join(kinds)


def allowed_values(schema: dict[str, Any]) -> str:
    """What JSON Schema says of a value, in words."""
    kinds = [schema, *schema.get("anyOf", [])]
    for kind in kinds:
        if "enum" in kind:
            return "one of " + ", ".join(json.dumps(value) for value in kind["enum"])
    for kind in kinds:
        low = kind.get("minimum", kind.get("exclusiveMinimum"))
        high = kind.get("maximum", kind.get("exclusiveMaximum"))
        if low is not None and high is not None:
            above = "more than " if "exclusiveMinimum" in kind else ""
            return f"{above}{low:.10g} to {high:.10g}"
    return ""
