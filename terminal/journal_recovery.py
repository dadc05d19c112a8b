"""Putting a sound journal in the place of a damaged one, which is set aside and never deleted.

Everything readable goes into the new one (journal_salvage.py), which takes the old one's place all at once: a
process that is killed here leaves the damaged file to be recovered again, or a finished one that only needs
its name.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.files import sync_directory
from terminal.journal_file import connect, make_tables
from terminal.journal_pages import PageSource
from terminal.journal_salvage import Owner, Recovery, Salvage
from terminal.receipt import Receipt

_BUILDING, _BUILT, _ASIDE = ".recovering", ".recovered-", ".damaged-"


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening found. verified: how many of the newest records were read back and are sound.

    clean: it had been closed properly. recovered: what became of it if it was damaged, then or since.
    """

    newest: int
    verified: int
    clean: bool
    recovered: Recovery | None = None


def recover(path: Path, what: str, owner: Owner, receipt: Receipt) -> Recovery:
    """Put a sound journal in the place of the damaged one at `path`, which is set aside.

    what: the damage as it was noticed. Raises: OSError, sqlite3.Error (a full disk): `path` is then
    as it was.
    """
    building = path.with_name(path.name + _BUILDING)
    stamp = _stamp(path)
    try:
        _remove(building)
        with closing(connect(building)) as db, PageSource(path) as source:
            db.execute("pragma auto_vacuum = incremental")
            db.execute("pragma journal_mode = off")  # whatever is cut off here is begun again
            db.execute("pragma synchronous = off")
            make_tables(db)
            db.execute("begin")
            recovery = Salvage(db, source, owner, receipt).run(what, path.name + _ASIDE + stamp)
            db.execute("commit")
            db.execute("pragma journal_mode = wal")
        with building.open("rb") as file:
            os.fsync(file.fileno())
        building.replace(path.with_name(path.name + _BUILT + stamp))
        sync_directory(path.parent)
    except BaseException:
        _remove(building)
        raise
    finish(path)
    return recovery


def finish(path: Path) -> None:
    """Let a recovered journal take its place at `path`, if one is ready; nothing is overwritten.

    The log goes first: SQLite must never find the old one beside the new file. Raises: OSError.
    """
    _remove(path.with_name(path.name + _BUILDING))
    for built in sorted(path.parent.glob(path.name + _BUILT + "*")):
        aside = path.with_name(path.name + _ASIDE + built.name.removeprefix(path.name + _BUILT))
        if not aside.exists():
            os.link(path, aside)  # a reader must always find a journal at `path`
        for suffix in ("-wal", "-shm"):
            part, kept = (file.with_name(file.name + suffix) for file in (path, aside))
            if part.exists():
                # A reader may have made an empty one again since it was moved.
                part.replace(_unused(kept))
        sync_directory(path.parent)
        built.replace(path)
        sync_directory(path.parent)


def set_aside(path: Path) -> list[str]:
    """The names of the damaged journals beside `path`."""
    names = (file.name for file in path.parent.glob(path.name + _ASIDE + "*"))
    return sorted(name for name in names if "-wal" not in name and "-shm" not in name)


def _stamp(path: Path) -> str:
    """The time, as a part of a name that nothing has yet."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return _unused(path.with_name(path.name + _ASIDE + stamp)).name.removeprefix(path.name + _ASIDE)


def _unused(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}-{number}")
    return free


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
