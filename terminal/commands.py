"""Commands: which are due, what becomes of each, and what is remembered so that none is done twice. Pure.

What is remembered is memos of the terminal's own in the journal, written in one transaction with the
command's record: its id, and whether the gate is locked down. An id is forgotten only when the command has
expired and central no longer lists it: a clock that runs ahead for a while makes no command new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from hw.clock import Moment
from terminal.journal_memos import FOR_GOOD, Memo
from terminal.orders import Command, Do, Orders, Outcome

OWN = ("", "")
"""Subject and place of the terminal's own memos: no person and no place is named so."""
LOCKDOWN = "lockdown"
"""The memo that says that the gate is locked down; its value is when that was ordered (Unix seconds)."""
STAFF_LOCKDOWN = "staff-lockdown"
"""The same by maintenance staff; the value is when that was (Unix seconds)."""
SKEW = timedelta(seconds=60)
"""So far may the terminal's clock be behind central's; a command that is further ahead waits."""

_COMMAND = "command:"


def due(orders: Orders, known: Mapping[str, int], now: Moment) -> Iterator[Command]:
    """The commands to be dealt with now, in order. known: what the journal recalls of `OWN`.

    None without a trusted clock, which cannot tell what has expired.
    """
    if not now.trusted:
        return
    seen = set(known)
    for command in orders.commands:
        key = _COMMAND + command.identity
        if key not in seen and command.issued_at - SKEW <= now.wall:
            seen.add(key)
            yield command


def judged(command: Command, at: datetime) -> tuple[Outcome, str]:
    """What is to become of `command` at that time, and why if it is refused."""
    if at >= command.expires_at:
        return Outcome.EXPIRED, ""
    if command.do not in set(Do):
        return Outcome.REFUSED, f"this version knows no {command.do!r}"
    return Outcome.DONE, ""


def memos(
    command: Command, outcome: Outcome, orders: Orders, known: Mapping[str, int], at: datetime
) -> list[Memo]:
    """What is to be remembered with the record of `command`, and what forgotten. known: as in `due`."""
    found = [Memo(_COMMAND + command.identity, int(command.expires_at.timestamp()), FOR_GOOD)]
    if outcome is Outcome.DONE and command.do == Do.LOCKDOWN:
        found.append(Memo(LOCKDOWN, int(command.issued_at.timestamp()), FOR_GOOD))
    if outcome is Outcome.DONE and command.do == Do.RELEASE:
        found.append(Memo(LOCKDOWN, 0, 0))
    listed = {_COMMAND + one.identity for one in orders.commands}
    now = int(at.timestamp())
    for key, expires_at in known.items():
        if key.startswith(_COMMAND) and key not in listed and expires_at < now:
            found.append(Memo(key, expires_at, 0))
    return found
