"""What waits to be confirmed: a commit that undoes itself, and the file that says so over a power cut."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from config.errors import CommitRefused
from config.files import sync_directory, write_atomic

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MarkerDamaged(CommitRefused):
    """Raised when it cannot be told what comes back unless somebody confirms."""


@dataclass(frozen=True, slots=True)
class BootTime:
    """An instant that setting the clock does not move: the kernel's boot id, seconds of CLOCK_BOOTTIME."""

    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A commit that waits for `confirm` until the deadline, seconds of CLOCK_BOOTTIME in that boot."""

    version: int
    back_to: int
    by: str
    boot: str
    deadline: float

    def __post_init__(self) -> None:
        if type(self.back_to) is not int or not isinstance(self.deadline, int | float):
            raise TypeError("is no commit that waits")

    def seconds_left(self, now: BootTime) -> float:
        """How long until it is undone; 0 when it is to be undone now."""
        return max(0.0, self.deadline - now.seconds) if self.boot == now.boot else 0.0


def boot_time() -> BootTime:
    """Now, by this machine."""
    return BootTime(_BOOT_ID.read_text("ascii").strip(), time.clock_gettime(time.CLOCK_BOOTTIME))


class Marker:
    """The file at `path` that holds the commit that waits; none waits while it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Unconfirmed | None:
        """The commit that waits. Raises: MarkerDamaged, OSError."""
        try:
            return Unconfirmed(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise MarkerDamaged(
                f"{self._path}: is damaged; `confirm` keeps what is in force, `rollback` has what was"
            ) from error

    def put(self, waiting: Unconfirmed) -> bytes | None:
        """Let `waiting` wait, durably; what the file held before, for `restore`. Raises: OSError."""
        before = self._path.read_bytes() if self._path.exists() else None
        write_atomic(self._path, json.dumps(asdict(waiting)).encode())
        return before

    def restore(self, before: bytes | None) -> None:
        """Let wait what did before `put`. Raises: OSError."""
        if before is None:
            self.forget()
        else:
            write_atomic(self._path, before)

    def forget(self) -> None:
        """Let nothing wait, durably. Raises: OSError."""
        self._path.unlink(missing_ok=True)
        sync_directory(self._path.parent)
