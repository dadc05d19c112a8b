"""Records that came on a stick: each frame verified, then stored by the way that the network's batches go.

So a record that came by both ways is there once, and a file may be imported as often as one likes. The
format is in sync/frames.py. What a file says is believed frame by frame: one that is cut off or altered is
taken up to its last good frame. Records that are missing before it come first: the file is refused by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.errors import CampusgateError
from config.files import write_atomic
from sync.carried import SUFFIX
from sync.central.devices import DeviceStatus
from sync.central.ingest import Gap, Lane
from sync.central.site import Site
from sync.central.store import Store
from sync.frames import FrameError, FrameReader, Torn
from terminal.receipt import Receipt
from terminal.statement import Statement, StatementKind


class ImportRefused(CampusgateError, ValueError):
    """Raised when nothing of a records file can be taken; names the file and why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file. new, known, refused: counts of records; alarms: raised over them.

    through: up to where central has everything of `device` now. fault: why the rest of the file was not
    taken, "" when all was. torn: whether that is only because the file was cut off.
    """

    device: str
    new: int
    known: int
    refused: int
    alarms: int
    through: int
    digest: str
    fault: str
    torn: bool


def import_records(store: Store, path: Path, *, progress: Callable[[int], None] = lambda _: None) -> Imported:
    """Take what is good of the records file `path`. progress: called with the bytes done.

    Raises: ImportRefused when its device is unknown or revoked, or it is no records file; OSError.
    """
    with path.open("rb") as file:
        try:
            reader = FrameReader(file)
        except FrameError as error:
            raise ImportRefused(f"{path}: {error}") from error
        device = reader.device
        _check_status(store, path, device)
        keys = store.devices.trusted_keys(device)
        receipt = store.ingest(device, [])
        new = known = refused = alarms = 0
        fault, torn, used = "the file has no end; export again to complete it", True, None
        try:
            for frame in reader.frames(keys):
                if frame.is_end:
                    fault, torn = "", False
                    continue
                if frame.key != used:
                    store.devices.used(device, frame.key)
                    used = frame.key
                taken = store.take(device, frame.events, Lane.MAIN)
                receipt = taken.receipt
                new, refused = new + taken.records, refused + len(receipt.refused)
                known += len(frame.events) - taken.records - len(receipt.refused)
                alarms += len(taken.alarms)
                progress(frame.ends_at)
        except Gap as gap:
            fault, torn = f"record {gap.expected} and those after it are missing and come first", False
        except FrameError as error:
            fault, torn = _fault(error), isinstance(error, Torn)
    return Imported(device, new, known, refused, alarms, receipt.through, receipt.digest, fault, torn)


def write_receipt(site: Site, imported: Imported, directory: Path) -> Path:
    """Write central's signed receipt for that device into `directory`; where it is.

    Raises: KeyFileError, OSError.
    """
    site.statements.create()  # a central of an earlier version has none yet
    statement = Statement(
        StatementKind.RECEIPT,
        imported.device,
        int(time.time()),
        receipt=Receipt(imported.through, imported.digest),
    )
    path = directory / f"campusgate-{imported.device}{SUFFIX}"
    write_atomic(path, site.statements.sign(statement))
    return path


def _check_status(store: Store, path: Path, device: str) -> None:
    match store.devices.status(device):
        case DeviceStatus.UNKNOWN:
            raise ImportRefused(f"{path}: no device is registered as {device!r:.80}")
        case DeviceStatus.REVOKED:
            raise ImportRefused(f"{path}: {device} is revoked: nothing of it is taken")


def _fault(error: FrameError) -> str:
    if isinstance(error, Torn):
        return f"the file {error}; export again to complete it"
    return f"{error}; what came before is good. If the terminal has a new key since, export again"
