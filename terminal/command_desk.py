"""Carrying out central's commands: record first, then the act, and so at most once.

The record and the memo of the command's id are durable together before anything moves. A power cut between
that and the act leaves a command that is not carried out, and never one that is carried out twice.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hw.clock import Clock, Moment
from terminal.commands import LOCKDOWN, OWN, STAFF_LOCKDOWN, due, judged, memos
from terminal.journal import Journal, JournalError
from terminal.orders import Command, Do, Orders, OrdersError, Outcome, parse_orders
from terminal.portal import Portal
from terminal.records import CommandRecord
from terminal.roster import Roster, RosterRefused
from terminal.roster_shelf import RosterShelf

log = logging.getLogger(__name__)


class Diagnosing(Protocol):
    """A diagnosis that is being made; details: None until it is."""

    @property
    def details(self) -> Mapping[str, Any] | None:
        """What was found."""


class CommandDesk:
    """Carries out what central orders the terminal `device` at `place`. Call `look` often, from one thread.

    diagnose: begins a diagnosis.
    """

    def __init__(
        self,
        *,
        device: str,
        place: str,
        shelf: RosterShelf,
        journal: Journal,
        portal: Portal,
        clock: Clock,
        diagnose: Callable[[], Diagnosing],
    ) -> None:
        self._device, self._place = device, place
        self._shelf, self._journal, self._portal, self._clock = shelf, journal, portal, clock
        self._diagnose = diagnose
        self._diagnosis: tuple[str, Diagnosing] | None = None  # of the command with that id
        self.lockdown = ""  # who closed the gate, as of the last look; "" for nobody
        self.refused = ""  # why orders are not carried out, until they are

    def look(self) -> None:
        """Carry out what is due. Never raises."""
        now, refused = self._clock.now(), ""
        try:
            self.lockdown = " and ".join(
                who_locked_down(self._journal)
            )  # it holds when there is no roster either
            self._carry_out(self._shelf.current(now), now)
            self.lockdown = " and ".join(who_locked_down(self._journal))
        except (RosterRefused, OrdersError, JournalError) as error:
            refused = str(error)
        except Exception as error:  # one bad command must not hold up the gate
            log.exception("commands")
            refused = repr(error)
        if refused and refused != self.refused:
            log.warning("orders of central are not carried out: %s", refused)
        self.refused = refused

    def _carry_out(self, roster: Roster, now: Moment) -> None:
        data = roster.orders()
        orders = parse_orders(data, self._device) if data else Orders()
        if not orders.commands and not orders.malformed:
            return
        known = self._journal.recall(*OWN)
        commands = list(due(orders, known, now))
        if self._diagnosis and self._diagnosis[0] not in {command.identity for command in commands}:
            self._diagnosis = None  # nobody waits for it any more
        for command in commands:
            outcome, reason = judged(command, now.wall)
            done, details = outcome is Outcome.DONE, None
            if done and command.do == Do.DIAGNOSTICS and (details := self._details(command)) is None:
                continue  # it is being made
            opens = done and command.do == Do.UNLOCK
            seconds = self._pulse(roster) if opens else 0.0  # now: only what can be done is recorded as done
            identity = str(uuid.uuid4())
            record = CommandRecord(
                identity, now.wall, now.trusted, command, outcome, reason, details or {}, now.basis
            )
            entry = self._journal.append(record, memos=memos(command, outcome, orders, known, now.wall))
            log.info("command %s: %s: %s", command.identity, command.do, outcome)
            if opens:
                self._portal.open_for(entry, seconds)
        if orders.malformed:
            raise OrdersError("; ".join(orders.malformed))

    def _pulse(self, roster: Roster) -> float:
        policy = roster.policy()
        place = policy.places.get(self._place)
        return (place.pulse_seconds if place else None) or policy.pulse_seconds

    def _details(self, command: Command) -> Mapping[str, Any] | None:
        """The diagnosis that `command` asks for; None while it, or that of another command, is being made."""
        if self._diagnosis is None:
            self._diagnosis = (command.identity, self._diagnose())
        identity, diagnosis = self._diagnosis
        details = diagnosis.details if identity == command.identity else None
        if details is not None:
            self._diagnosis = None
        return details


def locked_down(journal: Journal) -> bool:
    """Whether somebody closed the gate and has not released it since. Raises: JournalError."""
    return bool(who_locked_down(journal))


def who_locked_down(journal: Journal) -> tuple[str, ...]:
    """Who closed the gate and has not released it since: "central", "maintenance staff".

    Neither releases what the other closed. Raises: JournalError.
    """
    known = journal.recall(*OWN, LOCKDOWN, STAFF_LOCKDOWN)  # it is asked at every scan: not for all ids
    closed = ((LOCKDOWN, "central"), (STAFF_LOCKDOWN, "maintenance staff"))
    return tuple(who for memo, who in closed if memo in known)
