"""Attention: many frames of one held-up code are one scan; taken away and shown again is a new one."""

from __future__ import annotations

from terminal.codes import CodeRefused, parse
from terminal.reasons import Verdict
from terminal.scanner import Sighting

GONE_AFTER = 0.7  # seconds unseen; shorter gaps are a hand that shakes


class Attention:
    """Remembers who is being held up before the camera. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._allowed: str | None = None  # who was let in and is still holding a code up
        self._seen_at = float("-inf")

    def wants(self, sighting: Sighting) -> bool:
        """True when `sighting` begins a new scan.

        Not for the same text held still, nor for the next code on the phone of somebody just let in; but a
        refused person's refreshed code, and the next person's code, are new at once.
        """
        now = sighting.frame.captured_at
        gone = now - self._seen_at > GONE_AFTER
        self._seen_at = now
        if gone:
            self._allowed = None
        elif sighting.text == self._text or (self._allowed and _subject(sighting.text) == self._allowed):
            return False
        self._text = sighting.text
        return True

    def answered(self, sighting: Sighting, verdict: Verdict) -> None:
        """Tell what became of a sighting that was wanted."""
        self._allowed = _subject(sighting.text) if verdict is Verdict.ALLOW else None


def _subject(text: str) -> str | None:
    try:
        return parse(text).subject
    except CodeRefused:
        return None
