"""Codes accepted more than once, from opened records: what no terminal can know while it is offline.

A personal code that two devices let in was shown again elsewhere: forwarded, or filmed over a shoulder. A
pass let in at two places within the time nobody can walk was copied. This reports and decides nothing;
whoever asks must be authorised to open records (R28).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sync.central.store import Store
from terminal.codes import CodeKind
from terminal.events import Event, RecordError
from terminal.reasons import Verdict
from terminal.records import unseal

WALK = timedelta(seconds=60)
"""The shortest way between two places: one card at both in less time is two cards."""


@dataclass(frozen=True, slots=True)
class Use:
    """One time that a code was accepted. at: by the device's clock, which `clock_trusted` may doubt."""

    device: str
    sequence: int
    place: str
    at: datetime
    clock_trusted: bool


@dataclass(frozen=True, slots=True)
class Reuse:
    """One code that was accepted where it cannot have been twice in good faith; uses in order of time."""

    digest: str
    kind: CodeKind
    subject: str
    uses: tuple[Use, ...]


Opened = tuple[Event, Mapping[str, Any]]


def opened_records(store: Store, key: X25519PrivateKey) -> Iterator[Opened]:
    """Every record of `store` that opens with central's private `key`, in order of arrival."""
    after = 0
    while stored := store.records(after=after):
        after = stored[-1].identity
        for one in stored:
            try:
                yield one.event, unseal(one.event, key)
            except RecordError:  # a terminal that seals nonsense hides its own records, nobody else's
                continue


def reused(opened: Iterable[Opened], *, walk: timedelta = WALK) -> list[Reuse]:
    """The codes that were accepted twice, by digest: personal ones by two devices, passes at two places
    within `walk`. Times of an untrusted clock convict no pass."""
    uses: dict[tuple[str, CodeKind, str], list[Use]] = defaultdict(list)
    for event, record in opened:
        if (code := _accepted(record)) is not None:
            use = Use(event.device, event.sequence, str(record.get("place")), event.time, event.clock_trusted)
            uses[code].append(use)
    found = []
    for (digest, kind, subject), all_uses in uses.items():
        ordered = tuple(sorted(all_uses, key=lambda use: (use.at, use.device, use.sequence)))
        if _suspect(kind, ordered, walk):
            found.append(Reuse(digest, kind, subject, ordered))
    return found


def _accepted(record: Mapping[str, Any]) -> tuple[str, CodeKind, str] | None:
    """Digest, kind and subject of the code that a record says was let in; None if it says anything else."""
    code, subject = record.get("code"), record.get("subject")
    if record.get("verdict") != Verdict.ALLOW or not isinstance(code, dict) or not isinstance(subject, str):
        return None
    digest, kind = code.get("digest"), code.get("kind")
    if not isinstance(digest, str) or not isinstance(kind, str) or kind not in set(CodeKind):
        return None
    return digest, CodeKind(kind), subject


def _suspect(kind: CodeKind, uses: tuple[Use, ...], walk: timedelta) -> bool:
    if kind is CodeKind.PERSONAL:
        return len({use.device for use in uses}) > 1
    return any(_too_fast(*pair, walk) for pair in pairwise(use for use in uses if use.clock_trusted))


def _too_fast(one: Use, other: Use, walk: timedelta) -> bool:
    return one.place != other.place and other.at - one.at < walk
