"""People at central: added in bulk, changed one by one, read for publishing.

Whoever is revoked stays listed, so that no later import brings them back by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import sqlalchemy as sa

from config.errors import CampusgateError
from sync.central.database import Database, changing_people, read_meta, upsert, write_meta
from sync.central.people_rows import DETAILS, read_details, write_details
from sync.central.tables import claim, person, person_change, validity
from terminal.person import Person, PersonKind, Status

_CHANGES = "people_changes"
_AT_ONCE = 500  # numbers in one query; SQLite takes 32,766 parameters, older ones 999

T = TypeVar("T")


class UnknownPeople(CampusgateError, LookupError):
    """Raised when central knows nobody by some of the numbers given; nothing is changed then."""

    def __init__(self, subjects: Sequence[str]) -> None:
        self.subjects = tuple(subjects)
        super().__init__("nobody has the number " + ", ".join(self.subjects))


class StaysRevoked(CampusgateError, ValueError):
    """Raised when a revoked person would come back, or be forgotten, without that being said."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an import says of one person; None where it says nothing, so that what is known stays."""

    subject: str
    name: str
    kind: PersonKind
    status: Status | None = None
    key: bytes | None = None
    valid_from: int | None = None
    valid_until: int | None = None
    groups: tuple[str, ...] | None = None

    def over(self, known: Person | None, *, reinstate: bool) -> Person:
        """The person as they are after the import; `known` is how they were."""
        old = known or Person(self.subject, self.name, self.kind)
        status = self.status or old.status
        if old.status is Status.REVOKED:
            status = (self.status or Status.ACTIVE) if reinstate else Status.REVOKED
        elif old.status is Status.ISOLATED and status is Status.ACTIVE:
            status = Status.ISOLATED  # a list from the registrar is no doctor's word (R22)
        return replace(
            old,
            name=self.name,
            kind=self.kind,
            status=status,
            keys=(self.key,) if self.key else old.keys,
            valid_from=old.valid_from if self.valid_from is None else self.valid_from,
            valid_until=old.valid_until if self.valid_until is None else self.valid_until,
            groups=old.groups if self.groups is None else self.groups,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import did: how many are new, changed, as they were; and who stays revoked or isolated."""

    new: int
    changed: int
    unchanged: int
    still_revoked: tuple[str, ...]
    still_isolated: tuple[str, ...] = ()


class People:
    """Everybody whom central knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, entries: Sequence[Entry], *, reinstate: bool = False) -> Taken:
        """Add or change everyone in `entries`, in one transaction."""
        with self._database.begin() as db:
            changing_people(db)
            known = {one.subject: one for one in _read(db)}
            after = [entry.over(known.get(entry.subject), reinstate=reinstate) for entry in entries]
            changed = [one for one in after if known.get(one.subject) != one]
            _write(db, changed)
        new = sum(1 for one in changed if one.subject not in known)
        still: dict[Status, list[str]] = {Status.REVOKED: [], Status.ISOLATED: []}
        for one, entry in zip(after, entries, strict=True):
            if one.status in still and entry.status is not one.status:
                still[one.status].append(one.subject)
        return Taken(
            new,
            len(changed) - new,
            len(after) - len(changed),
            tuple(still[Status.REVOKED]),
            tuple(still[Status.ISOLATED]),
        )

    def put(self, people: Iterable[Person]) -> None:
        """Add `people`; whoever is known by that number already is replaced."""
        with self._database.begin() as db:
            changing_people(db)
            _write(db, list(people))

    def all(
        self,
        *,
        kind: PersonKind | None = None,
        status: Status | None = None,
        without_key: bool = False,
    ) -> Iterator[Person]:
        """Everyone, or those of one kind, of one status, without a phone key; by number."""
        wanted = []
        if kind:
            wanted.append(person.c.kind == str(kind))
        if status:
            wanted.append(person.c.status == str(status))
        if without_key:
            wanted.append(person.c.phone_key == "")
        with self._database.connect() as db:
            yield from _read(db, *wanted)

    def get(self, subject: str) -> Person | None:
        """The person with that number, or None."""
        with self._database.connect() as db:
            return next(_read(db, person.c.subject == subject), None)

    def several(self, subjects: Sequence[str]) -> list[Person]:
        """Those people, in that order. Raises: UnknownPeople."""
        with self._database.connect() as db:
            return _several(db, subjects)

    def change(self, subjects: Sequence[str], how: Callable[[Person], Person]) -> int:
        """Change those people by `how`, all or none; how many were not so before.

        Raises: UnknownPeople; whatever `how` raises.
        """
        with self._database.begin() as db:
            changing_people(db)
            before = _several(db, subjects)
            after = [how(one) for one in before]
            changed = [new for new, old in zip(after, before, strict=True) if new != old]
            _write(db, changed)
        return len(changed)

    def set_status(self, subjects: Sequence[str], status: Status, *, reinstate: bool = False) -> int:
        """Give those people that status; how many had another. Raises: UnknownPeople, StaysRevoked."""

        def to_status(one: Person) -> Person:
            if one.status is Status.REVOKED and status is not Status.REVOKED and not reinstate:
                raise StaysRevoked(
                    f"{one.subject} is revoked; `campusgate roster resume --reinstate` takes back"
                )
            return replace(one, status=status)

        return self.change(subjects, to_status)

    def remove(self, subjects: Sequence[str], *, forget_revoked: bool = False) -> None:
        """Forget those people and their claims. Raises: UnknownPeople, StaysRevoked."""
        with self._database.begin() as db:
            changing_people(db)
            for one in _several(db, subjects):
                if one.status is Status.REVOKED and not forget_revoked:
                    raise StaysRevoked(
                        f"{one.subject} is revoked: forgotten, an import could bring them back; "
                        "`--forget-revoked` does it all the same"
                    )
            for some in _portions(subjects):
                for table in (person, validity, claim, *DETAILS):
                    db.execute(sa.delete(table).where(table.c.subject.in_(some)))
            _changed(db, subjects)

    def unpublished(self) -> tuple[int, list[str]]:
        """The number of the last change, and who was changed since `published` was told one."""
        with self._database.connect() as db:
            number = int(read_meta(db, _CHANGES) or 0)
            return number, list(db.execute(sa.select(person_change.c.subject)).scalars())

    def published(self, number: int) -> None:
        """Note that the changes up to `number` are with the terminals."""
        with self._database.begin() as db:
            db.execute(sa.delete(person_change).where(person_change.c.change <= number))


