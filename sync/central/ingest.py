"""What a batch of events means to central: which records are new, which are known, which are evidence.

Pure: from what is known of a device and a batch, `take` makes what is to be stored. Central keeps of every
device which records it has without a gap from 1 on, and up to MAX_SPANS spans ahead of them, which the live
lane brought while a backlog was still on its way. Spans that meet become one, and where they meet the chain
is checked as it is inside them.

What does not fit is an alarm with the event as evidence: "fork" (another record under a known number; it is
refused), "chain" (a record that does not name the one before it; it is kept) and "lost" (records that a
terminal's disk lost). A record that arrives after all, say from a stick, takes the place of its loss.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from config.errors import CampusgateError
from sync.protocol import MAX_SPANS, Refused
from terminal.events import FIRST_DIGEST, LOST, Event


class Lane(StrEnum):
    """How a batch came: in order after everything that central has, or ahead of a backlog."""

    MAIN = "main"
    LIVE = "live"


class Gap(CampusgateError, ValueError):
    """Raised when a batch begins after records that central lacks; `expected` is the first of them."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(f"record {expected} and those after it come first")


@dataclass(frozen=True, slots=True)
class Span:
    """Records `first` to `through` without a gap.

    previous: what record `first` names as the one before it. digest: of record `through`. chained: what the
    record after that must name. opening: the text of the event that it begins with, "" for record 1.
    """

    first: int
    through: int
    previous: str
    digest: str
    chained: str
    opening: str = ""


NOTHING = Span(1, 0, FIRST_DIGEST, FIRST_DIGEST, FIRST_DIGEST)


@dataclass(frozen=True, slots=True)
class Known:
    """What central has of a device: `whole` from record 1 on, and the spans `ahead` of it, by `first`."""

    whole: Span = NOTHING
    ahead: tuple[Span, ...] = ()

    def covered(self, events: Iterable[Event]) -> list[int]:
        """The numbers in `events` that central has already: what `take` must be told of."""
        if not self.ahead:
            through = self.whole.through
            return [event.sequence for event in events if event.sequence <= through]
        spans = (self.whole, *self.ahead)
        return [
            event.sequence
            for event in events
            if any(span.first <= event.sequence <= span.through for span in spans)
        ]


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored record. lost: whether it is a LOST event, and then `resumes` as in Event."""

    digest: str
    lost: bool = False
    resumes: str = ""

    @classmethod
    def of(cls, event: Event, digest: str) -> Kept:
        """`event` as it is stored."""
        return cls(digest, event.type == LOST, event.resumes)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that must not be, at record `sequence`. evidence: the event's text."""

    kind: str
    sequence: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch comes to.

    new: events to store, with their digests. found: numbers whose stored LOST event gives way to a new one.
    live: the span ahead that the batch's last event is part of. known: what central has afterwards.
    """

    known: Known
    new: tuple[tuple[Event, str], ...]
    found: tuple[int, ...]
    alarms: tuple[Alarm, ...]
    refused: tuple[Refused, ...]
    duplicates: int
    live: Span | None


def take(known: Known, events: Sequence[Event], stored: Mapping[int, Kept], lane: Lane) -> Outcome:
    """What `events`, all of one device, come to. stored: what `Known.covered` asks for.

    Raises: Gap; then nothing of the batch is to be stored.
    """
    return _Batch(known, stored, lane).take(events)


@dataclass(slots=True)
class _Open:
    """A span that grows."""

    first: int
    through: int
    previous: str
    digest: str
    chained: str
    opening: str = ""

    def closed(self) -> Span:
        return Span(self.first, self.through, self.previous, self.digest, self.chained, self.opening)


class _Batch:
    def __init__(self, known: Known, stored: Mapping[int, Kept], lane: Lane) -> None:
        self._spans = [
            _Open(s.first, s.through, s.previous, s.digest, s.chained, s.opening)
            for s in (known.whole, *known.ahead)
        ]
        self._stored, self._live = stored, lane is Lane.LIVE
        self._expected = known.whole.through + 1  # whatever of the batch would fit: nothing is stored
        self._new: dict[int, tuple[Event, str]] = {}
        self._found: list[int] = []
        self._alarms: list[Alarm] = []
        self._refused: list[Refused] = []
        self._duplicates = 0

    def take(self, events: Sequence[Event]) -> Outcome:
        for event in sorted(events, key=attrgetter("first", "sequence")):
            self._one(event, event.digest)
        last = self._around(max((event.sequence for event in events), default=1))
        whole, *ahead = (span.closed() for span in self._spans)
        return Outcome(
            Known(whole, tuple(ahead)),
            tuple(self._new.values()),
            tuple(self._found),
            tuple(dict.fromkeys(self._alarms)),
            tuple(self._refused),
            self._duplicates,
            ahead[last - 1] if last else None,
        )

    def _around(self, number: int) -> int:
        """The index of the last span that begins no later than at `number`."""
        if len(self._spans) == 1:
            return 0
        return bisect_right(self._spans, number, key=attrgetter("first")) - 1

    def _one(self, event: Event, digest: str) -> None:
        index = self._around(event.first)
        span = self._spans[index]
        if event.first > span.through + 1 or (index and not self._live):
            if not self._live or len(self._spans) > MAX_SPANS:
                raise Gap(self._expected)
            index += 1
            before = event.first - 1
            span = _Open(event.first, before, event.previous, "", event.previous, event.text)
            self._spans.insert(index, span)
        if event.sequence <= span.through:
            self._again(span, event, digest)
        else:
            self._extend(index, span, event, digest)

    def _extend(self, index: int, span: _Open, event: Event, digest: str) -> None:
        # A LOST event may begin at numbers that central has: the record that it names has been passed then.
        if event.previous != span.chained and event.first == span.through + 1:
            self._alarm("chain", event)
        if event.type == LOST:
            self._alarm("lost", event)
        span.through, span.digest, span.chained = event.sequence, digest, event.resumes or digest
        while index + 1 < len(self._spans) and self._spans[index + 1].first <= span.through + 1:
            self._join(span, self._spans.pop(index + 1), event)
        if self._kept(event.sequence) is None:
            self._new[event.sequence] = event, digest

    def _join(self, span: _Open, after: _Open, event: Event) -> None:
        """Let `span`, which `event` extended, go on as `after`, which it has reached or reaches into."""
        if after.first == span.through + 1 and after.previous != span.chained:
            self._alarms.append(Alarm("chain", after.first, after.opening))
        if after.through > span.through:
            span.through, span.digest, span.chained = after.through, after.digest, after.chained
        elif after.through == span.through:  # the LOST event ends with a record that is here
            span.digest, span.chained = after.digest, after.chained if event.resumes else span.chained

    def _again(self, span: _Open, event: Event, digest: str) -> None:
        """An event whose number central has."""
        kept = self._kept(event.sequence)
        if kept is not None and kept.digest == digest:
            self._duplicates += 1
        elif event.type == LOST:
            self._alarm("lost", event)
            if event.sequence == span.through and not event.resumes:
                span.chained = digest
        elif kept is None or (kept.lost and kept.resumes in ("", digest)):
            if kept is not None and event.sequence not in self._new:
                self._found.append(event.sequence)
            self._new[event.sequence] = event, digest
        else:
            self._refused.append(Refused(sequence=event.sequence, reason="fork"))
            self._alarm("fork", event)

    def _kept(self, number: int) -> Kept | None:
        if number in self._new:
            return Kept.of(*self._new[number])
        return self._stored.get(number)

    def _alarm(self, kind: str, event: Event) -> None:
        self._alarms.append(Alarm(kind, event.sequence, event.text))
