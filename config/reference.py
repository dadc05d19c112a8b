"""The settings explained: every table, key, default and what is allowed, as TOML that can be edited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.settings import Settings


def reference() -> str:
    """A settings file with every key: needed ones to fill in, the others commented out at their default."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        table = field.annotation
        if not (isinstance(table, type) and issubclass(table, BaseModel)):
            continue
        yield f"[{name}]  # {(table.__doc__ or '').strip()}"
        schema = table.model_json_schema()["properties"]
        for key, setting in table.model_fields.items():
            yield from _key(key, setting, schema[key])
        yield ""


def _key(key: str, setting: FieldInfo, schema: dict[str, Any]) -> Iterator[str]:
    allowed = allowed_values(schema)
    yield f"# {setting.description}{f'; {allowed}' if allowed else ''}"
    if setting.is_required():
        yield f"{key} = "
    elif setting.default is None:
        yield f"# {key} ="
    else:
        yield f"# {key} = {json.dumps(setting.default)}"


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
