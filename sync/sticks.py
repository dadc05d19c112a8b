"""USB sticks: where they are mounted, and which one is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from os.path import ismount
from pathlib import Path

from terminal.console.command import Refused
from terminal.console.session import Session

_MOST = 20  # more than anybody chooses from


def mounted(root: Path) -> list[Path]:
    """What is mounted in `root`, as /media/usb, or one level deeper, as /media/USER/NAME; by name."""
    return sorted(_mounted(root, 2))


def _mounted(directory: Path, depth: int) -> Iterator[Path]:
    for path in _directories(directory):
        if ismount(path):
            yield path
        elif depth > 1:
            yield from _mounted(path, depth - 1)


def _directories(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:  # not there, or not ours to look into
        return []


def read_only(stick: Path) -> bool:
    """Whether nothing can be written to `stick`. Raises: OSError when it is gone."""
    return bool(os.statvfs(stick).f_flag & os.ST_RDONLY)


def free_bytes(stick: Path) -> int:
    """How many more bytes fit on `stick`. Raises: OSError when it is gone."""
    space = os.statvfs(stick)
    return space.f_bavail * space.f_frsize


def the_stick(session: Session) -> Path:
    """The only stick there is, or the one that is chosen. Raises: Refused when there is none."""
    root = session.settings().path(session.settings().console.sticks)
    sticks = mounted(root)
    if not sticks:
        raise Refused(
            f"no stick is mounted under {root}; put one in, wait a few seconds, and look with `show sticks`."
            " One that never shows must be mounted by hand: FAT32, exFAT or ext4"
        )
    return one_of(session, "Which stick?", sticks, root)


def one_of(session: Session, question: str, paths: Sequence[Path], root: Path) -> Path:
    """The one in `paths`, or the one that is chosen by its name below `root`."""
    if len(paths) == 1:
        return paths[0]
    if len(paths) > _MOST:
        raise Refused(f"{len(paths)} to choose from under {root}; leave no more than {_MOST} there")
    named = {str(path.relative_to(root)): path for path in paths}
    return named[session.line.ask(question, tuple(named))]
