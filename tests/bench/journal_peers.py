"""What else keeps a text until it is sent: a plain file, a plain table, two libraries of queues in SQLite.

All are as durable as the journal: each `append` returns after fdatasync or after a commit with
synchronous=FULL. That level is set on the connection that the library itself writes with, and read back. No
peer seals or chains: each is given a text that is finished. persist-queue pickles it, as it always does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from litequeue import LiteQueue
from persistqueue import SQLiteAckQueue, SQLiteQueue

_FULL = 2  # what `pragma synchronous` says of FULL

Append = Callable[[str], object]


def bare(directory: Path) -> Append:
    """One write at the end of a file, and fdatasync."""
    return _written(os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))


def bare_in_place(directory: Path) -> Append:
    """The same in a file that has its size already: nothing but data goes to disk."""
    file = os.open(directory / "bare-in-place", os.O_CREAT | os.O_RDWR, 0o600)
    for _ in range(64):
        os.write(file, bytes(1_048_576))
    os.fsync(file)
    os.lseek(file, 0, os.SEEK_SET)
    return _written(file)


def table(directory: Path) -> Append:
    """One insert into a table of SQLite in WAL mode."""
    db = sqlite3.connect(directory / "table.db", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("create table entry (sequence integer primary key, event text)")
    _make_full(db)
    return lambda text: db.execute("insert into entry (event) values (?)", [text])


def persist_queue(directory: Path) -> Append:
    """persist-queue's SQLiteQueue, which commits every put."""
    queue = SQLiteQueue(str(directory / "persist-queue"), auto_commit=True)
    _make_full(queue._putter)
    return queue.put  # type: ignore[no-any-return]


def persist_ack_queue(directory: Path) -> Append:
    """persist-queue's SQLiteAckQueue, which also remembers what was acknowledged."""
    queue = SQLiteAckQueue(str(directory / "persist-ack-queue"), auto_commit=True)
    _make_full(queue._putter)
    return queue.put  # type: ignore[no-any-return]


def litequeue(directory: Path) -> Append:
    """litequeue's LiteQueue, which keeps each message's state and time too."""
    queue = LiteQueue(directory / "litequeue.db")
    _make_full(queue.conn)
    return queue.put  # type: ignore[no-any-return]


PEERS: dict[str, Callable[[Path], Append]] = {
    "write + fdatasync": bare,
    "the same, file preallocated": bare_in_place,
    "SQLite insert": table,
    "persist-queue": persist_queue,
    "persist-queue, acknowledged": persist_ack_queue,
    "litequeue": litequeue,
}


def _written(file: int) -> Append:
    def append(text: str) -> None:
        data = text.encode()
        if os.write(file, data) != len(data):
            raise OSError("the disk is full")
        os.fdatasync(file)

    return append


def _make_full(db: sqlite3.Connection) -> None:
    db.execute("pragma synchronous = full")
    mode, level = (db.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    if mode != "wal" or level != _FULL:
        raise RuntimeError(f"journal_mode is {mode} and synchronous {level}, not wal and {_FULL}")
