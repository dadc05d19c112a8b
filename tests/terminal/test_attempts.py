"""Wrong passwords slow the next one down and lock it, whatever happens to power, clock and file meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.files import write_atomic
from hw.clock_sources import MachineSources
from terminal.console.attempts import LOCKED, LOCKED_EVERY, SLOWEST, Attempts, boot_time


@dataclass
class Machine:
    """A machine whose boots and whose seconds a test decides; the file and the rest are real."""

    path: Path
    boot: str = "first"
    now: float = 1000.0

    def attempts(self) -> Attempts:
        """As a console that was started now has them."""
        return Attempts(self.path, boot=self.boot, uptime=lambda: self.now)

    def reboot(self, *, after: float = 0.0) -> None:
        self.boot, self.now = f"{self.boot}+", after

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.now += self.attempts().wait()
            assert self.attempts().begin() == 0.0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "attempts.json")


def test_failures_slow_down_lock_and_end_with_the_right_password(machine: Machine) -> None:
    waits = []
    for _ in range(2 * LOCKED_EVERY):
        machine.fail(1)
        waits.append(machine.attempts().wait())
    assert waits[:LOCKED_EVERY] == [1, 2, 4, 8, 16, 32, SLOWEST, SLOWEST, SLOWEST, LOCKED]
    assert waits[LOCKED_EVERY:] == [SLOWEST] * 9 + [LOCKED]
    machine.now += LOCKED
    assert machine.attempts().begin() == 0.0
    machine.attempts().succeeded()
    assert machine.attempts().wait() == 0.0
    machine.fail(1)
    assert machine.attempts().wait() == 1.0


def test_an_attempt_that_is_refused_is_not_counted(machine: Machine) -> None:
    machine.fail(3)
    for _ in range(50):
        assert machine.attempts().begin() == 4.0
    machine.now += 3.5
    assert machine.attempts().begin() == 0.5
    machine.now += 0.5
    assert machine.attempts().begin() == 0.0
    assert machine.attempts().wait() == 8.0


def test_a_lock_begins_anew_with_every_boot(machine: Machine) -> None:
    machine.fail(LOCKED_EVERY)
    machine.now += LOCKED - 1
    assert machine.attempts().wait() == 1.0
    machine.reboot(after=20.0)
    assert machine.attempts().wait() == LOCKED - 20
    machine.reboot(after=5.0)
    assert machine.attempts().begin() == LOCKED - 5
    machine.now = LOCKED
    assert machine.attempts().begin() == 0.0
    assert machine.attempts().wait() == SLOWEST


def test_turning_the_power_off_between_guesses_never_saves_a_count(machine: Machine) -> None:
    for _ in range(LOCKED_EVERY):
        machine.reboot(after=SLOWEST)
        assert machine.attempts().begin() == 0.0
    machine.reboot()
    assert machine.attempts().wait() == LOCKED


@given(steps=st.lists(st.sampled_from(["guess", "boot", "restart"]) | st.floats(0, 100), max_size=60))
def test_no_order_of_boots_and_waits_gives_more_guesses(tmp_path: Path, steps: list[str | float]) -> None:
    machine = Machine(tmp_path / "attempts.json")
    machine.path.unlink(missing_ok=True)
    attempts, guesses, ran, uptime = machine.attempts(), 0, 0.0, machine.now
    for step in steps:
        if step == "guess":
            guesses += attempts.begin() == 0.0
        elif step == "boot":
            machine.reboot()
            attempts, uptime = machine.attempts(), 0.0
        elif step == "restart":
            attempts = machine.attempts()
        else:
            machine.now += float(step)
            ran += machine.now - uptime
            uptime = machine.now
    needed = sum(
        [*(2.0**n for n in range(6)), *[SLOWEST] * 3, LOCKED, *[SLOWEST] * 50][: max(0, guesses - 1)]
    )
    assert ran >= needed - 1e-6


def test_a_clock_that_is_set_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts(tmp_path / "attempts.json", boot=MachineSources().boot)
    uptime = boot_time()
    frozen = Attempts(tmp_path / "attempts.json", boot=MachineSources().boot, uptime=lambda: uptime)
    frozen.begin()
    assert frozen.wait() == 1.0
    for wrong in (0.0, 4e9):
        monkeypatch.setattr("time.time", lambda wrong=wrong: wrong)
        assert frozen.wait() == 1.0
    assert 0.0 <= attempts.wait() <= 1.0


DAMAGED = [b"", b"{}", b"[]", b"null", b"5", b'"x"', b"\xff", b"[" * 100_000, b"\x00" * 140]


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_no_clean_slate_and_is_mended(machine: Machine, data: bytes) -> None:
    machine.path.write_bytes(data)
    assert machine.attempts().wait() == SLOWEST
    machine.now += SLOWEST - 1
    assert machine.attempts().begin() == 1.0
    machine.now += 1
    machine.fail(3)
    assert machine.attempts().wait() == LOCKED


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_never_makes_it_shorter_than_it_was(tmp_path: Path, place: int, bit: int) -> None:
    machine = Machine(tmp_path / "attempts.json")
    machine.path.unlink(missing_ok=True)
    machine.fail(6)
    before = machine.attempts().wait()
    data = bytearray(machine.path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    machine.path.write_bytes(data)
    assert machine.attempts().wait() >= before


def test_a_file_that_cannot_be_read_counts_in_memory(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "attempts.json")
    machine.path.mkdir()
    attempts = machine.attempts()
    assert attempts.wait() == SLOWEST
    machine.now += SLOWEST
    assert attempts.begin() == 0.0
    assert attempts.wait() == SLOWEST
    attempts.succeeded()
    assert attempts.wait() == 0.0


def test_on_a_full_or_read_only_disk_it_counts_on_in_memory(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = machine.attempts()
    attempts.begin()
    on_disk = machine.path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for wait in (1.0, 2.0, 4.0):
            assert attempts.wait() == wait
            machine.now += wait
            assert attempts.begin() == 0.0
    assert machine.path.read_bytes() == on_disk
    assert attempts.wait() == 8.0
    machine.now += 8.0
    attempts.begin()
    assert machine.attempts().wait() == 16.0


def test_many_consoles_at_once_get_one_guess_between_them(machine: Machine) -> None:
    answers: list[float] = []
    threads = [threading.Thread(target=lambda: answers.append(machine.attempts().begin())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0.0] + [1.0] * 15


_GUESS = """
import sys
from pathlib import Path
from terminal.console.attempts import Attempts
from tests.sim.die_at import Step, arm

