"""What the terminal knows about itself at this moment, for the screen and for whoever asks.

Pure: it turns facts into a View and a status document and reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.camera_feed import FeedState, FeedStatus
from hw.clock import ClockState, Moment, Source
from terminal.decision import Decision
from terminal.gate import Answer
from terminal.manual import Prompt
from terminal.notes import Note, notes
from terminal.phone_clocks import PhoneClocks
from terminal.policy import Language, Place
from terminal.portal import PortalState
from terminal.reasons import SENTENCES, Reason, Verdict
from terminal.screen.view import Mode, View

SHOWN_FOR = 3.0  # seconds that an answer stays on the screen
_NOTES = 2  # that fit under an answer

_MODES = {Verdict.ALLOW: Mode.ALLOW, Verdict.DENY: Mode.DENY, Verdict.REFER: Mode.REFER}


@dataclass(frozen=True, slots=True)
class TerminalState:
    """One moment of the terminal. fault: why nobody can be served now. waiting: records central lacks."""

    now: Moment
    device: str
    place: Place | None
    camera: FeedStatus
    portal: PortalState
    waiting: int
    records: int
    answers: int
    fault: Reason | None = None
    fault_detail: str = ""
    roster_version: int | None = None
    roster_refused: str = ""
    answer: Answer | None = None
    preview: npt.NDArray[np.uint8] | None = field(default=None, compare=False)
    crowded: bool = False  # several codes in view, none of which stands out
    extra_notices: tuple[str, ...] = ()
    phone_clocks: PhoneClocks = field(default_factory=PhoneClocks)
    device_code: str = ""  # for phones to scan; "" for none
    prompt: Prompt | None = None  # what manual registration asks for
    languages: tuple[Language, ...] = ("zh", "en")
    zone: tzinfo | None = None  # the school's; None for the machine's own
    case_open: bool = False
    clock: ClockState = field(default_factory=ClockState)
    clock_refused: str = ""  # why the time that central offers is not used
    journal: Mapping[str, Any] = field(default_factory=dict)  # see Housekeeping.status

    def view(self) -> View:
        """What the screen shows now."""
        shown = (
            self.answer if self.answer and self.now.monotonic - self.answer.at.monotonic < SHOWN_FOR else None
        )
        name, advice = shown.name if shown else "", None
        if shown:
            sentence = SENTENCES[shown.decision.reasons[0]]
            mode = _MODES[shown.decision.verdict]
            if not sentence.advice_en:
                advice = _advice(shown.decision)
        elif self.fault:
            sentence, mode = SENTENCES[self.fault], Mode.FAULT
        elif self.camera.state is not FeedState.LIVE:
            sentence, mode = SENTENCES[Reason.CAMERA_UNAVAILABLE], Mode.FAULT
        elif self.prompt:
            sentence, mode, name = SENTENCES[self.prompt.reason], Mode.REFER, self.prompt.typed
        else:
            sentence = SENTENCES[Reason.ONE_AT_A_TIME if self.crowded else Reason.READY]
            mode = Mode.IDLE
        advice = advice or Note(sentence.advice_zh, sentence.advice_en)
        zh, en = ("zh" in self.languages), ("en" in self.languages)
        return View(
            mode=mode,
            headline_zh=sentence.zh if zh else "",
            headline_en=sentence.en if en else "",
            advice_zh=advice.zh if zh else "",
            advice_en=advice.en if en else "",
            name=name,
            celsius=shown.celsius if shown else "",
            place_zh=self.place.name_zh if self.place else "",
            place_en=self.place.name_en if self.place else self.device,
            clock=f"{self.now.wall.astimezone(self.zone):%H:%M}" if self.now.trusted else "--:--",
            notices=self._notices(),
            preview=self.preview,
            device_code=self.device_code if mode is Mode.IDLE else "",
        )

    def status(self) -> Mapping[str, Any]:
        """The answer to the control op "status"."""
        return {
            "device": self.device,
            "portal": str(self.portal),
            "camera": {
                "state": str(self.camera.state),
                "detail": self.camera.sentence,
                "frames": self.camera.frames,
                "remarks": list(self.camera.remarks),
            },
            "clock": self._clock(),
            "phone_clocks": dict(self.phone_clocks.status()),
            "roster": {"version": self.roster_version, "refused": self.roster_refused},
            "asks": str(self.prompt.reason) if self.prompt else "",
            "case_open": self.case_open,
            "fault": str(self.fault or ""),
            "fault_detail": self.fault_detail,
            "records": self.records,
            "journal": dict(self.journal),
            "waiting": self.waiting,
            "answers": self.answers,
            "last": answer_event(self.answer, self.answers, self.waiting) if self.answer else None,
        }

    def _clock(self) -> Mapping[str, Any]:
        basis, anchor = self.now.basis, self.clock.central
        return {
            "utc": self.now.wall.isoformat(timespec="seconds"),
            "trusted": self.now.trusted,
            "source": str(basis.source if self.now.trusted else Source.NONE),
            "seconds": round(basis.uptime - self.clock.since),  # that it has been so
            "problem": self.clock.problem,
            "central": anchor
            and {
                "seconds": round(basis.uptime - anchor.basis.uptime),  # since it was asked
                "uncertainty": round(anchor.uncertainty, 3),  # seconds, either way
            },
            "refused": self.clock_refused,
        }

    def _notices(self) -> tuple[str, ...]:
        lines = list(self.extra_notices)
        if self.waiting:
            plural = "" if self.waiting == 1 else "s"
            lines.append(f"{self.waiting} record{plural} waiting / {self.waiting} 条待上传")
        if self.camera.state is not FeedState.LIVE:
            lines.append(f"camera {self.camera.state} / 摄像头异常")
        if self.roster_refused and not self.fault:
            lines.append("new roster refused, old one in use / 新名册未通过校验")
        if not self.now.trusted:
            lines.append("clock not trusted / 时间不可信")
        if self.case_open:
            lines.append("case open / 机箱已打开")
        return tuple(lines)


def _advice(decision: Decision) -> Note:
    """What somebody who is not told to do anything reads instead: what the scan counted as."""
    told = list(islice(notes(decision), _NOTES))
    return Note("；".join(note.zh for note in told), "; ".join(note.en for note in told))


def answer_event(answer: Answer, number: int, waiting: int) -> Mapping[str, Any]:
    """The control event for one answer: nothing but what the screen shows, and how long it took."""
    return {
        "event": "answer",
        "number": number,
        "at": answer.at.wall.isoformat(timespec="milliseconds"),
        "verdict": str(answer.decision.verdict),
        "reasons": [str(reason) for reason in answer.decision.reasons],
        "name": answer.name,
        "celsius": answer.celsius,
        "marks": [str(mark.kind) for mark in answer.decision.marks],
        "ms": round(answer.seconds * 1000, 2),
        "sequence": answer.entry.sequence if answer.entry else None,
        "waiting": waiting,
    }
