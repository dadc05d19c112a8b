"""Who comes to the gate, with what in the hand, and what the gate must say to them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from sync.central.mint import pass_code, personal_code
from terminal.codes import PassKind
from terminal.declaration import Declaration, Symptom
from terminal.findings import MarkKind
from terminal.person import Person, PersonKind
from terminal.reasons import Reason, Verdict
from tests.sim.agenda import CHOIR, CLASS, HALL, OTHER_CLASS, ROOM
from tests.sim.campus import Campus, Citizen, private_key
from tests.sim.props import Holder

_YEAR = 31_536_000  # seconds


class Visit(StrEnum):
    """The sorts of people that the demo sends."""

    PHONE = "phone"
    CARD = "card"
    VISITOR = "visitor pass"
    STALE = "stale screenshot"
    UNKNOWN = "unknown person"
    FORGED = "forged code"
    FEVER = "fever"
    FOREIGN = "foreign code"
    LATE = "late for class"
    OTHER_CLASS = "not their class"
    CONCERT = "concert guest"
    UNINVITED = "uninvited"
    NO_PHONE = "no phone"


EXPECTED: dict[Visit, tuple[Verdict, Reason]] = {
    Visit.PHONE: (Verdict.ALLOW, Reason.OK),
    Visit.CARD: (Verdict.ALLOW, Reason.OK),
    Visit.VISITOR: (Verdict.ALLOW, Reason.OK),
    Visit.STALE: (Verdict.DENY, Reason.CODE_STALE),
    Visit.UNKNOWN: (Verdict.DENY, Reason.PERSON_UNKNOWN),
    Visit.FORGED: (Verdict.DENY, Reason.CODE_FORGED),
    Visit.FEVER: (Verdict.DENY, Reason.HEALTH_FEVER),
    Visit.FOREIGN: (Verdict.DENY, Reason.CODE_FOREIGN),
    Visit.LATE: (Verdict.ALLOW, Reason.OK),
    Visit.OTHER_CLASS: (Verdict.DENY, Reason.CLASS_OTHER),
    Visit.CONCERT: (Verdict.ALLOW, Reason.OK),
    Visit.UNINVITED: (Verdict.DENY, Reason.EVENT_UNINVITED),
    Visit.NO_PHONE: (Verdict.ALLOW, Reason.OK),
}
COUNTS_AS: dict[Visit, tuple[MarkKind, ...]] = {
    Visit.PHONE: (MarkKind.CHECK_IN,),
    Visit.CARD: (MarkKind.CHECK_IN,),
    Visit.LATE: (MarkKind.ATTENDANCE,),
    Visit.CONCERT: (MarkKind.SIGN_IN,),
    Visit.NO_PHONE: (MarkKind.MANUAL, MarkKind.CHECK_IN),
}
"""What the scan must count as; nothing for the others."""

_PLACES = {Visit.LATE: ROOM, Visit.OTHER_CLASS: ROOM, Visit.CONCERT: HALL, Visit.UNINVITED: HALL}
_SUITS: dict[Visit, Callable[[Person], bool]] = {
    Visit.LATE: lambda person: person.kind is PersonKind.STUDENT and CLASS in person.groups,
    Visit.OTHER_CLASS: lambda person: person.kind is PersonKind.STUDENT and OTHER_CLASS in person.groups,
    Visit.CONCERT: lambda person: CHOIR in person.groups,
    Visit.UNINVITED: lambda person: CHOIR not in person.groups,
}
_HOLDERS: dict[Visit, Holder] = {Visit.CARD: "card", Visit.VISITOR: "paper"}
_USUAL = [Visit.PHONE] * 7 + [Visit.CARD] * 2 + [Visit.FEVER]


@dataclass(frozen=True, slots=True)
class Guest:
    """One person on the way to a terminal. celsius: what a true thermal sensor reads.

    attendant: who registers people that have no phone.
    """

    visit: Visit
    citizen: Citizen
    celsius: str
    issuer: EllipticCurvePrivateKey
    stranger: EllipticCurvePrivateKey
    number: int
    attendant: Citizen

    @property
    def place(self) -> str:
        """Where they go."""
        return _PLACES.get(self.visit, "north-gate")

    @property
    def registers(self) -> str:
        """The number that the attendant types for whoever has no phone; "" for all others."""
        return self.citizen.person.subject if self.visit is Visit.NO_PHONE else ""

    @property
    def holder(self) -> Holder:
        """What is held up."""
        return _HOLDERS.get(self.visit, "phone")

    def text(self) -> str:
        """The code as it is shown at this moment."""
        subject, now = self.citizen.person.subject, int(time.time())
        match self.visit:
            case Visit.CARD:
                return pass_code(self.issuer, subject, PassKind.CARD, not_before=0, expires_at=now + _YEAR)
            case Visit.VISITOR:
                return pass_code(
                    self.issuer,
                    f"V-{self.number:04d}",
                    PassKind.VISITOR,
                    not_before=now - 60,
                    expires_at=now + 8 * 3600,
                    places=("north-gate",),
                )
            case Visit.STALE:
                return personal_code(self.citizen.phone, subject, now - 1800)
            case Visit.UNKNOWN:
                return personal_code(self.stranger, f"X-{self.number:04d}", now)
            case Visit.FORGED:
                return personal_code(self.stranger, subject, now)
            case Visit.FOREIGN:
                return f"HTTPS://PAY.EXAMPLE/{self.number:08d}"
            case Visit.NO_PHONE:
                return personal_code(self.attendant.phone, self.attendant.person.subject, now)
            case _:
                healthy = Declaration(365, Symptom(0), contact=False)
                return personal_code(self.citizen.phone, subject, now, healthy)


def guests(campus: Campus, seed: int) -> Iterator[Guest]:
    """People without end, the same for the same seed; each sort is among the first of them.

    Nobody comes twice before all have come.
    """
    rng = random.Random(seed + 1)
    attendant = next(one for one in campus.citizens if one.person.kind is PersonKind.STAFF)
    everybody = [one for one in campus.citizens if one is not attendant]
    rng.shuffle(everybody)
    coming: list[Citizen] = []
    issuer = campus.site.issuer_key()
    first = list(Visit)
    rng.shuffle(first)
    number = 0
    while True:
        visit = first[number] if number < len(first) else rng.choice([*_USUAL, rng.choice(list(Visit))])
        celsius = "38.2" if visit is Visit.FEVER else f"{rng.uniform(36.0, 36.9):.1f}"
        coming = coming or everybody.copy()
        suits = _SUITS.get(visit)
        citizen = next((one for one in coming if suits is None or suits(one.person)), None)
        if citizen is None:  # all of that sort have come
            visit, citizen = Visit.PHONE, coming[0]
        coming.remove(citizen)
        yield Guest(visit, citizen, celsius, issuer, private_key(rng), number, attendant)
        number += 1
