"""What the rules remember of people, in the journal's file: under keyed digests, and only until it expires.

The key is the terminal's own, so that whoever has the file alone cannot tell who was here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

FOR_GOOD = 2**40
"""The `until` of what is kept until it is forgotten by name; nothing expires later (Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Memo:
    """One thing remembered of a person at a place, for the rules. until: Unix seconds; 0 forgets it now."""

    what: str
    value: int
    until: int


class Memos:
    """The memos in the table of that name. state_key: 32 secret bytes. Raises, everywhere: sqlite3.Error."""

    def __init__(self, state_key: bytes) -> None:
        self._state_key = state_key

    def remember(self, db: Database, subject: str, place: str, memos: Sequence[Memo], *, now: int) -> None:
        """Remember `memos`, in the transaction that `db` is in, and forget what has expired.

        now: Unix seconds.
        """
        person = self._person(subject, place)
        for memo in memos:
            row = [person, memo.what, memo.value, memo.until]
            db.execute("insert or replace into memo values (?, ?, ?, ?)", row)
        db.execute("delete from memo where until < ?", [now])

    def recall(self, db: Database, subject: str, place: str, *only: str) -> dict[str, int]:
        """What is remembered of `subject` at `place`: values by `Memo.what`. only: if any, of these."""
        query = "select what, value from memo where person = ?"
        if only:
            query += f" and what in ({', '.join('?' * len(only))})"
        return dict(db.execute(query, [self._person(subject, place), *only]).fetchall())

    @staticmethod
    def count(db: Database, what: str, *, since: int, begins: bool) -> int:
        """How many memos of all people are `what`, or begin so, with a value not below `since`."""
        query = "select count(*) from memo where what >= ? and what <= ? and value >= ?"
        row = [what, what + "\U0010ffff" if begins else what, since]
        return int(db.execute(query, row).fetchone()[0])

    def _person(self, subject: str, place: str) -> bytes:
        return hmac.digest(self._state_key, f"{place}\n{subject}".encode(), hashlib.sha256)[:16]
