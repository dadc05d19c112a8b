"""Who is it, and may they be on campus at all? The roster's age, the person, an attendant who vouches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from terminal.codes import PassKind
from terminal.findings import Finding, refused
from terminal.person import Person, PersonKind, Status
from terminal.policy import Policy
from terminal.reasons import SENTENCES, Reason
from terminal.situation import Scene, Situation

_STATUSES = {
    Status.SUSPENDED: Reason.PERSON_SUSPENDED,
    Status.ISOLATED: Reason.PERSON_ISOLATED,
    Status.REVOKED: Reason.PERSON_REVOKED,
}


def roster_age(scene: Scene) -> Iterator[Finding]:
    """What the age of the roster forbids; by a clock that is not trusted it has no age."""
    situation, terms = scene.situation, scene.policy.roster
    if not situation.clock_trusted:
        return
    if situation.roster_age > timedelta(seconds=terms.close_seconds):
        yield refused("roster age", Reason.ROSTER_EXPIRED, f"the roster is {situation.roster_age} old")
        return
    old = situation.roster_age > timedelta(seconds=terms.restrict_seconds)
    visitor = situation.code is not None and situation.code.pass_kind is PassKind.VISITOR
    visitor = visitor or (situation.person is not None and situation.person.kind is PersonKind.VISITOR)
    if old and visitor:
        yield refused(
            "roster age", Reason.ROSTER_STALE, f"the roster is {situation.roster_age} old: no visitors"
        )


def person(scene: Scene) -> Iterator[Finding]:
    """Whoever is unknown, suspended, isolated (R22), revoked, out of term, or of a kind not admitted (R1)."""
    situation, known, admits = scene.situation, scene.situation.person, scene.place.admits
    if known is None:
        # A visitor's pass speaks for itself: reception issued it after the roster was published.
        if situation.code is None or situation.code.pass_kind is not PassKind.VISITOR:
            yield refused("R1 person", Reason.PERSON_UNKNOWN, "nobody by that number is in the roster")
        elif PersonKind.VISITOR not in admits:
            yield refused("R1 person", Reason.PERSON_NOT_ADMITTED, "visitors are not admitted here")
        else:
            yield Finding("R9 visitor", "a visitor's pass stands for the visitor")
        return
    if (reason := standing(known, situation)) is not None:
        rule = "R22 isolation" if reason is Reason.PERSON_ISOLATED else "R1 person"
        yield refused(rule, reason, f"{known.subject}: {SENTENCES[reason].en.lower()}")
    elif known.kind not in admits:
        yield refused(
            "R1 person", Reason.PERSON_NOT_ADMITTED, f"people of kind {known.kind} are not admitted here"
        )
    else:
        yield Finding("R1 person", f"{known.subject} is {known.status}, and {known.kind} is admitted here")


def standing(known: Person, situation: Situation) -> Reason | None:
    """Why `known` is nobody's to let in, wherever it is; None for a person in good standing."""
    if known.status is not Status.ACTIVE:
        return _STATUSES[known.status]
    now = situation.now if situation.clock_trusted else situation.floor
    if now is not None and known.valid_until is not None and now.timestamp() >= known.valid_until:
        return Reason.PERSON_EXPIRED
    early = known.valid_from is not None and situation.now.timestamp() < known.valid_from
    return Reason.PERSON_NOT_YET_VALID if early and situation.clock_trusted else None


def attendant(scene: Scene) -> Iterator[Finding]:
    """A manual registration by whoever may not, for oneself, or more than the limit (R16)."""
    registration, terms = scene.situation.registration, scene.policy.manual
    if registration is None:
        return
    rule, who = "R16 manual registration", registration.attendant
    if scene.situation.refused:
        yield refused(rule, scene.situation.refused, "the terminal cannot look the person up")
    elif not may_attend(who, scene.situation, scene.policy):
        yield refused(rule, Reason.MANUAL_ATTENDANT, f"{who.subject} is no attendant")
    elif scene.situation.subject == who.subject:
        yield refused(rule, Reason.MANUAL_SELF, "an attendant cannot register themself")
    elif registration.this_hour >= terms.per_hour:
        yield refused(rule, Reason.MANUAL_LIMIT, f"{registration.this_hour} registrations in the last hour")
    else:
        yield Finding(rule, f"{who.subject} vouches for whoever it is")


def attends(scene: Scene) -> Iterator[Finding]:
    """Whoever shows a code to register other people, and may not."""
    who = scene.situation.person
    if who is None or not may_attend(who, scene.situation, scene.policy):
        yield refused(
            "R16 manual registration", Reason.MANUAL_ATTENDANT, "whoever shows the code is no attendant"
        )


def may_attend(who: Person, situation: Situation, policy: Policy) -> bool:
    """Whether `who` may register other people by hand."""
    terms = policy.manual
    if standing(who, situation) is not None or who.kind not in terms.kinds:
        return False
    return not terms.groups or not policy.within(who.groups).isdisjoint(terms.groups)
