"""The computer itself: its clock is set, and it is started anew, because maintenance staff asks for it.

Neither needs a shell, and neither is ever done by the terminal of its own accord.
"""

from __future__ import annotations

import fcntl
import logging
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from config.settings import Settings
from hw.drivers import load_driver
from hw.errors import MachineError

log = logging.getLogger(__name__)

_RTC_SET_TIME = 0x4024700A  # linux/rtc.h: _IOW('p', 0x0a, struct rtc_time), which is nine ints
_REBOOT = ("systemctl", "reboot")
_REBOOT_WITHIN = 20.0  # seconds for systemd to take the order


class Machine(Protocol):
    """What every machine driver is: constructed from settings, then told what to do."""

    def set_clock(self, time: datetime) -> bool:
        """Set the clock to `time` (aware); whether an RTC keeps it through a power cut too.

        Raises: MachineError with what to do.
        """

    def reboot(self) -> None:
        """Stop everything and start anew, soon; comes back before it happens. Raises: MachineError."""


def open_machine(settings: Settings) -> Machine:
    """The machine that `settings.machine` names. Raises: UnknownDriver."""
    machine: Machine = load_driver("machine", settings.machine.driver)(settings)
    return machine


class LinuxMachine:
    """This computer. rtc: its hardware clock, which need not be there."""

    def __init__(self, settings: Settings, *, rtc: Path = Path("/dev/rtc0")) -> None:
        del settings
        self._rtc = rtc

    def set_clock(self, time: datetime) -> bool:
        """See `Machine.set_clock`: clock_settime(2), then the RTC, which is set as far as that works."""
        _set_system(time)
        try:
            with self._rtc.open("rb", buffering=0) as rtc:
                fcntl.ioctl(rtc, _RTC_SET_TIME, rtc_time(time))
        except OSError as error:
            log.info("the RTC is not set: %s: %s", self._rtc, error.strerror)
            return False
        return True

    def reboot(self) -> None:
        """See `Machine.reboot`: by systemd, so that every process ends in good order."""
        try:
            done = subprocess.run(
                _REBOOT, capture_output=True, text=True, timeout=_REBOOT_WITHIN, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MachineError(f"`systemctl reboot` cannot be run: {error}; switch the power") from error
        if done.returncode:
            said = " ".join(done.stderr.split())[:200] or f"exit status {done.returncode}"
            raise MachineError(
                f"`systemctl reboot` was refused ({said}); let the service's user do it (a polkit rule for"
                " org.freedesktop.login1.reboot), or switch the power"
            )


def _set_system(to: datetime) -> None:
    try:
        time.clock_settime(time.CLOCK_REALTIME, to.timestamp())
    except PermissionError as error:
        raise MachineError(
            "this user may not set the clock; give the console's service CAP_SYS_TIME"
            " (AmbientCapabilities=CAP_SYS_TIME)"
        ) from error
    except (OSError, OverflowError) as error:
        raise MachineError(f"the clock does not take {to:%Y-%m-%d %H:%M:%S}: {error}") from error


def rtc_time(time: datetime) -> bytes:
    """`time` in UTC as struct rtc_time of linux/rtc.h: months from 0, years from 1900."""
    at = time.astimezone(UTC)
    return struct.pack("9i", at.second, at.minute, at.hour, at.day, at.month - 1, at.year - 1900, 0, 0, 0)


class SimulatedMachine:
    """Writes what it is told to the file `machine.path`, a line each, and does nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path(settings.machine.path or "")

    def set_clock(self, time: datetime) -> bool:
        """See `Machine.set_clock`: the line `clock TIME`."""
        self._write(f"clock {time.astimezone(UTC).isoformat()}")
        return False

    def reboot(self) -> None:
        """See `Machine.reboot`: the line `reboot`."""
        self._write("reboot")

    def _write(self, line: str) -> None:
        try:
            with self._path.open("a", encoding="ascii") as file:
                file.write(line + "\n")
        except OSError as error:
            raise MachineError(f"{self._path}: cannot be written: {error.strerror}") from error
