"""Why a policy decides as it does: a made-up situation judged as a terminal would, finding by finding.

A terminal's memory, its clock's trust and its roster's age are taken to be good unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind, PassKind
from terminal.decision import Decision, concluded, judge, standing_notices
from terminal.declaration import Declaration
from terminal.findings import Finding, Mark
from terminal.person import Person, masked
from terminal.policy import Accepted, Policy
from terminal.reasons import SENTENCES
from terminal.situation import Situation

_PASS_DAYS = 86_400  # seconds that a made-up pass is good for, before and after
_MEASURED = 2.0  # seconds at least that a made-up temperature was measured for


@dataclass(frozen=True, slots=True)
class Explained:
    """A situation, what the rules said of it, in order, and the decision that followed."""

    policy: Policy
    situation: Situation
    code: Accepted
    findings: tuple[Finding, ...]
    decision: Decision


def explained(
    policy: Policy,
    *,
    place: str,
    now: datetime,
    subject: str,
    person: Person | None,
    code: Accepted = "personal",
    decidegrees: int | None = None,
    declaration: Declaration | None = None,
    marks: Mapping[str, int] | None = None,
) -> Explained:
    """The decision on `subject` with a good code of that kind. now: aware. marks: Unix seconds by key.

    person: as the roster has them, or None when it has nobody. declaration: what the code says.
    """
    at = int(now.timestamp())
    known = policy.places.get(place)
    if code == "personal":
        bound = place if known and known.requires_bound else ""
        shown = Code(CodeKind.PERSONAL, subject, "", issued_at=at, declaration=declaration, audience=bound)
    else:
        kind = PassKind.VISITOR if code == "visitor" else PassKind.CARD
        shown = Code(
            CodeKind.PASS,
            subject,
            "",
            not_before=at - _PASS_DAYS,
            expires_at=at + _PASS_DAYS,
            issuer="",
            pass_kind=kind,
        )
    seconds = max(_MEASURED, policy.thermal.min_seconds)
    measured = Reading(ThermalState.OK, decidegrees, seconds=seconds)
    reading = measured if decidegrees is not None else Reading(ThermalState.NONE)
    situation = Situation(place, now, code=shown, person=person, reading=reading, marks=dict(marks or {}))
    findings = judge(situation, policy)
    decision = concluded(findings, standing_notices(situation, policy))
    return Explained(policy, situation, code, findings, decision)


def as_lines(told: Explained) -> list[str]:
    """The explanation as people read it."""
    policy, situation, decision = told.policy, told.situation, told.decision
    local = policy.calendar.local(situation.now)
    week = policy.calendar.teaching_week(local.date())
    weekday = policy.calendar.weekday(local.date()) or "holiday"
    sentence = SENTENCES[decision.reasons[0]]
    reading = situation.reading
    lines = [
        f"{decision.verdict.upper()}  {', '.join(decision.reasons)}",
        "",
        f"where       {situation.place}",
        f"when        {local:%Y-%m-%d %H:%M} {policy.calendar.time_zone}, counts as {weekday}"
        + (f", teaching week {week}" if week else ""),
        f"who         {_who(told)}",
        f"shows       {told.code} code",
        f"measured    {reading.celsius + ' °C' if reading.celsius else f'no temperature ({reading.state})'}",
        f"told        {_sentence(sentence.zh, sentence.advice_zh)}",
        f"            {_sentence(sentence.en, sentence.advice_en)}",
        f"counts as   {'; '.join(_mark(mark) for mark in decision.marks) or 'nothing'}",
        f"noted       {', '.join(decision.notices) or 'nothing'}",
    ]
    for violation in decision.violations:
        evidence = ", ".join(f"{name} {value}" for name, value in violation.evidence.items())
        lines.append(f"violation   {violation.kind}: {evidence}")
    lines += ["", "The rules, in order:"]
    width = max(len(finding.rule) for finding in told.findings)
    for number, finding in enumerate(told.findings, start=1):
        lines.append(f"{number:3}. {finding.rule:{width}}  {finding.said}  [{_effect(finding)}]")
    return lines


def as_document(told: Explained) -> dict[str, Any]:
    """The explanation as machines read it."""
    situation, decision = told.situation, told.decision
    sentence = SENTENCES[decision.reasons[0]]
    return {
        "place": situation.place,
        "at": told.policy.calendar.local(situation.now).isoformat(),
        "subject": situation.subject,
        "known": situation.person is not None,
        "groups": sorted(told.policy.within(situation.person.groups)) if situation.person else [],
        "code": told.code,
        "celsius": situation.reading.celsius or None,
        "verdict": decision.verdict,
        "reasons": list(decision.reasons),
        "told": asdict(sentence),
        "marks": [asdict(mark) for mark in decision.marks],
        "notices": list(decision.notices),
        "violations": [asdict(violation) for violation in decision.violations],
        "findings": [
            {"rule": finding.rule, "said": finding.said, "effect": _effect(finding)}
            for finding in told.findings
        ],
    }


def _who(told: Explained) -> str:
    person = told.situation.person
    if person is None:
        return f"{told.situation.subject}, nobody that the roster knows"
    groups = ", ".join(person.groups)
    above = sorted(told.policy.within(person.groups) - set(person.groups))
    inside = f" (part of {', '.join(above)})" if above else ""
    parts = [person.subject, masked(person.name), f"{person.status} {person.kind}", f"{groups}{inside}"]
    if person.declared:
        parts.append(f"declared for {person.declared.day}: {'well' if person.declared.well else 'unwell'}")
    return ", ".join(part for part in parts if part)


def _sentence(headline: str, advice: str) -> str:
    return f"{headline} — {advice}" if advice else headline


def _mark(mark: Mark) -> str:
    late = f", late by {mark.late} min" if mark.late else ""
    return f"{mark.kind} {mark.name}".strip() + late


def _effect(finding: Finding) -> str:
    if finding.verdict is not None:
        effect = f"{finding.verdict}: {finding.reason}"
    elif finding.mark:
        effect = f"counts as {_mark(finding.mark)}"
    elif finding.notice:
        effect = f"noted: {finding.notice}"
    else:
        effect = "passes"
    return f"{effect}; violation: {finding.violation.kind}" if finding.violation else effect
