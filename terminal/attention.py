"""Attention: many frames of one held-up code are one scan; taken away and shown again is a new one.

With several codes in view nobody is served twice and nobody by guesswork: who is being served keeps the
attention until their code has been out of view for a moment.
"""

from __future__ import annotations

from terminal.codes import CodeRefused, parse
from terminal.reasons import Verdict
from terminal.scanner import Scan, Sighting

GONE_AFTER = 0.7  # seconds unseen; shorter gaps are a hand that shakes
SWITCH_AFTER = 0.25  # seconds unseen before another code is looked at; two phones side by side flicker faster


class Attention:
    """Remembers who is being held up before the camera. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._allowed: str | None = None  # who was let in and is still holding a code up
        self._seen_at = float("-inf")

    def new(self, scan: Scan, now: float) -> Sighting | None:
        """The sighting in `scan` if it begins a new scan, else None. now: when its frame was captured.

        Not the same text held still, nor the next code on the phone of somebody just let in; but a refused
        person's refreshed code is, and the next person's, once the one before has left the view.
        """
        sighting = scan.sighting
        if sighting is None:
            if scan.codes:
                self._seen_at = now  # whose code it is cannot be told: the one before may be among them
            return None
        unseen = now - self._seen_at
        if sighting.text == self._text and unseen <= GONE_AFTER:
            self._seen_at = now
            return None
        if unseen <= SWITCH_AFTER:
            return None
        same_person = self._allowed is not None and _subject(sighting.text) == self._allowed
        self._text, self._seen_at = sighting.text, now
        if same_person and unseen <= GONE_AFTER:
            return None
        self._allowed = None
        return sighting

    def answered(self, sighting: Sighting, verdict: Verdict) -> None:
        """Tell what became of a sighting that was new."""
        self._allowed = _subject(sighting.text) if verdict is Verdict.ALLOW else None


def _subject(text: str) -> str | None:
    try:
        return parse(text).subject
    except CodeRefused:
        return None
