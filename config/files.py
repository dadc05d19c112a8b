"""Files that survive a power cut: written whole or not at all.

A reader sees the old bytes or the new ones, never a mixture, because the new file is made durable under
another name in the same directory and then renamed (POSIX rename is atomic; the directory is fsynced so
that the rename itself is durable).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.errors import SettingsError


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`, durably and atomically.

    Raises: OSError as the file system gives it (full, read-only, no directory); `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable: without it a power cut may undo a rename or a creation."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold `directory` alone, among all threads and processes that hold it so: to read, change, write back.

    Raises: OSError when there is no such directory.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def private_directory(path: Path) -> Path:
    """Make `path` (and its parents) a directory that only its owner may enter (0700); give it back."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def give_to_group(path: Path, group: str | None) -> None:
    """Let the Unix group that the settings name in console.group have `path`; None: leave it its owner's.

    Raises: SettingsError when there is no such group, or this process may not give it anything.
    """
    if group is None:
        return
    try:
        shutil.chown(path, group=group)
    except LookupError as error:
        raise SettingsError(
            [f"console.group: this machine has no group {group!r}; make it with `groupadd {group}`"]
        ) from error
    except PermissionError as error:
        raise SettingsError(
            [f"console.group: this process is not in the group {group!r}, so it cannot give it {path}"]
        ) from error
