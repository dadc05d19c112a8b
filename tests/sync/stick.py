"""A USB stick in a directory: exports to it, imports from it, and what lies on it."""

from __future__ import annotations

import time
from pathlib import Path

from config.settings import Settings
from sync.central.records_import import Imported, import_records, write_receipt
from sync.central.store import Store
from sync.export import LARGEST, Exported, Stick
from terminal.decision import Decision
from terminal.journal import Journal, JournalReader
from terminal.provision import device_key, trust
from terminal.reasons import Reason, Verdict
from terminal.receipt import Receipt
from terminal.records import Record
from terminal.statement import Statement, StatementKind
from tests.sim.campus import Campus
from tests.sync.world import FIRST_SCAN


def write_many(settings: Settings, count: int) -> None:
    """Append `count` records to the terminal's journal at once."""
    trusted = trust(settings)
    journal = Journal(
        settings.journal,
        device=settings.device.name,
        central_key=trusted.central_key,
        state_key=trusted.state_key,
    )
    allowed = Decision(Verdict.ALLOW, (Reason.OK,))
    journal.append(*(Record(f"scan-{n}", FIRST_SCAN, True, "north-gate", allowed) for n in range(count)))
    journal.close()


def export_to(to: Path, settings: Settings, *, after: int | None = None, largest: int = LARGEST) -> Exported:
    """Export the terminal's journal to `to`, as the command does."""
    journal = JournalReader(settings.journal)
    stick = Stick(to, device=settings.device.name, key=device_key(settings), journal=journal)
    return stick.export(Receipt.load(settings.receipt), after=after, largest=largest)


def import_from(file: Path, campus: Campus) -> Imported:
    """Import `file` at central and write the receipt beside it, as the command does."""
    store = Store(campus.site.database_url)
    try:
        done = import_records(store, file)
    finally:
        store.close()
    write_receipt(campus.site, done, file.parent)
    return done


def files_on(stick: Path) -> list[Path]:
    """The records files there, by name."""
    return sorted(stick.glob("*.records"))


def statement(campus: Campus, receipt: Receipt, *, device: str = "north-gate-1") -> bytes:
    """Central's signed word that it has what `receipt` says, true or not."""
    said = Statement(StatementKind.RECEIPT, device, int(time.time()), receipt=receipt)
    return campus.site.statements.sign(said)
