"""Editing the text of a settings file key by key: comments, order and all that is not named stay as they are.

A value must be one that its own key allows. What does not go together is another matter: keys that belong
together are set one after the other, so that is refused only when the whole is to be used.
"""

from __future__ import annotations

import contextlib
import difflib
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from config.errors import SettingsError
from config.reference import Setting, every_setting, tables
from config.settings import Settings
from config.validation import explain, without_secrets

_GONE = "this line is to go"
_DEEP = 20  # brackets; no setting is a list or a table


def with_value(text: str, key: str, value: str, *, source: str) -> str:
    """`text` with `key`, such as "relay.pin", set to `value`.

    value: TOML, or a bare word where the key takes text. source: how errors name the text.
    Raises: SettingsError when there is no such key, it must not be so, or the text is not TOML.
    """
    setting = _known(key, source)
    fitting = _fitting(setting, value, source)
    expected = _read(text, source)
    if not isinstance(expected.setdefault(setting.table, {}), dict):
        raise SettingsError([f"{source}: {setting.table}: is not a table; unset {setting.table} first"])
    expected[setting.table][setting.name] = fitting

    def change(document: Any) -> None:
        if setting.table not in document:
            if document.body:
                document.add(tomlkit.nl())
            document[setting.table] = tomlkit.table()
        document[setting.table][setting.name] = fitting

    return _checked(_changed(text, change, source), expected, source)


def without(text: str, key: str, *, source: str) -> str:
    """`text` without `key`, so that its default holds. A comment at the end of its line stays.

    Also what is not known may be removed, a key or a whole table: that is how a mistake is mended.
    Raises: SettingsError when the text does not have it, or is not TOML.
    """
    expected = _read(text, source)
    table, _, name = key.partition(".")
    owner = expected.get(table) if name else expected
    last = name or table
    if not isinstance(owner, dict) or last not in owner:
        raise SettingsError([f"{source}: {key!r:.80}: is not set here"])
    if not name and table in tables() and isinstance(owner[table], dict):
        raise SettingsError([f"{source}: {table}: is a table; name a key of it: {', '.join(owner[table])}"])
    has_line = not isinstance(owner.pop(last), dict | list)

    def change(document: Any) -> None:
        within = document[table] if name else document
        if has_line and not isinstance(within, InlineTable):
            within[last] = _GONE
        else:
            del within[last]

    lines = _changed(text, change, source).split("\n")
    kept = [_comment(line) if _GONE in line else line for line in lines]
    return _checked("\n".join(line for line in kept if line is not None), expected, source)


def changes(before: str, after: str) -> dict[str, tuple[object, object]]:
    """What `after` sets otherwise than `before`: old and new value by key; absent ones are their default.

    A text that is not TOML sets nothing.
    """
    old, new = _flat(before), _flat(after)
    settings = every_setting()
    found = {}
    for key in sorted(old.keys() | new.keys()):
        default = settings[key].default if key in settings else None
        pair = old.get(key, default), new.get(key, default)
        if pair[0] != pair[1]:
            found[key] = pair
    return found


def difference(before: str, after: str, name: str) -> list[str]:
    """The lines of a unified diff from `before`, the file `name`, to `after`; none when they are the same."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name, f"{name} (candidate)", lineterm=""
    )
    return [without_secrets(line) for line in lines]


def _known(key: str, source: str) -> Setting:
    settings = every_setting()
    if key in settings:
        return settings[key]
    table = key.partition(".")[0]
    allowed = [other for other in settings if other.startswith(f"{table}.")] or [f"{t}.*" for t in tables()]
    raise SettingsError([f"{source}: {key!r:.80}: unknown key; there are: {', '.join(allowed)}"])


def _fitting(setting: Setting, value: str, source: str) -> object:
    """`value` as the setting takes it."""
    readings: list[object] = [value]
    if value.count("[") + value.count("{") < _DEEP:
        with contextlib.suppress(TOMLKitError, ValueError):  # a bare word
            readings.insert(0, tomlkit.value(value).unwrap())
    wrong: list[str] = []
    for reading in readings:
        problems = _problems(setting, reading, source)
        if not problems:
            return reading
        if not wrong or (setting.kind == "text" and not isinstance(readings[0], str)):
            wrong = problems
    takes = f"it takes {setting.takes}" if setting.allowed else f"it is {setting.description}"
    raise SettingsError([f"{line}; {takes}" for line in wrong])


def _problems(setting: Setting, value: object, source: str) -> list[str]:
    try:
        Settings.model_validate({setting.table: {setting.name: value}})
    except ValidationError as error:
        of = [tuple(problem["loc"][:2]) for problem in error.errors(include_url=False)]
        lines = explain(error, Settings, source)
        return [line for place, line in zip(of, lines, strict=True) if place == (setting.table, setting.name)]
    return []


def _read(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError([f"{source}: is not TOML: {error}; see `rollback`"]) from error


def _changed(text: str, change: Callable[[Any], None], source: str) -> str:
    try:
        document = tomlkit.parse(text if not text or text.endswith("\n") else text + "\n")
        change(document)
        return document.as_string()
    except (TOMLKitError, RecursionError) as error:
        raise SettingsError([f"{source}: cannot be edited here: {error}"]) from error


def _checked(text: str, expected: Mapping[str, Any], source: str) -> str:
    """`text` if it says what it is meant to say: an editor's mistake must not reach a gate."""
    said = _read(text, source)
    if {k: v for k, v in said.items() if v != {}} != {k: v for k, v in expected.items() if v != {}}:
        raise SettingsError([f"{source}: is laid out in a way that cannot be edited here"])
    return text


def _comment(line: str) -> str | None:
    """What stays of a line whose key goes."""
    before, mark, comment = line.partition("#")
    return before[: len(before) - len(before.lstrip())] + mark + comment if mark else None


def _flat(text: str) -> dict[str, object]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    found: dict[str, object] = {}
    for table, keys in document.items():
        for name, value in keys.items() if isinstance(keys, dict) else [("", keys)]:
            plain = value if isinstance(value, bool | int | float) else without_secrets(str(value))
            found[f"{table}.{name}".rstrip(".")] = plain
    return found
