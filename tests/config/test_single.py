"""One terminal, one daemon on a directory: the second is refused, and the first's end lets another in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.single import AlreadyRunning, Single

HOLD = """
import sys, time
from pathlib import Path
from config.single import Single
held = Single(Path(sys.argv[1]), "terminal")
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first = Single(tmp_path, "terminal")
    with pytest.raises(AlreadyRunning, match=f"terminal is already running .*{os.getpid()}"):
        Single(tmp_path, "terminal")
    Single(tmp_path, "sync").close()  # another kind of process is no rival
    first.close()
    Single(tmp_path, "terminal").close()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(AlreadyRunning, match=str(child.pid)):
        Single(tmp_path, "terminal")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    Single(tmp_path, "terminal").close()


def test_the_directory_is_made_when_it_is_missing(tmp_path: Path) -> None:
    Single(tmp_path / "a" / "b", "sync").close()
    assert (tmp_path / "a" / "b" / "sync.lock").exists()
