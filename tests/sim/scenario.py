"""Who comes to the gate, with what in the hand, and what the gate must say to them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from sync.central.mint import pass_code, personal_code
from terminal.codes import PassKind
from terminal.declaration import Declaration, Symptom
from terminal.reasons import Reason, Verdict
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


EXPECTED: dict[Visit, tuple[Verdict, Reason]] = {
    Visit.PHONE: (Verdict.ALLOW, Reason.OK),
    Visit.CARD: (Verdict.ALLOW, Reason.OK),
    Visit.VISITOR: (Verdict.ALLOW, Reason.OK),
    Visit.STALE: (Verdict.DENY, Reason.CODE_STALE),
    Visit.UNKNOWN: (Verdict.DENY, Reason.PERSON_UNKNOWN),
    Visit.FORGED: (Verdict.DENY, Reason.CODE_FORGED),
    Visit.FEVER: (Verdict.DENY, Reason.HEALTH_FEVER),
    Visit.FOREIGN: (Verdict.DENY, Reason.CODE_FOREIGN),
}
_HOLDERS: dict[Visit, Holder] = {Visit.CARD: "card", Visit.VISITOR: "paper"}
_USUAL = [Visit.PHONE] * 7 + [Visit.CARD] * 2 + [Visit.FEVER]


@dataclass(frozen=True, slots=True)
class Guest:
    """One person on the way to the gate. celsius: what a true thermal sensor reads."""

    visit: Visit
    citizen: Citizen
    celsius: str
    issuer: EllipticCurvePrivateKey
    stranger: EllipticCurvePrivateKey
    number: int

    @property
    def holder(self) -> Holder:
        """What is held up."""
        return _HOLDERS.get(self.visit, "phone")

    @property
    def renews(self) -> bool:
        """Whether the phone shows a new code every few seconds."""
        return self.visit in (Visit.PHONE, Visit.FEVER)

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
            case _:
                healthy = Declaration(365, Symptom(0), contact=False)
                return personal_code(self.citizen.phone, subject, now, healthy)


def guests(campus: Campus, seed: int) -> Iterator[Guest]:
    """People without end, the same for the same seed; each sort is among the first eight."""
    rng = random.Random(seed + 1)
    order = list(campus.citizens)
    rng.shuffle(order)
    issuer = campus.site.issuer_key()
    first = list(Visit)
    rng.shuffle(first)
    number = 0
    while True:
        visit = first[number] if number < len(first) else rng.choice([*_USUAL, rng.choice(list(Visit))])
        celsius = "38.2" if visit is Visit.FEVER else f"{rng.uniform(36.0, 36.9):.1f}"
        yield Guest(visit, order[number % len(order)], celsius, issuer, private_key(rng), number)
        number += 1
