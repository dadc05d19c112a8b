"""A disk that loses at a power cut what was not synced: what SQLite writes is recorded below it, in its VFS.

`recorded` makes the process's own libsqlite3, the one that Python's sqlite3 uses, tell every write,
truncation, sync and deletion (https://sqlite.org/vfs.html), while it does them. `Recording.after_cut` then
makes the files as a disk may have them when the power fails at one of these moments: everything up to the
last sync of each file, and of what came later any part, in sectors of 512 bytes, as a disk with a cache of
its own writes them.
"""

from __future__ import annotations

import ctypes
import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path

_SECTOR = 512  # bytes
_VFS_POINTERS = 16  # functions of sqlite3_vfs, version 3, from xOpen on
_IO_POINTERS = 18  # functions of sqlite3_io_methods, version 3
# A path is a pointer: SQLite keeps it, and there is more behind its end.
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("path_size", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("calls", c_void_p * _VFS_POINTERS),  # xOpen, xDelete, ...
    )


class _IoMethods(ctypes.Structure):
    _fields_ = (("version", c_int), ("calls", c_void_p * _IO_POINTERS))  # xClose, xRead, xWrite, ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that SQLite did to a file: "write", "truncate", "sync" or "delete"."""

    kind: str
    name: str  # of the file, without its directory
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Recording:
    """All that was done to the files, in order."""

    operations: list[Operation] = field(default_factory=list)

    def after_cut(self, moment: int, directory: Path, rng: random.Random) -> None:
        """Put into `directory` what may be on disk when the power fails before operation `moment`."""
        done = self.operations[:moment]
        synced = {one.name: number for number, one in enumerate(done) if one.kind == "sync"}
        files: dict[str, bytearray] = {}
        for number, one in enumerate(done):
            if one.kind == "delete":
                files.pop(one.name, None)
            elif number < synced.get(one.name, -1):
                _apply(files.setdefault(one.name, bytearray()), one)
            elif one.kind != "sync":
                for part in _reached(one, rng):
                    _apply(files.setdefault(one.name, bytearray()), part)
        for name, data in files.items():
            (directory / name).write_bytes(data)


def _reached(one: Operation, rng: random.Random) -> list[Operation]:
    """What of an operation that no sync followed is on the disk: all, nothing or some sectors."""
    fate = rng.choice(("all", "nothing", "some"))
    if fate == "nothing" or (fate == "some" and one.kind == "truncate"):
        return []
    if fate == "all":
        return [one]
    sectors = range(0, len(one.data), _SECTOR)
    return [
        Operation("write", one.name, one.offset + start, one.data[start : start + _SECTOR])
        for start in sectors
        if rng.random() < 0.5
    ]


def _apply(file: bytearray, one: Operation) -> None:
    if one.kind == "truncate":
        del file[one.offset :]
    elif one.kind == "write":
        file.extend(bytes(max(0, one.offset - len(file))))
        file[one.offset : one.offset + len(one.data)] = one.data


@contextmanager
def recorded() -> Iterator[Recording]:
    """Record what every connection that is opened in here does. For one thread.

    Raises: OSError when Python's sqlite3 does not use a shared libsqlite3.
    """
    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_libversion.restype = c_char_p
    if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
        raise OSError("Python's sqlite3 has an SQLite of its own: nothing can be recorded below it")
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    recording = Recording()
    note = recording.operations.append
    names: dict[int, str] = {}
    whole = library.sqlite3_vfs_find(None).contents
    vfs = _Vfs.from_buffer_copy(whole)
    vfs.name = b"recorded"
    kept: list[object] = []  # what SQLite points to must live

    def on_open(own: int, path: int | None, file: int, flags: int, out: int) -> int:
        result: int = _OPEN(whole.calls[0])(own, path, file, flags, out)
        pointer = c_void_p.from_address(file)
        if result == 0 and pointer.value and path:
            names[file] = Path(ctypes.string_at(path).decode()).name
            pointer.value = ctypes.addressof(hooked(pointer.value))
        return result

    def on_delete(own: int, path: bytes, durable: int) -> int:
        note(Operation("delete", Path(path.decode()).name))
        result: int = _DELETE(whole.calls[1])(own, path, durable)
        return result

    def hooked(address: int) -> _IoMethods:
        original = _IoMethods.from_address(address)
        methods = _IoMethods.from_buffer_copy(original)

        def on_write(file: int, data: int, size: int, offset: int) -> int:
            note(Operation("write", names[file], offset, ctypes.string_at(data, size)))
            result: int = _WRITE(original.calls[2])(file, data, size, offset)
            return result

        def on_truncate(file: int, size: int) -> int:
            note(Operation("truncate", names[file], size))
            result: int = _TRUNCATE(original.calls[3])(file, size)
            return result

        def on_sync(file: int, flags: int) -> int:
            result: int = _SYNC(original.calls[4])(file, flags)
            note(Operation("sync", names[file]))
            return result

        hooks = (_WRITE(on_write), _TRUNCATE(on_truncate), _SYNC(on_sync))
        for number, hook in enumerate(hooks, 2):
            methods.calls[number] = ctypes.cast(hook, c_void_p)
        kept.extend((methods, hooks))
        return methods

    hooks = (_OPEN(on_open), _DELETE(on_delete))
    for number, hook in enumerate(hooks):
        vfs.calls[number] = ctypes.cast(hook, c_void_p)
    library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
    try:
        yield recording
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(vfs))
