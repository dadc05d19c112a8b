"""Orders: what central has for one terminal, commands and settings, as a signed target of the roster. No I/O.

The target recent/device-NAME.json is a JSON object (RFC 8259): `device`, `commands` in the order in which
they were issued, and `settings` by their names, such as "sync.batch_records". Both processes read it: the
terminal carries out commands, the sync daemon takes up settings. ROSTER.md has the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn

from config.errors import CampusgateError
from terminal.events import rfc3339

MAX_ORDERS = 65_536  # bytes
_IDENTITY = re.compile(r"[A-Za-z0-9-]{1,64}")
_DO = re.compile(r"[a-z][a-z0-9-]{0,31}")
_YEARS = (2000, 2999)  # so that times can be added to and compared as Unix seconds anywhere


class OrdersError(CampusgateError, ValueError):
    """Raised when a document of orders is malformed or for another terminal: nothing of it is taken."""


class Do(StrEnum):
    """What central may have a terminal do."""

    UNLOCK = "unlock"  # open once, as for somebody who is let in
    LOCKDOWN = "lockdown"  # deny everybody until released
    RELEASE = "release"  # end a lockdown
    DIAGNOSTICS = "diagnostics"  # say how the machine is


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Command:
    """One command. identity: unique for it. do: of `Do`, or what a later version means. Times: aware, UTC."""

    identity: str
    do: str
    issued_at: datetime
    expires_at: datetime

    def to_document(self) -> dict[str, str]:
        """The command as it stands in the document."""
        times = {"issued_at": rfc3339(self.issued_at), "expires_at": rfc3339(self.expires_at)}
        return {"id": self.identity, "do": self.do, **times}


@dataclass(frozen=True, slots=True)
class Orders:
    """Everything central has for one terminal. settings: values as they came, unchecked.

    malformed: a line for each command that was left out because it cannot be read.
    """

    commands: tuple[Command, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    malformed: tuple[str, ...] = ()


def dump_orders(device: str, commands: Sequence[Command], settings: Mapping[str, object]) -> bytes:
    """The document for `device`; the same orders always give the same bytes."""
    document = {
        "device": device,
        "commands": [command.to_document() for command in commands],
        "settings": dict(sorted(settings.items())),
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def parse_orders(data: bytes, device: str) -> Orders:
    """The orders for `device` in `data`; a malformed command costs only itself. Raises: OrdersError."""
    if len(data) > MAX_ORDERS:
        raise OrdersError(f"orders of {len(data)} bytes; {MAX_ORDERS} are allowed")
    try:
        document: Any = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise OrdersError(f"orders are no JSON: {error!r:.100}") from error
    if not isinstance(document, dict) or document.get("device") != device:
        raise OrdersError(f"orders are not for {device}")
    listed, settings = document.get("commands", []), document.get("settings", {})
    if not isinstance(listed, list) or not isinstance(settings, dict):
        raise OrdersError("orders need a list of commands and an object of settings")
    commands: list[Command] = []
    malformed: list[str] = []
    for number, one in enumerate(listed, 1):
        try:
            commands.append(_command(one))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            malformed.append(f"command {number}: is malformed: {error!r:.100}")
    return Orders(tuple(commands), settings, tuple(malformed))


def _command(one: Any) -> Command:
    identity, do = one["id"], one["do"]
    if not _IDENTITY.fullmatch(identity) or not _DO.fullmatch(do):
        raise ValueError("id is 1 to 64 letters, digits and -, do a word in lower case")
    issued_at, expires_at = _time(one["issued_at"]), _time(one["expires_at"])
    if expires_at <= issued_at:
        raise ValueError("expires before it is issued")
    return Command(identity, do, issued_at, expires_at)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not _YEARS[0] <= time.year <= _YEARS[1]:
        raise ValueError(f"{text!r:.40} is no time of RFC 3339")
    return time.astimezone(UTC)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
