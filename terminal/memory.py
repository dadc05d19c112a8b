"""What a terminal remembers of people for the rules, between a decision and the journal. Pure.

Memos lie in the journal under keyed digests of person and place, and expire: nothing of health is in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from terminal.codes import Code, CodeKind
from terminal.decision import Decision
from terminal.findings import mark_key
from terminal.journal import Memo
from terminal.reasons import Verdict
from terminal.situation import Remembered

ISSUED_AT = "code"
FORGET_AFTER = 86_400  # seconds that a person's last accepted code is remembered; freshness is far shorter


def memos(decision: Decision, code: Code | None, at: datetime) -> Sequence[Memo]:
    """What is to be remembered of a person after `decision` was made on their `code` at that time."""
    if decision.verdict is not Verdict.ALLOW:
        return ()
    now, found = int(at.timestamp()), []
    if code is not None and code.kind is CodeKind.PERSONAL and code.issued_at is not None:
        # A clock that is behind must not have the code forgotten as soon as it is set right.
        found.append(Memo(ISSUED_AT, code.issued_at, max(now, code.issued_at) + FORGET_AFTER))
    for mark in decision.marks:
        if mark.replaces:
            found.append(Memo(mark_key(mark.replaces, mark.name), now, 0))
        if mark.keep_until:
            found.append(Memo(mark.key, now, mark.keep_until))
    return found


def remembered(values: Mapping[str, int]) -> Remembered:
    """What the journal recalls of a person, as the rules want it."""
    marks = dict(values)
    return Remembered(marks.pop(ISSUED_AT, None), marks)
