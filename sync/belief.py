"""Whether a receipt can be true, and what follows from it.

A receipt that claims too much would make the terminal forget records that nobody has. So each claim is held
against the journal: the digest of a record is known only to whom it was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sync import protocol
from sync.faults import Fault, SyncFault
from sync.lanes import Lane
from sync.protocol import BatchReceipt
from sync.quarantine import Quarantined, quarantined
from terminal.events import Event
from terminal.journal import JournalReader
from terminal.receipt import Receipt, Span

_MAX_REASON = 200  # characters


def believed(
    answer: BatchReceipt,
    held: Receipt,
    journal: JournalReader,
    *,
    device: str,
    lane: Lane,
    events: Sequence[Event],
) -> tuple[Receipt, list[Quarantined]]:
    """The receipt after `held` that central's `answer` to `events` of `device` gives, and what it refuses.

    Raises: SyncFault(LYING_RECEIPT); JournalError.
    """
    if answer.device != device:
        raise _lie("is for another device")
    if lane is Lane.LIVE and answer.live and answer.through < held.through:
        # Central was set back to a backup. The main lane sees to that; what it has ahead counts all the same.
        answer = answer.model_copy(update={"through": held.through, "digest": held.digest})
    if answer.through < held.through:
        raise _lie(f"goes backwards, from record {held.through} to {answer.through}")
    refusals = _refusals(answer, events)
    answer = _put_aside(answer, held, lane, events, {one.sequence for one in refusals})
    # The record of the receipt that is held may be purged by now.
    same = answer.through == held.through
    if not (answer.digest == held.digest if same else journal.fits(answer.through, answer.digest)):
        raise _lie(f"acknowledges record {answer.through} with a wrong digest, or before it was written")
    live = _live(answer, journal, events) if lane is Lane.LIVE and answer.live else None
    reached = answer.through > held.through if lane is Lane.MAIN else answer.through >= events[-1].sequence
    if not (reached or live):
        raise _lie("acknowledges nothing of what was sent")
    return held.advanced(answer.through, answer.digest, live), refusals


def _put_aside(
    answer: BatchReceipt, held: Receipt, lane: Lane, events: Sequence[Event], refused: Collection[int]
) -> BatchReceipt:
    """`answer` as it counts here where central has another record of a number that was sent.

    Ours is in quarantine, and those after it go on. What central has further on may be of other records too,
    of which nothing is known here: so nothing counts beyond what was sent, nor before it.
    """
    last = events[-1]
    reached = max(answer.through, answer.live.through if answer.live else 0)
    if last.sequence in refused and reached >= last.sequence:
        if lane is Lane.MAIN or events[0].first <= held.through + 1:
            return answer.model_copy(update={"through": last.sequence, "digest": last.digest, "live": None})
        live = protocol.Span(first=events[0].first, through=last.sequence, digest=last.digest)
        return answer.model_copy(update={"through": held.through, "digest": held.digest, "live": live})
    ours = next((event for event in events if event.sequence == answer.through), None)
    if ours and ours.sequence in refused and lane is Lane.MAIN:
        return answer.model_copy(update={"digest": ours.digest})
    return answer


def _live(answer: BatchReceipt, journal: JournalReader, events: Sequence[Event]) -> Span:
    span = answer.live
    if span is None or not answer.through + 1 < span.first <= events[0].first:
        raise _lie("names a live span that does not begin with what was sent")
    if span.through < events[-1].sequence or not journal.fits(span.through, span.digest):
        raise _lie(f"names a live span up to record {span.through} that was not sent")
    return Span(span.first, span.through, span.digest)


def _refusals(answer: BatchReceipt, events: Sequence[Event]) -> list[Quarantined]:
    refusals = []
    for refused in answer.refused:
        event = next((e for e in events if e.first <= refused.sequence <= e.sequence), None)
        if event is None:
            raise _lie(f"refuses record {refused.sequence}, which was not sent")
        reason = "".join(c if c.isprintable() else "?" for c in refused.reason)[:_MAX_REASON]
        refusals.append(quarantined(refused.sequence, reason, event.text))
    return refusals


def _lie(what: str) -> SyncFault:
    return SyncFault(
        Fault.LYING_RECEIPT, f"the receipt {what}; nothing of it is believed, so check central's database"
    )
