"""What a person is told besides the answer: words in both languages for every mark and notice."""

from __future__ import annotations

import pytest

from terminal.decision import Decision
from terminal.findings import Mark, MarkKind
from terminal.notes import NOTICES, Note, notes
from terminal.reasons import Notice, Reason, Verdict

NAMES = {
    MarkKind.CHECK_IN: ["2026-11-24/morning", "2026-11-24/afternoon"],
    MarkKind.MAKE_UP: ["2026-11-20"],
    MarkKind.ARRIVAL: ["2026-11-24/east"],
    MarkKind.ATTENDANCE: ["CS101/2026-11-24T08:00"],
    MarkKind.SIGN_IN: ["gala"],
    MarkKind.SIGN_OUT: ["gala"],
}
SILENT = {MarkKind.ENTRY, MarkKind.MANUAL}
TOLD = [Mark(kind, name, late) for kind, names in NAMES.items() for name in names for late in (0, 4)]


def told(*marks: Mark, notices: tuple[Notice, ...] = ()) -> list[Note]:
    return list(notes(Decision(Verdict.ALLOW, (Reason.OK,), notices, marks)))


def in_both_languages(note: Note) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in note.zh) and note.en.isascii() and bool(note.en)


def test_every_kind_of_mark_is_either_told_or_silent() -> None:
    assert set(NAMES) | SILENT == set(MarkKind)
    assert told(*(Mark(kind, "") for kind in SILENT)) == []


@pytest.mark.parametrize("mark", TOLD, ids=lambda mark: f"{mark.key}-{mark.late}")
def test_every_mark_that_a_person_is_told_has_words_in_both_languages(mark: Mark) -> None:
    [note] = told(mark)
    assert in_both_languages(note)


@pytest.mark.parametrize("kind", [MarkKind.CHECK_IN, MarkKind.ATTENDANCE])
def test_whoever_is_late_is_told_by_how_much_in_both_languages(kind: MarkKind) -> None:
    for name in NAMES[kind]:
        [late], [in_time] = told(Mark(kind, name, 17)), told(Mark(kind, name))
        assert "17" in late.zh
        assert "late, 17 min" in late.en
        assert "late" not in in_time.en


def test_morning_and_afternoon_and_the_course_are_named() -> None:
    morning, afternoon = (told(Mark(MarkKind.CHECK_IN, name))[0] for name in NAMES[MarkKind.CHECK_IN])
    assert (morning.zh[:2], afternoon.zh[:2]) == ("上午", "下午")
    [course] = told(Mark(MarkKind.ATTENDANCE, "CS101/2026-11-24T08:00"))
    assert course == Note("CS101 已签到", "CS101: present")


def test_what_is_noted_of_the_terminal_is_not_told_to_persons() -> None:
    of_the_terminal = {
        Notice.CLOCK_UNTRUSTED, Notice.LAST_TRUSTED_TIME, Notice.ROSTER_OLD, Notice.NO_TEMPERATURE,
    }  # fmt: skip
    assert set(NOTICES) == set(Notice) - of_the_terminal
    assert told(notices=tuple(of_the_terminal)) == []
    assert all(in_both_languages(note) for note in NOTICES.values())


def test_marks_are_told_before_notices() -> None:
    first, second = told(Mark(MarkKind.SIGN_IN, "gala"), notices=(Notice.PASSBACK,))
    assert (first.en, second) == ("Signed in", NOTICES[Notice.PASSBACK])
