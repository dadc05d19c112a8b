"""What the machine can say for its clock: a battery-backed RTC, network time, and which boot this is.

Linux's own interfaces and nothing else: adjtimex(2) and the file of systemd-timesyncd for network time,
/sys/class/rtc for the RTC, /proc/sys/kernel/random/boot_id for the boot.
"""

from __future__ import annotations

import ctypes
import hashlib
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 256  # more than struct timex has; all zero, so that it asks and changes nothing


class MachineSources:
    """The sources of this machine. root: where /sys, /proc, /run lie."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    @cached_property
    def boot(self) -> str:
        """16 hex digits that name this boot: of the SHA-256 of the kernel's boot id; "" when it has none."""
        try:
            text = (self._root / "proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except (OSError, ValueError):
            return ""
        return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""

    def kernel(self) -> bool:
        """Whether the kernel's clock is in step with a reference (adjtimex(2)); False when it will not say.

        Setting the clock makes the kernel's word void, so what it says is newer than any jump.
        """
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return 0 <= int(state) < _TIME_ERROR

    def timesyncd(self) -> int | None:
        """When timesyncd last synchronised the clock (nanoseconds, by that clock); None when it did not."""
        try:
            return (self._root / "run/systemd/timesync/synchronized").stat().st_mtime_ns
        except OSError:
            return None

    def rtc(self) -> datetime | None:
        """What the RTC that set the system clock at boot says now; None without such an RTC."""
        try:
            for rtc in sorted((self._root / "sys/class/rtc").iterdir()):
                if (rtc / "hctosys").read_text("ascii").strip() == "1":
                    return datetime.fromtimestamp(int((rtc / "since_epoch").read_text("ascii")), UTC)
        except (OSError, ValueError, OverflowError):
            return None
        return None
