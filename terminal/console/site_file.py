"""site.toml: the terminals of a school that a laptop sets up alike, and what they have of their own.

What is wrong with it is one line each: file, terminal, key, the value found, what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from config.errors import SettingsError
from config.settings import Name, Settings
from config.table import Table
from config.validation import explain
from terminal.install import TrustBundle

Tables = dict[str, dict[str, Any]]

_FIXED = {
    "device": "name and place of a terminal stand in its own [[terminal]]",
    "central.url": "it comes from the trust file",
    "storage.state": "a terminal's keys and records stay where they are",
    "storage.run": "it belongs to the machine: factory.toml there",
}


class TerminalTable(Table):
    """One terminal of the site."""

    name: Name = Field(description="the terminal's name at central, such as north-gate-1")
    place: Name = Field(description="the policy's name of the place, such as north-gate")
    settings: Tables = Field(default_factory=dict, description="what only this one has: tables of settings")


class SiteTable(Table):
    """The whole of site.toml."""

    trust: str = Field(description="the file that `campusgate central trust` gave, such as trust.json")
    settings: Tables = Field(default_factory=dict, description="what all have: tables of settings")
    terminal: list[TerminalTable] = Field(min_length=1, description="one [[terminal]] for each")


@dataclass(frozen=True, slots=True)
class WantedTerminal:
    """What one terminal is to be. settings: values by dotted key, with place and central's URL among them."""

    name: str
    place: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """A site.toml that is right. trust: the bytes of the trust file; url: central's."""

    path: Path
    trust: bytes
    url: str
    terminals: tuple[WantedTerminal, ...]

    def terminal(self, name: str) -> WantedTerminal | None:
        """The terminal of that name."""
        return next((one for one in self.terminals if one.name == name), None)


def read_site(path: Path) -> Site:
    """The site in the file `path`. Raises: SettingsError with one line for each thing that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError([f"{path}: is not TOML: {error}"]) from error
    try:
        table = SiteTable.model_validate(document)
    except ValidationError as error:
        raise SettingsError(explain(error, SiteTable, str(path))) from error
    trust_file = path.parent / table.trust
    try:
        bundle = TrustBundle.load(trust_file)
    except SettingsError as error:
        raise SettingsError([f"{path}: trust: {problem}" for problem in error.problems]) from error
    if problems := list(dict.fromkeys(_problems(path, table, bundle.url))):
        raise SettingsError(problems)
    terminals = tuple(
        WantedTerminal(one.name, one.place, dict(_flat(_merged(table.settings, one.settings))))
        for one in table.terminal
    )
    return Site(path, trust_file.read_bytes(), bundle.url, terminals)


def _problems(path: Path, site: SiteTable, url: str) -> Iterator[str]:
    yield from _fixed(f"{path}: settings", site.settings)
    seen: set[str] = set()
    for one in site.terminal:
        source = f"{path}: terminal {one.name}"
        if one.name in seen:
            yield f"{source}: is there twice; each terminal has a name of its own"
        seen.add(one.name)
        yield from _fixed(f"{source}: settings", one.settings)
        whole = _merged(site.settings, one.settings)
        whole["device"] = {"name": one.name, "place": one.place}
        whole["central"] = {**whole.get("central", {}), "url": url}
        try:
            Settings.model_validate(whole)
        except ValidationError as error:
            yield from explain(error, Settings, source)


def _fixed(source: str, tables: Tables) -> Iterator[str]:
    for table, keys in tables.items():
        for key in keys:
            dotted = f"{table}.{key}"
            if why := _FIXED.get(table) or _FIXED.get(dotted):
                yield f"{source}: {dotted}: is not set here: {why}"


def _merged(common: Tables, own: Tables) -> Tables:
    return {name: {**common.get(name, {}), **own.get(name, {})} for name in (*common, *own)}


def _flat(tables: Tables) -> Iterator[tuple[str, Any]]:
    for table, keys in tables.items():
        for key, value in keys.items():
            yield f"{table}.{key}", value
