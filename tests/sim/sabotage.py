"""Programs that lose records on purpose: the fault suite must say so of each, or it proves nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence

from sync.central.ingest import Lane
from sync.central.intake import Taken
from sync.central.store import Store
from sync.faults import SyncFault
from sync.protocol import BatchReceipt
from sync.uplink import Uplink
from terminal.events import Event
from terminal.journal import JournalReader
from terminal.receipt import Receipt


def believe_that_sent_is_arrived() -> None:
    """The sync daemon takes what it has sent as arrived, whatever became of it."""
    whole = Uplink.step

    def step(uplink: Uplink) -> int:
        settings = uplink._settings
        try:
            return whole(uplink)
        except SyncFault:
            events = JournalReader(settings.journal).after(uplink.receipt.through, records=1000, size=10**7)
            uplink.receipt = Receipt(events[-1].sequence, events[-1].digest)
            uplink.receipt.save(settings.receipt)
            raise

    Uplink.step = step  # type: ignore[method-assign, assignment]


def answer_before_committing() -> None:
    """Central answers a batch, and dies before it has stored it."""

    def take(_store: Store, name: str, events: Sequence[Event], _lane: Lane) -> Taken:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGKILL]).start()
        receipt = BatchReceipt(device=name, through=events[-1].sequence, digest=events[-1].digest)
        return Taken(receipt, records=len(events), duplicates=0, alarms=())

    Store.take = take  # type: ignore[method-assign, assignment]
