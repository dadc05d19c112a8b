"""Manual registration at the gate (R16): the attendant proves who they are, then types people's numbers.

A small state machine without devices or time of its own: keys and proofs go in, a number to register comes
out. Whether anybody may do it, and how often, is for the policy and the decision.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from terminal.person import Person
from terminal.reasons import Reason

START, ENTER, BACKSPACE, CANCEL = "*", "\r", "\b", "\x1b"
PROVE_WITHIN = 30.0  # seconds for the attendant to show a code
IDLE_AFTER = 60.0  # seconds without a key, after which the attendant has left
PROVED_FOR = 900.0  # seconds that one proof is good for, however busy the keys
_LONGEST = 64  # characters, as long as a person's number may be
_TYPED = frozenset(string.ascii_letters + string.digits + "._-")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the screen asks for: a reason with its sentence, and what has been typed."""

    reason: Reason
    typed: str = ""


class ManualDesk:
    """One terminal's manual registration. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._attendant: Person | None = None
        self._typed = ""
        self._until = self._ends = float("-inf")

    def attendant(self, now: float) -> Person | None:
        """Who is registering people now; None when nobody is."""
        return self._attendant if now < self._until else None

    def wants_proof(self, now: float) -> bool:
        """Whether the next code shown is the attendant's."""
        return self._attendant is None and now < self._until

    def prompt(self, now: float) -> Prompt | None:
        """What to show; None when nobody registers anybody."""
        if now >= self._until:
            return None
        if self._attendant is None:
            return Prompt(Reason.MANUAL_READY)
        return Prompt(Reason.MANUAL_NUMBER, self._typed)

    def press(self, key: str, now: float) -> str | None:
        """Take one key; a number when it is complete and to be registered."""
        if now >= self._until:
            if key == START:
                self._attendant, self._typed, self._until = None, "", now + PROVE_WITHIN
            return None
        if key == CANCEL:
            self.end()
            return None
        if self._attendant is None:
            return None
        self._until = min(now + IDLE_AFTER, self._ends)
        if key == BACKSPACE:
            self._typed = self._typed[:-1]
        elif key == ENTER and self._typed:
            number, self._typed = self._typed, ""
            return number
        elif key in _TYPED and len(self._typed) < _LONGEST:
            self._typed += key
        return None

    def proved(self, attendant: Person, now: float) -> None:
        """The attendant showed a code that may register people."""
        self._attendant, self._typed, self._until = attendant, "", now + IDLE_AFTER
        self._ends = now + PROVED_FOR

    def end(self) -> None:
        """Nobody registers anybody any more."""
        self._attendant, self._typed, self._until = None, "", float("-inf")
