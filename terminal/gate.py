"""The way of one scan: sighting -> verified code -> person -> decision -> durable record -> relay -> answer.

Every refusal on the way becomes a decision with a reason, is recorded like an entry is, and leaves the next
scan untouched. If the record cannot be written the gate stays as it is and the answer says so.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from hw.clock import Clock, Moment
from hw.thermal import Thermal
from terminal.codes import Claimed, Code, CodeKind, CodeRefused, from_compressed, parse, verify
from terminal.decision import Decision, Situation, decide
from terminal.journal import Entry, Journal, JournalError
from terminal.person import Person, shown
from terminal.policy import Policy
from terminal.portal import Portal
from terminal.reasons import Reason, Verdict
from terminal.records import Record
from terminal.roster import Roster, RosterRefused
from terminal.roster_shelf import RosterShelf
from terminal.scanner import Sighting

log = logging.getLogger(__name__)


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
    """What was found out about a sighting; policy None when the roster is refused."""

    situation: Situation
    policy: Policy | None
    claimed_subject: str


class Gate:
    """One gate: gives an Answer for each Sighting. Not thread-safe: one thread scans."""

    def __init__(
        self,
        *,
        place: str,
        shelf: RosterShelf,
        journal: Journal,
        portal: Portal,
        thermal: Thermal,
        clock: Clock,
    ) -> None:
        self._place, self._shelf, self._journal = place, shelf, journal
        self._portal, self._thermal, self._clock = portal, thermal, clock
        self.roster_refused = ""  # why the last lookup failed, until one succeeds

    def handle(self, sighting: Sighting) -> Answer:
        """Decide on `sighting`, record it, open if it is allowed, and say what came of it. Never raises."""
        now = self._clock.now()
        try:
            look = self._look(sighting.text, now)
            decision = decide(look.situation, look.policy) if look.policy else _refusal(look.situation)
        except Exception:  # whatever it was, the person is answered and the next one served
            log.exception("scan failed")
            look = _Look(Situation(self._place, now.wall), None, "")
            decision = Decision(Verdict.DENY, (Reason.TERMINAL_FAULT,))
        return self._conclude(sighting, now, look, decision)

    def _look(self, text: str, now: Moment) -> _Look:
        """All the decision needs to know about whoever holds up `text`."""
        look = _Look(Situation(self._place, now.wall, now.trusted, reading=self._thermal.read()), None, "")
        try:
            roster = self._shelf.current(now)
            age = now.wall - roster.published_at
            look = replace(look, situation=replace(look.situation, roster_age=age), policy=roster.policy())
            claimed = parse(text)
            look = replace(look, claimed_subject=claimed.subject)
            person = roster.person(claimed.subject)
            code = verified(claimed, person, roster)
            last = self._journal.last_issued_at(code.subject, self._place)
            floor = None if now.trusted else self._journal.newest_time()
            self.roster_refused = ""
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
        situation = replace(look.situation, code=code, person=person, last_issued_at=last, floor=floor)
        return replace(look, situation=situation)

    def _conclude(self, sighting: Sighting, now: Moment, look: _Look, decision: Decision) -> Answer:
        """Record the decision; only then, if it allows, open."""
        situation, code = look.situation, look.situation.code
        record = Record(
            identity=str(uuid.uuid4()),
            happened_at=now.wall,
            clock_trusted=now.trusted,
            place=self._place,
            decision=decision,
            claimed_subject=look.claimed_subject,
            code=code,
            reading=situation.reading,
        )
        allowed = decision.verdict is Verdict.ALLOW
        entry: Entry | None = None
        try:
            fresh = code.issued_at if allowed and code and code.kind is CodeKind.PERSONAL else None
            entry = self._journal.append(record, issued_at=fresh)
        except JournalError as error:
            log.error("%s", error)
            decision = Decision(Verdict.DENY, (Reason.JOURNAL_UNWRITABLE,), decision.notices)
        answered_at = time.monotonic()
        if allowed and entry and look.policy:
            try:
                answered_at = self._portal.open_for(entry, look.policy.pulse_seconds)
            except Exception:  # a pin that fails: the person must not wait for a gate that stays shut
                log.exception("relay failed")
                decision = Decision(Verdict.DENY, (Reason.TERMINAL_FAULT,), decision.notices)
        how = look.policy.names if look.policy else "masked"
        name = shown(situation.person.name, how) if situation.person else ""
        seconds = answered_at - sighting.frame.captured_at
        return Answer(decision, name, situation.reading.celsius, seconds, entry, now, record.skew)


def verified(claimed: Claimed, person: Person | None, roster: Roster) -> Code:
    """`claimed` as a Code, checked with the key that must have signed it. Raises: CodeRefused, RosterRefused.

    An unknown person's personal code cannot be verified by anyone: it is refused as an unknown person.
    """
    if claimed.kind is CodeKind.PASS:
        key = roster.issuer(claimed.key_id)
        if key is None:
            raise CodeRefused(Reason.CODE_ISSUER_UNKNOWN, f"no issuer has the key id {claimed.key_id}")
        return verify(claimed, key)
    if person is None or not person.keys:
        raise CodeRefused(Reason.PERSON_UNKNOWN, "nobody by that number has a phone key")
    refused: CodeRefused | None = None
    for key in _keys(person):
        try:
            return verify(claimed, key)
        except CodeRefused as error:
            refused = error
    raise refused or CodeRefused(Reason.CODE_FORGED, "no key of the person fits")


def _keys(person: Person) -> list[EllipticCurvePublicKey]:
    try:
        return [from_compressed(point) for point in person.keys]
    except ValueError as error:
        raise RosterRefused(Reason.ROSTER_ALTERED, f"a phone key of {person.subject} is malformed") from error


def _refusal(situation: Situation) -> Decision:
    return Decision(Verdict.DENY, (situation.refused or Reason.TERMINAL_FAULT,))