arm(Step(sys.argv[2], sys.argv[3] == "after", int(sys.argv[4])))
Attempts(Path(sys.argv[1]), boot="first", uptime=lambda: 5000.0).begin()
print("answered", flush=True)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("target", "nth"), [("os:fsync", 1), ("os:fsync", 2), ("pathlib:Path.replace", 1)])
def test_killed_at_any_step_a_guess_is_counted_or_was_not_answered(
    machine: Machine, target: str, nth: int, when: str
) -> None:
    machine.fail(4)
    script = [sys.executable, "-c", _GUESS, str(machine.path), target, when, str(nth)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == ""
    machine.now = 5000.0
    renamed = (target, nth, when) not in {
        ("os:fsync", 1, "before"),
        ("os:fsync", 1, "after"),
        ("pathlib:Path.replace", 1, "before"),
    }
    assert machine.attempts().wait() == (16.0 if renamed else 0.0)


def test_what_was_answered_was_counted(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    script = [sys.executable, "-c", _GUESS, str(path), "os:fsync", "after", "99"]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "answered\n"
    assert Machine(path, now=5000.0).attempts().wait() == 1.0


def test_what_a_killed_write_left_behind_is_not_taken_for_the_file(machine: Machine) -> None:
    machine.fail(2)
    write_atomic(machine.path.with_name(f".{machine.path.name}.0badcafe"), b"half")
    assert machine.attempts().wait() == 2.0
