"""The control ops by which maintenance staff act: "record", "lockdown", "release".

Each is a record in the journal first, like everything at a gate. Entries come from the console, which keeps
each until it is answered; the ids of the newest are remembered with them, so that each counts once. All of a
request become durable together: people at the gate wait for one write, not for a hundred.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from config.control import Handler
from config.errors import CampusgateError
from hw.clock import Basis, Clock, Moment
from terminal.command_desk import who_locked_down
from terminal.commands import OWN, STAFF_LOCKDOWN
from terminal.journal import Journal, JournalError
from terminal.journal_memos import FOR_GOOD, Memo
from terminal.maintenance_desk import MaintenanceDesk
from terminal.records import MOST_DETAILS, MaintenanceRecord

log = logging.getLogger(__name__)

BY = ("user", "role", "via", "session")
"""What says who acts: texts of an entry and of "by"."""
_TEXTS = ("id", "at", *BY, "action")
_LONGEST = 200  # characters of such a text
_ENTRY = "entry:"
_REMEMBERED = 500  # ids; the console resends the newest 50 at most
_MOST_ENTRIES = 100  # of one request


class EntryRefused(CampusgateError, ValueError):
    """Raised when an entry is malformed; says which field and what is allowed."""


class StaffDesk:
    """Answers the ops. journal: gives the open one, if any. desk: brings work to the gate's thread."""

    def __init__(self, journal: Callable[[], Journal | None], clock: Clock, desk: MaintenanceDesk) -> None:
        self._journal, self._clock, self._desk = journal, clock, desk

    def handlers(self) -> dict[str, Handler]:
        """The ops by name."""
        return {"record": self._on_record, "lockdown": self._on_lockdown, "release": self._on_release}

    def _on_record(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        entries = request.get("entries")
        if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_ENTRIES:
            raise ValueError(f"entries: a list of 1 to {_MOST_ENTRIES} entries")
        return self._desk.run(lambda: self._record(entries))

    def _record(self, entries: list[Any]) -> Mapping[str, Any]:
        journal, now = self._opened(), self._clock.now()
        known = journal.recall(*OWN)
        new: dict[str, MaintenanceRecord] = {}
        recorded: list[str] = []
        refused: list[dict[str, Any]] = []
        for entry in entries:
            try:
                identity, record = parse_entry(entry, now)
            except EntryRefused as error:
                refused.append(
                    {"id": entry.get("id") if isinstance(entry, dict) else None, "error": str(error)}
                )
                continue
            if _ENTRY + identity not in known:
                new.setdefault(identity, record)
            recorded.append(entry["id"])
        if new:
            journal.append(*new.values(), memos=_memos(new, known, journal.head.sequence + 1))
        return {"recorded": recorded, "refused": refused}

    def _on_lockdown(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        reason = request.get("reason")
        if not _is_text(reason) or not reason:
            raise ValueError(f"reason: a text of 1 to {_LONGEST} characters")
        by = _by(request)
        return self._desk.run(lambda: self._act(by, "lockdown", {"reason": reason}, FOR_GOOD))

    def _on_release(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        by = _by(request)
        return self._desk.run(lambda: self._act(by, "release", {}, 0))

    def _act(
        self, by: Mapping[str, str], action: str, details: Mapping[str, str], until: int
    ) -> dict[str, Any]:
        """Record what is done by it, and with it whether the gate is closed from now on."""
        journal, now = self._opened(), self._clock.now()
        record = MaintenanceRecord(
            identity=str(uuid.uuid4()),
            happened_at=now.wall,
            clock_trusted=now.trusted,
            action=action,
            details=details,
            basis=now.basis,
            **by,
        )
        entry = journal.append(record, memos=[Memo(STAFF_LOCKDOWN, int(now.wall.timestamp()), until)])
        log.info("%s by maintenance staff (%s)", action, by["user"])
        return {"sequence": entry.sequence, "closed_by": list(who_locked_down(journal))}

    def _opened(self) -> Journal:
        journal = self._journal()
        if journal is None:
            raise JournalError("the journal is not open; `status` says why")
        return journal


def parse_entry(entry: Any, now: Moment) -> tuple[str, MaintenanceRecord]:
    """The id and the record of one entry. Raises: EntryRefused naming the field and what is allowed.

    A time that is yet to come becomes the present one and is not trusted.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("details", {}), dict):
        raise EntryRefused("an entry, and its details, are objects")
    for name in _TEXTS:
        if not _is_text(entry.get(name)):
            raise EntryRefused(f"{name}: a text of at most {_LONGEST} characters")
    try:
        identity = str(uuid.UUID(entry["id"]))
        given = datetime.fromisoformat(entry["at"])
        at = given.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EntryRefused("id: a UUID; at: a time of RFC 3339") from error
    if given.tzinfo is None or at.year < 1970:
        raise EntryRefused("at: a time of RFC 3339, with its offset from UTC, from 1970 on")
    try:
        size = len(orjson.dumps(entry.get("details", {})))
    except TypeError as error:  # a number of more than 64 bits, half a character, or nested too deeply
        raise EntryRefused(f"details: cannot be sealed as JSON: {error}") from error
    if size > MOST_DETAILS:
        raise EntryRefused(f"details: at most {MOST_DETAILS} bytes of JSON")
    trusted = entry.get("trusted") is True and now.trusted and at <= now.wall
    record = MaintenanceRecord(
        identity=identity,
        happened_at=min(at, now.wall),
        clock_trusted=trusted,
        action=entry["action"],
        details=entry.get("details", {}),
        basis=Basis(now.basis.source),
        **{name: entry[name] for name in BY},
    )
    return identity, record


def _memos(new: Iterable[str], known: Mapping[str, int], first: int) -> list[Memo]:
    """What is remembered with the records of the ids `new`, numbered from `first`, and forgotten."""
    taken = [Memo(_ENTRY + identity, first + number, FOR_GOOD) for number, identity in enumerate(new)]
    before = sorted((value, what) for what, value in known.items() if what.startswith(_ENTRY))
    gone = before[: max(0, len(before) + len(taken) - _REMEMBERED)]
    return [*taken, *(Memo(what, value, 0) for value, what in gone)]


def _by(request: Mapping[str, Any]) -> dict[str, str]:
    by = request.get("by")
    if not isinstance(by, dict) or not all(_is_text(by.get(name)) for name in BY):
        raise ValueError(f"by: an object of texts of at most {_LONGEST} characters: {', '.join(BY)}")
    return {name: by[name] for name in BY}


def _is_text(value: object) -> bool:
    """Whether it is a text that is not too long and can be sealed; half a surrogate pair cannot."""
    return (
        isinstance(value, str)
        and len(value) <= _LONGEST
        and not any("\ud800" <= c <= "\udfff" for c in value)
    )
