"""Is this code good here and now? Kind, place, validity, freshness and replay (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from terminal.codes import Code, CodeKind
from terminal.findings import Finding, Violation, ViolationKind, refused
from terminal.policy import Policy
from terminal.reasons import Reason
from terminal.situation import Scene, Situation

RULE = "R3 code"


def code(scene: Scene) -> Iterator[Finding]:
    """A code that is not accepted here, not valid now, not fresh, or shown before."""
    situation, place = scene.situation, scene.place
    if situation.refused:
        yield refused(RULE, situation.refused, "there is no verified code")
        return
    shown = situation.code
    if shown is None:
        yield refused(RULE, Reason.CODE_DAMAGED, "there is no code")
        return
    kind = str(shown.pass_kind) if shown.kind is CodeKind.PASS else "personal"
    if kind not in place.accepts:
        yield refused(RULE, Reason.CODE_UNSUPPORTED, f"{kind} codes are not accepted here")
    elif shown.audience and shown.audience != situation.place:
        yield refused(RULE, Reason.CODE_OTHER_PLACE, f"the code was made for {shown.audience}")
    elif shown.kind is CodeKind.PERSONAL:
        yield from _personal(scene, shown)
    else:
        yield from _pass(scene, shown)


def _pass(scene: Scene, shown: Code) -> Iterator[Finding]:
    """A pass has dates, which count when the clock does, and may name its places."""
    situation = scene.situation
    now, trusted = situation.now.timestamp(), situation.clock_trusted
    if trusted and shown.not_before is not None and now < shown.not_before:
        yield refused(RULE, Reason.CODE_NOT_YET_VALID, "the pass is not valid yet")
    elif trusted and shown.expires_at is not None and now >= shown.expires_at:
        yield refused(RULE, Reason.CODE_EXPIRED, "the pass has expired")
    elif shown.places and situation.place not in shown.places:
        yield refused(RULE, Reason.CODE_WRONG_PLACE, f"the pass is for {', '.join(shown.places)}")
    else:
        yield Finding(RULE, "the pass is genuine and valid")


def _personal(scene: Scene, shown: Code) -> Iterator[Finding]:
    situation, terms = scene.situation, scene.policy.code
    if scene.place.requires_bound and not shown.audience:
        yield refused(RULE, Reason.CODE_UNBOUND, "codes must be made for this very place")
        return
    issued_at = shown.issued_at or 0
    if situation.clock_trusted:
        now = situation.now.timestamp()
        if issued_at - now > terms.skew_seconds:
            yield refused(RULE, Reason.CODE_FUTURE, f"the code was made {issued_at - now:.0f} s from now")
            return
    else:
        floor = trusted_floor(situation, scene.policy)
        if floor is None:  # freshness means nothing then; a pass still opens
            yield refused(RULE, Reason.CLOCK_UNTRUSTED, "freshness cannot be judged without a clock")
            return
        now = floor.timestamp()  # it is later than this, nobody knows how much: nothing is of the future
    last = situation.last_issued_at
    if now - issued_at > terms.fresh_seconds + terms.skew_seconds:
        yield refused(RULE, Reason.CODE_STALE, f"the code was made {now - issued_at:.0f} s ago")
    # Strictly newer than the last accepted: a screenshot handed back never is, a phone's next code is.
    elif last is not None and issued_at <= last:
        evidence: dict[str, str | int] = {
            "code": shown.digest,
            "issued_at": issued_at,
            "accepted_issued_at": last,
        }
        again = Violation(ViolationKind.REPLAYED_CODE, evidence)
        yield refused(
            RULE, Reason.CODE_REPLAYED, "this code, or a newer one, was accepted here before", again
        )
    else:
        yield Finding(RULE, "the code is genuine, fresh and new")


def trusted_floor(situation: Situation, policy: Policy) -> datetime | None:
    """What personal codes are judged by while the clock is not trusted; None when they are refused then."""
    return situation.floor if policy.code.untrusted_clock == "last-trusted" else None
