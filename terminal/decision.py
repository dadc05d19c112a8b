"""The decision: one pure function from what is known to what is done. No clock, no disk, no randomness.

The same situation and policy always give the same decision, at the gate, at central and in a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.person import Person, PersonKind, Status
from terminal.policy import Place, Policy
from terminal.reasons import Notice, Reason, Verdict

_VERDICTS = {"allow": Verdict.ALLOW, "refer": Verdict.REFER, "deny": Verdict.DENY}
_NO_TEMPERATURE = Reading(ThermalState.NONE)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when somebody stands there.

    now: aware, UTC. refused: why there is no verified code (then code is None). person: None when the roster
    has nobody by the code's subject. last_issued_at: Unix seconds, issue time of the newest personal code
    accepted from this person at this place. floor: for a clock that is not trusted, the last time that was
    (UTC): it is later than that now. roster_age: since roster and policy were published.
    """

    place: str
    now: datetime
    clock_trusted: bool = True
    refused: Reason | None = None
    code: Code | None = None
    person: Person | None = None
    reading: Reading = _NO_TEMPERATURE
    last_issued_at: int | None = None
    floor: datetime | None = None
    roster_age: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, why, and what is noted besides. The first reason is the one the person is told."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    notices: tuple[Notice, ...] = ()


def decide(situation: Situation, policy: Policy) -> Decision:
    """What to do in `situation` under `policy`."""
    notices = _notices(situation, policy)
    place = policy.places.get(situation.place)
    if place is None:
        return Decision(Verdict.DENY, (Reason.POLICY_MISSING,), notices)
    refusal = situation.refused or _code_refusal(situation, policy, place)
    refusal = _staleness(situation, policy) or refusal
    refusal = refusal or _person_refusal(situation, place)
    if refusal:
        return Decision(Verdict.DENY, (refusal,), notices)
    findings = [*_temperature(situation.reading, policy, place), *_declared(situation.code)]
    if not findings:
        return Decision(Verdict.ALLOW, (Reason.OK,), notices)
    worst = Verdict.DENY if any(v is Verdict.DENY for v, _ in findings) else Verdict.REFER
    reasons = sorted(findings, key=lambda finding: finding[0] is not worst)
    return Decision(worst, tuple(reason for _, reason in reasons), notices)


def _notices(situation: Situation, policy: Policy) -> tuple[Notice, ...]:
    found = []
    if not situation.clock_trusted:
        found.append(Notice.CLOCK_UNTRUSTED)
        personal = situation.code is not None and situation.code.kind is CodeKind.PERSONAL
        if personal and _floor(situation, policy) is not None:
            found.append(Notice.LAST_TRUSTED_TIME)
    if situation.roster_age > timedelta(seconds=policy.roster.warn_seconds):
        found.append(Notice.ROSTER_OLD)
    if situation.reading.state is not ThermalState.OK:
        found.append(Notice.NO_TEMPERATURE)
    return tuple(found)


def _staleness(situation: Situation, policy: Policy) -> Reason | None:
    """What the age of the roster forbids; by a clock that is not trusted it has no age."""
    if not situation.clock_trusted:
        return None
    if situation.roster_age > timedelta(seconds=policy.roster.close_seconds):
        return Reason.ROSTER_EXPIRED
    old = situation.roster_age > timedelta(seconds=policy.roster.restrict_seconds)
    visitor = situation.code is not None and situation.code.pass_kind is PassKind.VISITOR
    visitor = visitor or (situation.person is not None and situation.person.kind is PersonKind.VISITOR)
    return Reason.ROSTER_STALE if old and visitor else None


def _code_refusal(situation: Situation, policy: Policy, place: Place) -> Reason | None:
    code = situation.code
    if code is None:
        return Reason.CODE_DAMAGED
    if (str(code.pass_kind) if code.kind is CodeKind.PASS else "personal") not in place.accepts:
        return Reason.CODE_UNSUPPORTED
    if code.audience and code.audience != situation.place:
        return Reason.CODE_OTHER_PLACE
    if code.kind is CodeKind.PERSONAL:
        return _personal_refusal(code, situation, policy, place)
    now = situation.now.timestamp()
    if situation.clock_trusted and code.not_before is not None and now < code.not_before:
        return Reason.CODE_NOT_YET_VALID
    if situation.clock_trusted and code.expires_at is not None and now >= code.expires_at:
        return Reason.CODE_EXPIRED
    if code.places and situation.place not in code.places:
        return Reason.CODE_WRONG_PLACE
    return None


def _personal_refusal(code: Code, situation: Situation, policy: Policy, place: Place) -> Reason | None:
    if place.requires_bound and not code.audience:
        return Reason.CODE_UNBOUND
    issued_at = code.issued_at or 0
    oldest = policy.code.fresh_seconds + policy.code.skew_seconds
    if situation.clock_trusted:
        now = situation.now.timestamp()
        if issued_at - now > policy.code.skew_seconds:
            return Reason.CODE_FUTURE
    else:
        floor = _floor(situation, policy)
        if floor is None:
            return Reason.CLOCK_UNTRUSTED  # freshness means nothing then; a pass still opens
        now = floor.timestamp()  # it is later than this, nobody knows how much: nothing is of the future
    if now - issued_at > oldest:
        return Reason.CODE_STALE
    # Strictly newer than the last accepted: a screenshot handed back never is, a phone's next code is.
    if situation.last_issued_at is not None and issued_at <= situation.last_issued_at:
        return Reason.CODE_REPLAYED
    return None


def _floor(situation: Situation, policy: Policy) -> datetime | None:
    """What personal codes are judged by while the clock is not trusted; None when they are refused then."""
    return situation.floor if policy.code.untrusted_clock == "last-trusted" else None


def _person_refusal(situation: Situation, place: Place) -> Reason | None:
    code, person = situation.code, situation.person
    if person is None:
        # A visitor's pass speaks for itself: reception issued it after the roster was published.
        if code is not None and code.pass_kind is PassKind.VISITOR:
            return None if PersonKind.VISITOR in place.admits else Reason.PERSON_NOT_ADMITTED
        return Reason.PERSON_UNKNOWN
    if person.status is not Status.ACTIVE:
        return Reason.PERSON_REVOKED if person.status is Status.REVOKED else Reason.PERSON_SUSPENDED
    now = situation.now if situation.clock_trusted else situation.floor
    if now is not None and person.valid_until is not None and now.timestamp() >= person.valid_until:
        return Reason.PERSON_EXPIRED
    too_early = person.valid_from is not None and situation.now.timestamp() < person.valid_from
    if too_early and situation.clock_trusted:
        return Reason.PERSON_NOT_YET_VALID
    return None if person.kind in place.admits else Reason.PERSON_NOT_ADMITTED


def _temperature(reading: Reading, policy: Policy, place: Place) -> list[tuple[Verdict, Reason]]:
    if reading.decidegrees is not None and reading.decidegrees >= policy.thermal.fever_decidegrees:
        return [(_VERDICTS[policy.thermal.at_fever], Reason.HEALTH_FEVER)]
    if reading.decidegrees is None and place.thermal and policy.thermal.unavailable != "allow":
        return [(_VERDICTS[policy.thermal.unavailable], Reason.THERMAL_UNAVAILABLE)]
    return []


def _declared(code: Code | None) -> list[tuple[Verdict, Reason]]:
    declaration = code.declaration if code else None
    if declaration and (declaration.symptoms or declaration.contact):
        return [(Verdict.REFER, Reason.HEALTH_DECLARED)]
    return []
