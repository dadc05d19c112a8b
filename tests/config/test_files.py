"""Files written whole or not at all: through SIGKILL at any moment, and when the disk takes no more."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.files import private_directory, write_atomic

ROOT = Path(__file__).parents[2]
_WRITER = """
import sys; from pathlib import Path
from config.files import write_atomic
while True:
    for letter in b"ab":
        write_atomic(Path(sys.argv[1]), bytes([letter]) * 300_000)
"""
_FULL = """
import resource, sys; from pathlib import Path
from config.files import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_atomic(Path(sys.argv[1]), b"n" * 100_000)
except OSError:
    sys.exit(7)
"""


@pytest.mark.kill
def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_file_whole(tmp_path: Path) -> None:
    file, rng, seen = tmp_path / "f", random.Random(5), set()
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], cwd=ROOT) as writer:
            started = file.stat().st_mtime_ns if file.exists() else 0
            while not file.exists() or file.stat().st_mtime_ns == started:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.02))
            writer.kill()
        data = file.read_bytes()
        assert data in (b"a" * 300_000, b"b" * 300_000)
        seen.add(data[:1])
    assert seen  # and what is left over beside it is hidden, for nobody to read by mistake
    assert all(other.name.startswith(".f.") for other in tmp_path.iterdir() if other != file)


def test_when_the_kernel_takes_no_more_bytes_the_old_file_stays_and_nothing_is_left_over(
    tmp_path: Path,
) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    file = tmp_path / "f"
    file.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", _FULL, str(file)], cwd=ROOT, check=False)
    assert done.returncode == 7
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_the_callers_error_and_the_old_file_stays() -> None:
    with pytest.raises(OSError):
        write_atomic(Path("/proc/campusgate"), b"x")  # a file system that makes no files


def test_a_directory_that_is_missing_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "none" / "f", b"x")
    assert not (tmp_path / "none").exists()


def test_a_new_file_has_the_mode_that_was_asked_for_and_a_replaced_one_too(tmp_path: Path) -> None:
    file = tmp_path / "f"
    for mode in (0o600, 0o644, 0o600):
        write_atomic(file, b"x", mode=mode)
        assert file.stat().st_mode & 0o777 == mode


def test_a_private_directory_is_for_its_owner_alone_even_if_it_was_not(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    directory.mkdir(parents=True, mode=0o755)
    assert private_directory(directory).stat().st_mode & 0o777 == 0o700
