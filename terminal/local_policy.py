"""What the roster in use says of the terminal's own place, and why nobody can be served by it if so."""

from __future__ import annotations

from datetime import tzinfo

from hw.clock import Clock
from terminal.policy import Language, Place
from terminal.reasons import Reason
from terminal.roster import RosterRefused
from terminal.roster_shelf import RosterShelf


class LocalPolicy:
    """The policy for the place named `place`, as of the last look; what it said last while it is refused.

    place: None until there is one. zone: the school's; None until it is known. fault: why nobody can be
    served, and in what words.
    """

    def __init__(self, place: str, shelf: RosterShelf, clock: Clock) -> None:
        self._name, self._shelf, self._clock = place, shelf, clock
        self.place: Place | None = None
        self.languages: tuple[Language, ...] = ("zh", "en")
        self.zone: tzinfo | None = None
        self.roster_version: int | None = None
        self.fault: tuple[Reason | None, str] = (Reason.ROSTER_MISSING, "starting")

    def look(self) -> None:
        """Take up what the shelf has now. Never raises."""
        try:
            roster = self._shelf.current(self._clock.now())
            self.roster_version = roster.version
            policy = roster.policy()
        except RosterRefused as refused:
            now = self._clock.now()  # python-tuf asks the machine's clock, trusted or not
            doubt = "" if now.trusted else f"; the clock says {now.wall:%Y-%m-%d} and is not trusted"
            self.fault = (refused.reason, f"{refused}{doubt}")
            return
        self.place = policy.places.get(self._name)
        self.languages, self.zone = policy.languages_at(self.place), policy.calendar.zone
        self.fault = (None, "")
        if self.place is None:
            self.fault = (Reason.POLICY_MISSING, f"the policy has no place {self._name!r}")
