"""The decision: one pure function from what is known to what is done. No clock, no disk, no randomness.

The same situation and policy always give the same decision, at the gate, at central and in a test. The rules
stand in terminal/rules/; here stands which of them speak, in which order, and what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from hw.thermal import ThermalState
from terminal.codes import CodeKind
from terminal.findings import Finding, Mark, Violation, refused
from terminal.policy import Policy
from terminal.reasons import Notice, Reason, Verdict
from terminal.rules import attendance, codes, entry, health, people
from terminal.situation import Scene, Situation

Rule = Callable[[Scene], Iterator[Finding]]

# Whoever one of these refuses is not looked at further: it is not known who that is, or it is settled.
_WHO: tuple[Rule, ...] = (people.roster_age, codes.code, people.person)
_WHO_REGISTERED: tuple[Rule, ...] = (people.roster_age, people.attendant, people.person)
_ATTENDANT: tuple[Rule, ...] = (people.roster_age, codes.code, people.attends)
# All of these speak: a person is told the worst first.
_WHETHER: tuple[Rule, ...] = (
    health.temperature, health.declared, health.mismatch,
    entry.permits, entry.passback, attendance.guests, attendance.classes,
)  # fmt: skip
# What it counts as, once somebody is let in.
_COUNTS_AS: tuple[Rule, ...] = (
    attendance.registered, attendance.checked_in, attendance.present, attendance.signed_in, entry.entered,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, why, and what is noted besides. The first reason is the one the person is told.

    marks: what the scan counts as; only somebody who is let in gets any.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    notices: tuple[Notice, ...] = ()
    marks: tuple[Mark, ...] = ()
    violations: tuple[Violation, ...] = ()


def decide(situation: Situation, policy: Policy) -> Decision:
    """What to do in `situation` under `policy`. Total: it never raises."""
    return concluded(judge(situation, policy), standing_notices(situation, policy))


def decide_attendant(situation: Situation, policy: Policy) -> Decision:
    """Whether whoever shows the code in `situation` may register other people by hand (R16). Total.

    Whether they may pass here themselves is beside the point: the code must be theirs, and new.
    """
    place = policy.places.get(situation.place)
    if place is None:
        return concluded(judge(situation, policy))
    return concluded(tuple(_first_refusal(_ATTENDANT, Scene(situation, policy, place))))


def judge(situation: Situation, policy: Policy) -> tuple[Finding, ...]:
    """All that the rules say of `situation`, in the order in which they are asked."""
    place = policy.places.get(situation.place)
    if place is None:
        said = f"the policy has no place {situation.place!r}"
        return (refused("place", Reason.POLICY_MISSING, said),)
    return tuple(_findings(Scene(situation, policy, place)))


def concluded(findings: tuple[Finding, ...], notices: tuple[Notice, ...] = ()) -> Decision:
    """The decision that follows from `findings`. notices: what is to be noted whatever they say."""
    against = [finding for finding in findings if finding.verdict is not None]
    worst = Verdict.DENY if any(one.verdict is Verdict.DENY for one in against) else Verdict.REFER
    against.sort(key=lambda finding: finding.verdict is not worst)  # stable
    reasons = tuple(dict.fromkeys(finding.reason for finding in against if finding.reason))
    return Decision(
        worst if reasons else Verdict.ALLOW,
        reasons or (Reason.OK,),
        tuple(dict.fromkeys((*notices, *(f.notice for f in findings if f.notice)))),
        tuple(finding.mark for finding in findings if finding.mark),
        tuple(finding.violation for finding in findings if finding.violation),
    )


def standing_notices(situation: Situation, policy: Policy) -> tuple[Notice, ...]:
    """What is noted of the terminal's own state, whoever stands there."""
    found = []
    if not situation.clock_trusted:
        found.append(Notice.CLOCK_UNTRUSTED)
        personal = situation.code is not None and situation.code.kind is CodeKind.PERSONAL
        if personal and codes.trusted_floor(situation, policy) is not None:
            found.append(Notice.LAST_TRUSTED_TIME)
    if situation.roster_age > timedelta(seconds=policy.roster.warn_seconds):
        found.append(Notice.ROSTER_OLD)
    if situation.reading.state is not ThermalState.OK:
        found.append(Notice.NO_TEMPERATURE)
    return tuple(found)


def _findings(scene: Scene) -> Iterator[Finding]:
    against = False
    for finding in _first_refusal(_WHO_REGISTERED if scene.situation.registration else _WHO, scene):
        against = finding.verdict is not None
        yield finding
    if against:
        return
    for rule in _WHETHER:
        for finding in rule(scene):
            against = against or finding.verdict is not None
            yield finding
    if not against:
        for rule in _COUNTS_AS:
            yield from rule(scene)


def _first_refusal(rules: tuple[Rule, ...], scene: Scene) -> Iterator[Finding]:
    """What the rules say until one refuses."""
    for rule in rules:
        for finding in rule(scene):
            yield finding
            if finding.verdict is not None:
                return
