"""What a scan counted as, in words for the person: "morning check-in recorded", "late, 4 min"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from terminal.decision import Decision
from terminal.findings import Mark, MarkKind
from terminal.reasons import Notice


class Note(NamedTuple):
    """One short sentence in two languages."""

    zh: str
    en: str


_HALVES = {"morning": Note("上午", "Morning"), "afternoon": Note("下午", "Afternoon")}

NOTICES: dict[Notice, Note] = {
    Notice.MISMATCH: Note("申报与测温不符，将核实", "Declared and measured differ: it will be verified"),
    Notice.PASSBACK: Note("重复入内已记录", "Entering again was noted"),
    Notice.UNDECLARED: Note("请补填今日健康申报", "Please fill in today's declaration later"),
    Notice.UNRECORDED: Note("本次未能记录", "This could not be recorded"),
    Notice.ALREADY: Note("此前已登记", "Already recorded before"),
}
"""What persons are told of notices; the others are about the terminal, for its staff."""


def notes(decision: Decision) -> Iterator[Note]:
    """What the person is told besides the answer itself, most important first."""
    for mark in decision.marks:
        if (note := _of_mark(mark)) is not None:
            yield note
    for notice in decision.notices:
        if notice in NOTICES:
            yield NOTICES[notice]


def _of_mark(mark: Mark) -> Note | None:
    match mark.kind:
        case MarkKind.CHECK_IN:
            half = _HALVES[mark.name.rpartition("/")[2]]
            if mark.late:
                return Note(
                    f"{half.zh}打卡，迟到 {mark.late} 分钟", f"{half.en} check-in: late, {mark.late} min"
                )
            return Note(f"{half.zh}打卡成功", f"{half.en} check-in recorded")
        case MarkKind.ATTENDANCE:
            course = mark.name.rpartition("/")[0]
            if mark.late:
                return Note(f"{course} 迟到 {mark.late} 分钟", f"{course}: late, {mark.late} min")
            return Note(f"{course} 已签到", f"{course}: present")
        case MarkKind.MAKE_UP:
            return Note("补卡成功", "Make-up recorded")
        case MarkKind.ARRIVAL:
            return Note("到达本校区已登记", "Arrival on this campus recorded")
        case MarkKind.SIGN_IN:
            return Note("活动签到成功", "Signed in")
        case MarkKind.SIGN_OUT:
            return Note("活动签退成功", "Signed out")
        case MarkKind.MANUAL | MarkKind.ENTRY:
            return None
