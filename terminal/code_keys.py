"""Whose key must have signed a code: an issuer's, or one of the person's own, as the roster has them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from terminal.codes import Claimed, Code, CodeRefused, from_compressed, verify
from terminal.person import Person
from terminal.reasons import Reason
from terminal.roster import Roster, RosterRefused


def verified(claimed: Claimed, person: Person | None, roster: Roster) -> Code:
    """`claimed` as a Code, checked with the key that must have signed it. Raises: CodeRefused, RosterRefused.

    An unknown person's personal code cannot be verified by anyone: it is refused as an unknown person.
    """
    if claimed.key_id:
        key = roster.issuer(claimed.key_id)
        if key is None:
            raise CodeRefused(Reason.CODE_ISSUER_UNKNOWN, f"no issuer has the key id {claimed.key_id}")
        return verify(claimed, key)
    if person is None or not person.keys:
        raise CodeRefused(Reason.PERSON_UNKNOWN, "nobody by that number has a phone key")
    refused: CodeRefused | None = None
    for key in _keys(person):
        try:
            return verify(claimed, key)
        except CodeRefused as error:
            refused = error
    raise refused or CodeRefused(Reason.CODE_FORGED, "no key of the person fits")


def _keys(person: Person) -> list[EllipticCurvePublicKey]:
    try:
        return [from_compressed(point) for point in person.keys]
    except ValueError as error:
        raise RosterRefused(Reason.ROSTER_ALTERED, f"a phone key of {person.subject} is malformed") from error