def bind_key(db: sa.Connection, subject: str, key: bytes) -> None:
    """Make `key` the one phone key of `subject`, in a transaction of one who is `changing_people`."""
    db.execute(sa.update(person).where(person.c.subject == subject).values(phone_key=key.hex()))
    _changed(db, [subject])


def _read(db: sa.Connection, *wanted: sa.ColumnElement[bool]) -> Iterator[Person]:
    joined = sa.outerjoin(person, validity, person.c.subject == validity.c.subject)
    query = (
        sa.select(person, validity.c.valid_from, validity.c.valid_until)
        .select_from(joined)
        .where(*wanted)
        .order_by(person.c.subject)
    )
    for rows in db.execute(query).partitions(_AT_ONCE):
        yield from read_details(db, [_bare(row) for row in rows])


def _bare(row: Any) -> Person:
    keys = (bytes.fromhex(row.phone_key),) if row.phone_key else ()
    kind, status = PersonKind(row.kind), Status(row.status)
    return Person(row.subject, row.name, kind, status, keys, row.valid_from, row.valid_until)


def _several(db: sa.Connection, subjects: Sequence[str]) -> list[Person]:
    found: dict[str, Person] = {}
    for some in _portions(subjects):
        found.update((one.subject, one) for one in _read(db, person.c.subject.in_(some)))
    unknown = [subject for subject in dict.fromkeys(subjects) if subject not in found]
    if unknown:
        raise UnknownPeople(unknown)
    return [found[subject] for subject in dict.fromkeys(subjects)]


def _write(db: sa.Connection, people: Sequence[Person]) -> None:
    if not people:
        return
    rows: list[dict[str, Any]] = [
        {
            "subject": one.subject,
            "name": one.name,
            "kind": str(one.kind),
            "status": str(one.status),
            "phone_key": one.keys[0].hex() if one.keys else "",
        }
        for one in people
    ]
    upsert(db, person, rows)
    bounded = [one for one in people if one.valid_from is not None or one.valid_until is not None]
    free = [one.subject for one in people if one.valid_from is None and one.valid_until is None]
    for some in _portions(free):
        db.execute(sa.delete(validity).where(validity.c.subject.in_(some)))
    times = [
        {"subject": one.subject, "valid_from": one.valid_from, "valid_until": one.valid_until}
        for one in bounded
    ]
    upsert(db, validity, times)
    for several in _portions(people):
        write_details(db, several)
    _changed(db, [one.subject for one in people])


def _portions(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + _AT_ONCE] for start in range(0, len(things), _AT_ONCE))


def _changed(db: sa.Connection, subjects: Sequence[str]) -> None:
    number = int(read_meta(db, _CHANGES) or 0) + 1
    write_meta(db, _CHANGES, str(number))
    upsert(db, person_change, [{"subject": subject, "change": number} for subject in dict.fromkeys(subjects)])
