"""The computer itself: setting its clock and starting it anew, and what is said where that is not allowed."""

from __future__ import annotations

import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from hw.errors import MachineError, UnknownDriver
from hw.machine import LinuxMachine, SimulatedMachine, open_machine, rtc_time
from tests.hw.conftest import MakeSettings

SHANGHAI = timezone(timedelta(hours=8))
# Whatever it may do, it sets the clock to what it is.
POWERLESS = """
import os, sys
from datetime import UTC, datetime
from hw.errors import MachineError
from hw.machine import LinuxMachine
if os.geteuid() == 0:
    os.setuid(65534)
try:
    LinuxMachine(None).set_clock(datetime.now(UTC))
except MachineError as error:
    sys.exit(str(error))
"""


def systemctl(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let `script` be this machine's systemctl."""
    file = directory / "systemctl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=":")


def test_the_driver_is_chosen_by_its_name(make_settings: MakeSettings) -> None:
    assert isinstance(open_machine(make_settings()), LinuxMachine)
    simulated = make_settings(machine={"driver": "simulated", "path": "machine"})
    assert isinstance(open_machine(simulated), SimulatedMachine)
    with pytest.raises(UnknownDriver, match="there are: linux, simulated"):
        open_machine(make_settings(machine={"driver": "mainframe"}))


def test_the_simulated_machine_writes_what_it_is_told(make_settings: MakeSettings, tmp_path: Path) -> None:
    machine = open_machine(make_settings(machine={"driver": "simulated", "path": "machine"}))
    assert machine.set_clock(datetime(2026, 11, 24, 7, 30, tzinfo=SHANGHAI)) is False
    machine.reboot()
    assert (tmp_path / "machine").read_text() == "clock 2026-11-23T23:30:00+00:00\nreboot\n"
    (tmp_path / "machine").unlink()
    (tmp_path / "machine").mkdir()
    with pytest.raises(MachineError, match="cannot be written"):
        machine.reboot()


def test_reboot_is_an_order_to_systemd(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/told')
    LinuxMachine(make_settings()).reboot()
    assert (tmp_path / "told").read_text() == "reboot\n"


def test_a_reboot_that_is_refused_says_what_to_do(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, monkeypatch, "echo 'Access denied' >&2; exit 1")
    with pytest.raises(MachineError, match=r"Access denied\); let the service's user do it"):
        LinuxMachine(make_settings()).reboot()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MachineError, match=r"cannot be run: .*; switch the power"):
        LinuxMachine(make_settings()).reboot()


def test_who_may_not_set_the_clock_is_told_which_privilege_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", POWERLESS], capture_output=True, text=True, timeout=60, check=False
    )
    assert "give the console's service CAP_SYS_TIME" in done.stderr


def test_a_time_that_the_kernel_does_not_take_is_an_error_of_the_machine(make_settings: MakeSettings) -> None:
    with pytest.raises(MachineError, match="the clock does not take 1960"):
        LinuxMachine(make_settings()).set_clock(datetime(1960, 1, 1, tzinfo=UTC))


def test_the_rtc_gets_utc_with_months_from_0_and_years_from_1900() -> None:
    fields = struct.unpack("9i", rtc_time(datetime(2026, 12, 1, 7, 30, 15, tzinfo=SHANGHAI)))
    assert fields[:6] == (15, 30, 23, 30, 10, 126)
