"""The way of one scan: sighting -> verified code -> person -> decision -> durable record -> relay -> answer.

Every refusal on the way becomes a decision with a reason, is recorded like an entry is, and leaves the next
scan untouched. If the record cannot be written the gate does what the policy says for that, and says so. A
manual registration goes the same way from the person on, with an attendant in the place of the code.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from hw.clock import Clock, Moment
from hw.thermal import Thermal, note
from terminal.code_keys import verified
from terminal.codes import CodeRefused, parse
from terminal.command_desk import locked_down
from terminal.decision import Decision, Situation, decide, decide_attendant
from terminal.findings import MarkKind, Violation, mark_key
from terminal.journal import Entry, Journal, JournalError
from terminal.journal_space import Housekeeping, Room
from terminal.memory import memos, remembered
from terminal.person import Person, Status, shown
from terminal.policy import Policy
from terminal.portal import Portal
from terminal.reasons import Notice, Reason, Verdict
from terminal.records import Record, ViolationRecord
from terminal.roster import RosterRefused
from terminal.roster_shelf import RosterShelf
from terminal.rules.health import declared_well
from terminal.scanner import Sighting
from terminal.situation import Registration

log = logging.getLogger(__name__)

_HOUR = 3600  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person is told. seconds: from the frame's capture until the relay moved or stayed."""

    decision: Decision
    name: str  # as much of it as the policy shows
    celsius: str
    seconds: float
    entry: Entry | None  # None when the record could not be written
    at: Moment
    skew: int | None = None  # as in Record


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found out about whoever stands there; policy None when the roster is refused."""

    situation: Situation
    policy: Policy | None
    claimed_subject: str


class Gate:
    """One gate: gives an Answer for each Sighting. Not thread-safe: one thread scans.

    journal: None while it cannot be opened; then no record can be written. house: knows its room on the disk.
    """

    def __init__(
        self,
        *,
        place: str,
        shelf: RosterShelf,
        journal: Journal | None,
        portal: Portal,
        thermal: Thermal,
        clock: Clock,
        house: Housekeeping | None = None,
    ) -> None:
        self._place, self._shelf, self._journal_or_none = place, shelf, journal
        self._portal, self._thermal, self._clock, self._house = portal, thermal, clock, house
        self.roster_refused = ""  # why the last lookup failed, until one succeeds

    def handle(self, sighting: Sighting) -> Answer:
        """Decide on `sighting`, record it, open if it is allowed, and say what came of it. Never raises."""
        now = self._clock.now()
        look, decision = self._decided(sighting.text, now, decide)
        return self._conclude(sighting.frame.captured_at, now, look, decision)

    def register(self, subject: str, attendant: Person, begun_at: float) -> Answer:
        """Let in the person with the number `subject` on the word of `attendant` (R16). Never raises.

        begun_at: monotonic seconds when it was asked for.
        """
        now = self._clock.now()
        look, decision = self._decided(subject, now, decide, attendant)
        return self._conclude(begun_at, now, look, decision)

    def attendant(self, sighting: Sighting) -> Person | Answer:
        """The attendant whose code `sighting` shows, or the recorded refusal. Never raises.

        Their code is then used up, like one that was let in with. The gate does not move.
        """
        now = self._clock.now()
        look, decision = self._decided(sighting.text, now, decide_attendant)
        person = look.situation.person
        if person and decision.verdict is Verdict.ALLOW:
            used = memos(decision, look.situation.code, now.wall)
            try:
                self._journal.remember(person.subject, self._place, used, now=int(now.wall.timestamp()))
                return person
            except JournalError as error:
                log.error("%s", error)
                decision = Decision(Verdict.DENY, (Reason.JOURNAL_UNWRITABLE,))
        return self._conclude(sighting.frame.captured_at, now, look, decision)

    def violation(self, violation: Violation) -> Entry | None:
        """Record a violation that nobody's scan showed; None when it cannot be written. Never raises."""
        now = self._clock.now()
        record = ViolationRecord(
            str(uuid.uuid4()), now.wall, now.trusted, self._place, violation, basis=now.basis
        )
        try:
            return self._journal.append(record)
        except JournalError as error:
            log.error("%s", error)
            return None

    @property
    def _journal(self) -> Journal:
        """Raises: JournalError while there is none."""
        if self._journal_or_none is None:
            raise JournalError("the journal is not open")
        return self._journal_or_none

    def _decided(
        self,
        shown: str,
        now: Moment,
        by: Callable[[Situation, Policy], Decision],
        attendant: Person | None = None,
    ) -> tuple[_Look, Decision]:
        """What is decided on whoever shows the text `shown`, or on the number that an attendant entered."""
        look = _Look(Situation(self._place, now.wall), None, "")
        try:
            look = self._look(shown, now, attendant)
            if self._journal_or_none and locked_down(self._journal_or_none):
                return look, Decision(Verdict.DENY, (Reason.LOCKDOWN,))
            return look, by(look.situation, look.policy) if look.policy else _refusal(look.situation)
        except JournalError as error:
            log.error("%s", error)
            return look, Decision(Verdict.DENY, (Reason.JOURNAL_UNWRITABLE,))
        except Exception:  # whatever it was, the person is answered and the next one served
            log.exception("scan failed")
            return look, Decision(Verdict.DENY, (Reason.TERMINAL_FAULT,))

    def _look(self, shown: str, now: Moment, attendant: Person | None) -> _Look:
        """All the decision needs to know about whoever it is."""
        situation = Situation(self._place, now.wall, now.trusted, reading=self._thermal.read())
        look = _Look(situation, None, "")
        if attendant:  # whatever is refused from here on, the record names both
            look = _Look(replace(situation, registration=Registration(attendant)), None, shown)
        try:
            roster = self._shelf.current(now)
            policy, age = roster.policy(), now.wall - roster.published_at
            look = replace(look, situation=replace(look.situation, roster_age=age), policy=policy)
            if attendant:
                # As they are now: who was suspended since the proof registers nobody any more.
                vouches = roster.person(attendant.subject) or replace(attendant, status=Status.REVOKED)
                registration = Registration(vouches, self._registrations(now))
                situation = replace(look.situation, person=roster.person(shown), registration=registration)
            else:
                claimed = parse(shown)
                look = replace(look, claimed_subject=claimed.subject)
                person = roster.person(claimed.subject)
                situation = replace(look.situation, code=verified(claimed, person, roster), person=person)
            self.roster_refused = ""
            return replace(look, situation=self._recalled(situation, policy))
        except RosterRefused as refused:
            log.warning("lookup refused: %s", refused)
            self.roster_refused = str(refused)
            return replace(look, situation=replace(look.situation, refused=refused.reason), policy=None)
        except CodeRefused as refused:
            log.info("code refused: %s", refused)
            return replace(look, situation=replace(look.situation, refused=refused.reason))
        except JournalError as error:
            log.error("%s", error)
            return replace(look, situation=replace(look.situation, refused=Reason.JOURNAL_UNWRITABLE))

    def _registrations(self, now: Moment) -> int:
        since = int(now.wall.timestamp()) - _HOUR
        return self._journal.count(mark_key(MarkKind.MANUAL, ""), since=since, begins=True)

    def _recalled(self, situation: Situation, policy: Policy) -> Situation:
        """`situation` with what the terminal remembers. Raises: JournalError."""
        place = policy.places.get(self._place)
        if self._journal_or_none is None and place and place.unrecorded == "released":
            return situation  # what cannot be remembered does not keep anybody in
        known = remembered(self._journal.recall(situation.subject, self._place))
        limited = [n for n, event in policy.events.items() if event.place == self._place and event.capacity]
        return replace(
            situation,
            last_issued_at=known.last_issued_at,
            marks=known.marks,
            inside={name: self._journal.count(mark_key(MarkKind.SIGN_IN, name)) for name in limited},
            floor=None if situation.clock_trusted else self._journal.newest_time(),
        )

    def _conclude(self, begun_at: float, now: Moment, look: _Look, decision: Decision) -> Answer:
        """Record the decision; only then, if it allows, open."""
        situation, person = look.situation, look.situation.person
        record = Record(
            identity=str(uuid.uuid4()),
            happened_at=now.wall,
            clock_trusted=now.trusted,
            place=self._place,
            decision=decision,
            claimed_subject=look.claimed_subject,
            code=situation.code,
            reading=situation.reading,
            central_well=declared_well(situation, look.policy),
            attendant=situation.registration.attendant.subject if situation.registration else "",
            basis=now.basis,
        )
        note(self._thermal, situation.reading)
        entry: Entry | None = None
        try:
            if not self._spares(look, decision):
                kept = memos(decision, situation.code, now.wall)
                entry = self._journal.append(record, *_violations(record), memos=kept)
        except JournalError as error:
            log.error("%s", error)
            decision = self._unrecorded(look, decision)
        answered_at = time.monotonic()
        if decision.verdict is Verdict.ALLOW and look.policy:
            try:
                answered_at = self._open(entry, look.policy)
            except Exception:  # a pin that fails: the person must not wait for a gate that stays shut
                log.exception("relay failed")
                decision = Decision(Verdict.DENY, (Reason.TERMINAL_FAULT,), decision.notices)
        how = look.policy.names if look.policy else "masked"
        name = shown(person.name, how) if person else ""
        seconds = answered_at - begun_at
        return Answer(decision, name, situation.reading.celsius, seconds, entry, now, record.skew)

    def _spares(self, look: _Look, decision: Decision) -> bool:
        """Whether `decision` is not recorded because the disk is nearly full: a refusal of nobody known."""
        if self._house is None or self._house.room is not Room.SCARCE or look.policy is None:
            return False
        known = look.situation.person or decision.verdict is Verdict.ALLOW or decision.violations
        spared = not known and set(decision.reasons) <= set(look.policy.records.spared)
        self._house.unrecorded += spared
        return spared

    def _unrecorded(self, look: _Look, decision: Decision) -> Decision:
        """What becomes of `decision` when its record cannot be written."""
        place = look.policy.places.get(self._place) if look.policy else None
        if decision.verdict is Verdict.ALLOW and place and place.unrecorded == "released":
            return replace(decision, notices=(*decision.notices, Notice.UNRECORDED), marks=())
        return Decision(Verdict.DENY, (Reason.JOURNAL_UNWRITABLE,), decision.notices)

    def _open(self, entry: Entry | None, policy: Policy) -> float:
        """Open the gate; the monotonic time when it moved."""
        place = policy.places[self._place]
        seconds = place.pulse_seconds or policy.pulse_seconds
        if entry is None:
            return self._portal.open_unrecorded(place, seconds)
        return self._portal.open_for(entry, seconds)


def _refusal(situation: Situation) -> Decision:
    return Decision(Verdict.DENY, (situation.refused or Reason.TERMINAL_FAULT,))


def _violations(record: Record) -> list[ViolationRecord]:
    return [
        ViolationRecord(
            identity=str(uuid.uuid4()),
            happened_at=record.happened_at,
            clock_trusted=record.clock_trusted,
            place=record.place,
            violation=violation,
            claimed_subject=record.claimed_subject,
            scan=record.identity,
            basis=record.basis,
        )
        for violation in record.decision.violations
    ]
