"""A wall clock that jumps: a process that follows a shared file is so many seconds off as that says.

Patched where Python asks for the time, `time.time` and `datetime.now`, in a process that does nothing else:
the monotonic clock runs on, as it does when somebody sets a machine's clock.
"""

from __future__ import annotations

import datetime as datetimes
import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Any

_OFFSET = struct.Struct("d")  # seconds
_true_time = time.time
_true_datetime = datetimes.datetime


def set_clock(file: Path, offset: float) -> None:
    """Let whoever follows `file` be `offset` seconds off from now on."""
    if not file.exists():
        file.write_bytes(_OFFSET.pack(offset))
    with file.open("r+b") as shared, mmap.mmap(shared.fileno(), _OFFSET.size) as words:
        _OFFSET.pack_into(words, 0, offset)


def follow(file: str) -> None:
    """Let this process's wall clock be off by what `file` says, now and whenever it changes."""
    with Path(file).open("r+b") as shared:
        words = mmap.mmap(shared.fileno(), _OFFSET.size)

    def offset() -> float:
        seconds: float = _OFFSET.unpack_from(words)[0]
        return seconds

    class _Kind(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, _true_datetime)

    class _Jumping(_true_datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return _true_datetime.fromtimestamp(_true_time() + offset(), tz)

    time.time = lambda: _true_time() + offset()
    for module in list(sys.modules.values()):
        if vars(module).get("datetime") is _true_datetime and module.__name__.split(".")[0] != "pydantic":
            vars(module)["datetime"] = _Jumping
