"""Claim codes: with one, once, a person ties the key in their phone to their number (R10).

A claim is 16 random bytes in Crockford's base 32 with twelve bits of checksum, 28 characters in seven
groups. Central keeps only its SHA-256: with 128 random bits no slower hash makes guessing any harder.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from sync.central.database import Database, changing_people
from sync.central.people import bind_key
from sync.central.tables import claim, person
from terminal.person import Status

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans("OIL", "011", "- \u2010\u2011\u2013\u2014")
_LENGTH = 28  # characters: 128 bits and 12 of checksum
_GROUP = 4


class Outcome(StrEnum):
    """What became of an attempt to use a claim."""

    TAKEN = "taken"
    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"
    PERSON = "person"  # removed, suspended or revoked since


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What became of an attempt, and whose claim it was ("" when unknown)."""

    outcome: Outcome
    subject: str


class Claims:
    """All claims that were made and not cleared away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, subjects: Sequence[str], *, expires_at: int) -> dict[str, str]:
        """A fresh claim for each of `subjects`; claims of theirs not yet used stop being good.

        expires_at: Unix seconds. The texts are nowhere else: they cannot be shown again.
        """
        made = {subject: secrets.token_bytes(16) for subject in subjects}
        rows = [
            {"digest": _digest(secret), "subject": subject, "expires_at": expires_at, "used_key": ""}
            for subject, secret in made.items()
        ]
        if rows:
            with self._database.begin() as db:
                old = sa.delete(claim).where(
                    claim.c.subject == sa.bindparam("b_subject"), claim.c.used_at.is_(None)
                )
                db.execute(old, [{"b_subject": subject} for subject in made])
                db.execute(sa.insert(claim), rows)
        return {subject: written(secret) for subject, secret in made.items()}

    def open_until(self, subject: str) -> int | None:
        """When the claim of `subject` that is not used yet expires (Unix seconds), or None without one."""
        query = sa.select(claim.c.expires_at).where(claim.c.subject == subject, claim.c.used_at.is_(None))
        with self._database.connect() as db:
            return db.execute(query).scalar_one_or_none()

    def redeem(self, secret: bytes, key: bytes, *, now: int) -> Redeemed:
        """Use the claim up and make `key` (a compressed point) the one key of its person.

        Used again with the same key, as by a phone that never saw the answer, it is taken again. now: Unix
        seconds.
        """
        with self._database.begin() as db:
            query = sa.select(claim).where(claim.c.digest == _digest(secret))
            if db.execute(query).first() is None:  # who guesses keeps nobody waiting
                return Redeemed(Outcome.UNKNOWN, "")
            changing_people(db)
            row = db.execute(query.with_for_update()).first()
            if row is None:
                return Redeemed(Outcome.UNKNOWN, "")
            found = sa.select(person.c.status, person.c.phone_key).where(person.c.subject == row.subject)
            whose = db.execute(found).first()
            if whose is None or whose.status != str(Status.ACTIVE):
                return Redeemed(Outcome.PERSON, row.subject)
            if row.used_at is not None:
                again = row.used_key == key.hex() == whose.phone_key
                return Redeemed(Outcome.TAKEN if again else Outcome.USED, row.subject)
            if now >= row.expires_at:
                return Redeemed(Outcome.EXPIRED, row.subject)
            used = sa.update(claim).where(claim.c.digest == row.digest)
            db.execute(used.values(used_at=now, used_key=key.hex()))
            bind_key(db, row.subject, key)
            return Redeemed(Outcome.TAKEN, row.subject)


def written(secret: bytes) -> str:
    """The claim `secret` (16 bytes) as people type it."""
    number = int.from_bytes(secret, "big") << 12 | _checksum(secret)
    text = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def typed(text: str) -> bytes:
    """The 16 bytes of a claim as somebody typed it: case, dashes, spaces, O for 0, I or L for 1 are forgiven.

    Raises: ValueError, saying nothing of what was typed, when it is no claim.
    """
    plain = text.upper().translate(_READ_AS)
    if len(plain) != _LENGTH or not set(plain) <= set(_ALPHABET):
        raise ValueError(f"a claim has {_LENGTH} letters and digits")
    number = 0
    for character in plain:
        number = number << 5 | _ALPHABET.index(character)
    secret = (number >> 12).to_bytes(16, "big")
    if number & 0xFFF != _checksum(secret):
        raise ValueError("the claim is mistyped")
    return secret


def _checksum(secret: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"campusgate claim" + secret).digest()[:2], "big") >> 4


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
