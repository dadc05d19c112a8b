"""A terminal gets the settings that site.toml has for it, in one version, by the commands of its console."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from terminal.console.client import ConsoleClient, ConsoleRefused
from terminal.console.site_file import WantedTerminal

COMMENT = "provision site.toml"


def adapt(console: ConsoleClient, terminal: WantedTerminal, url: str) -> tuple[str, ...]:
    """Set what differs, and commit it; one line for each change, none when nothing differs.

    What central sets of a terminal's settings has the last word and is left alone. url: the site's central.
    Raises: ConsoleRefused, also when the terminal reports to another central; LineError.
    """
    shown = {setting["key"]: setting for setting in console.do("show settings")["settings"]}
    reports_to = shown["central.url"]["value"]
    if reports_to != url:
        raise ConsoleRefused(
            f"{terminal.name}: reports to {reports_to}, not to {url}: it is another site's terminal of that "
            "name, or `factory reset` is to make it a blank machine first"
        )
    differing = [
        (key, shown[key]["value"], value)
        for key, value in _wanted(terminal)
        if shown[key]["origin"] != "central" and shown[key]["value"] != value
    ]
    for key, _, value in differing:
        # A JSON text is a TOML value.
        state = console.do(f"set {key} {shlex.quote(json.dumps(value, ensure_ascii=False))}")
        if others := set(state["changed"]) - {ours for ours, _, _ in differing}:
            raise ConsoleRefused(
                f"{terminal.name}: somebody began to change {', '.join(sorted(others))} and left it there: "
                "`commit` or `discard` that at its console first"
            )
    if differing:
        console.do(f"commit {COMMENT}")
    return tuple(f"{key} = {value!r}, was {before!r}" for key, before, value in differing)


def _wanted(terminal: WantedTerminal) -> Iterator[tuple[str, Any]]:
    yield "device.place", terminal.place
    yield from terminal.settings.items()
