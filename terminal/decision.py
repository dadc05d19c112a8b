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
    accepted from this person at this place. roster_age: since roster and policy were published.
    """

    place: str
    now: datetime
    clock_trusted: bool = True
    refused: Reason | None = None
    code: Code | None = None
    person: Person | None = None
    reading: Reading = _NO_TEMPERATURE
    last_issued_at: int | None = None
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
    refusal = refusal or _person_refusal(situation.code, situation.person, place)
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
    if situation.roster_age > timedelta(seconds=policy.roster.warn_seconds):
        found.append(Notice.ROSTER_OLD)
    if situation.reading.state is not ThermalState.OK:
        found.append(Notice.NO_TEMPERATURE)
    return tuple(found)


def _code_refusal(situation: Situation, policy: Policy, place: Place) -> Reason | None:
    code = situation.code
    if code is None:
        return Reason.CODE_DAMAGED
    now = situation.now.timestamp()
    if code.kind is CodeKind.PERSONAL:
        if "personal" not in place.accepts:
            return Reason.CODE_UNSUPPORTED
        if not situation.clock_trusted:
            return Reason.CLOCK_UNTRUSTED  # freshness means nothing then; a pass still opens
        issued_at = code.issued_at or 0
        if issued_at - now > policy.code.skew_seconds:
            return Reason.CODE_FUTURE
        if now - issued_at > policy.code.fresh_seconds + policy.code.skew_seconds:
            return Reason.CODE_STALE
        # Strictly newer than the last accepted: a screenshot handed back never is, a phone's next code is.
        if situation.last_issued_at is not None and issued_at <= situation.last_issued_at:
            return Reason.CODE_REPLAYED
        return None
    if str(code.pass_kind) not in place.accepts:
        return Reason.CODE_UNSUPPORTED
    if situation.clock_trusted and code.not_before is not None and now < code.not_before:
        return Reason.CODE_NOT_YET_VALID
    if situation.clock_trusted and code.expires_at is not None and now >= code.expires_at:
        return Reason.CODE_EXPIRED
    if code.places and situation.place not in code.places:
        return Reason.CODE_WRONG_PLACE
    return None


def _person_refusal(code: Code | None, person: Person | None, place: Place) -> Reason | None:
    if person is None:
        # A visitor's pass speaks for itself: reception issued it after the roster was published.
        if code is not None and code.pass_kind is PassKind.VISITOR:
            return None if PersonKind.VISITOR in place.admits else Reason.PERSON_NOT_ADMITTED
        return Reason.PERSON_UNKNOWN
    if person.status is not Status.ACTIVE:
        return Reason.PERSON_SUSPENDED
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
