"""A process that dies at one exact step, and a disk that loses what was not synced when the power fails.

Steps are the system calls that change files: open, fsync, rename, unlink, mkdir. At the last one, and at
each that is tried after it, `Died` is raised, so that no clean-up does what a dead process cannot. `lose`
then makes the directory as a disk may have it after a power cut: the bytes of a file are there once the file
was synced, its name once its directory was, or before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Died(BaseException):
    """Raised instead of the last step."""


class Disk:
    """What of the directory `root` is durable, told by the steps; all that is there at first is."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        self._directories = {root, *(path for path in root.rglob("*") if path.is_dir())}
        self._synced: dict[Path, bytes] = {}
        self._waiting: list[tuple[Path, Callable[[], object]]] = []  # changes of names, by directory

    def fsync(self, path: Path) -> None:
        """What syncing `path` makes durable."""
        if path.is_file():
            self._synced[path] = path.read_bytes()
            return
        for directory, change in self._waiting:
            if directory == path:
                change()
        self._waiting = [(directory, change) for directory, change in self._waiting if directory != path]

    def replace(self, old: Path, new: Path) -> None:
        """A rename that is not durable yet."""
        data = self._synced.get(old, b"")  # a name may be durable before the bytes are
        self._waiting.append((new.parent, lambda: self._durable.update({new: data})))

    def unlink(self, path: Path) -> None:
        """A removal that is not durable yet."""
        self._waiting.append((path.parent, lambda: self._durable.pop(path, None)))

    def mkdir(self, path: Path) -> None:
        """A directory that is not durable yet."""
        self._waiting.append((path.parent, lambda: self._directories.add(path)))

    def lose(self, *, newest: bool) -> None:
        """Make the directory what is durable of it. newest: the last change of a name is there too."""
        if newest and self._waiting:
            self._waiting[-1][1]()
        shutil.rmtree(self._root)
        for directory in sorted(self._directories):
            directory.mkdir()
        for path, data in self._durable.items():
            if path.parent in self._directories:
                path.write_bytes(data)


@contextmanager
def dying_at(step: int, root: Path) -> Iterator[Disk]:
    """Everything in here dies at that step, counted from 0; it ends quietly either way."""
    disk, count = Disk(root), 0

    def dies(real: Callable[..., Any], told: Callable[..., None] | None) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count > step:
                raise Died
            if told:
                told(*(_path(argument) for argument in arguments[:2] if not isinstance(argument, bool)))
            return real(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", dies(os.open, None))
        patch.setattr(os, "fsync", dies(lambda _: None, disk.fsync))
        patch.setattr(os, "replace", dies(os.replace, disk.replace))
        patch.setattr(os, "unlink", dies(os.unlink, disk.unlink))
        patch.setattr(os, "mkdir", dies(os.mkdir, lambda path, _: disk.mkdir(path)))
        try:
            yield disk
        except Died:
            return


def _path(argument: Any) -> Path:
    return Path(f"/proc/self/fd/{argument}").resolve() if isinstance(argument, int) else Path(argument)
