"""The heartbeat: what a process says of its loops, and what its file says when the process says nothing."""

from __future__ import annotations

import grp
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import heartbeat
from config.errors import SettingsError
from config.files import give_to_group
from config.heartbeat import HUNG_AFTER, Heartbeat, alive_file, last_alive, since_alive


class Uptime:
    """Seconds of CLOCK_BOOTTIME as a test says."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    made = Uptime()
    monkeypatch.setattr(heartbeat, "_uptime", made)
    return made


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "run" / "gate.sock"


@pytest.fixture
def beating(socket: Path, uptime: Uptime) -> Iterator[Heartbeat]:
    made = Heartbeat(socket, ("gate", "screen"))
    yield made
    made.close()


def test_a_loop_that_goes_round_is_well_and_one_that_does_not_is_hung_since(
    beating: Heartbeat, uptime: Uptime
) -> None:
    uptime.seconds += HUNG_AFTER
    assert beating.health()["state"] == "well"
    uptime.seconds += 2
    beating.beat("screen")
    said = beating.health()
    assert (said["state"], said["seconds"]) == ("hung", HUNG_AFTER + 2)
    assert said["loops"] == {"gate": HUNG_AFTER + 2, "screen": 0.0}
    assert said["since"]
    beating.beat("gate")
    said = beating.health()
    assert (said["state"], said["since"], said["seconds"], said["uptime"]) == ("well", None, 0.0, 7)


def test_the_file_says_when_the_slowest_loop_was_alive(
    beating: Heartbeat, uptime: Uptime, socket: Path
) -> None:
    for _ in range(20):
        uptime.seconds += 1
        beating.beat("screen")
    assert since_alive(socket) == 20
    assert last_alive(socket).endswith(" UTC (20 s)")
    beating.beat("gate")
    uptime.seconds += 1
    beating.beat("screen")
    assert since_alive(socket) == 1


def test_the_file_of_another_boot_says_nothing(
    beating: Heartbeat, socket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert since_alive(socket) == 0
    other = tmp_path / "boot_id"
    other.write_text("2c3f8a10-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(heartbeat, "_BOOT_ID", other)
    assert (since_alive(socket), last_alive(socket)) == (None, "")


@given(st.binary(max_size=80) | st.sampled_from(["nan", "inf", "-inf", "1e999", "-5", "1e300"]))
def test_whatever_stands_in_the_file_nothing_is_raised(tmp_path_factory, content: bytes | str) -> None:
    socket = tmp_path_factory.mktemp("alive") / "gate.sock"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    line = content if isinstance(content, bytes) else f"{boot} {content} 7\n".encode()
    alive_file(socket).write_bytes(line)
    seconds = since_alive(socket)
    assert seconds is None or seconds >= 0
    assert (last_alive(socket) == "") == (seconds is None)


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert (since_alive(tmp_path / "none.sock"), last_alive(tmp_path / "none.sock")) == (None, "")


def test_the_file_of_the_process_before_is_replaced_whoever_owned_it(socket: Path, uptime: Uptime) -> None:
    alive_file(socket).parent.mkdir()
    alive_file(socket).write_text("somebody else's")
    with alive_file(socket).open() as before:
        Heartbeat(socket, ("main",)).close()
        assert before.read() == "somebody else's"
    assert since_alive(socket) == 0
    assert alive_file(socket).stat().st_mode & 0o777 == 0o640


def test_a_beat_after_the_end_goes_into_nobody_elses_file(
    beating: Heartbeat, uptime: Uptime, tmp_path: Path
) -> None:
    other = Heartbeat(tmp_path / "other.sock", ("main",))
    other.close()
    record = os.open(tmp_path / "record", os.O_RDWR | os.O_CREAT)  # gets the descriptor that was let go
    uptime.seconds += 10
    other.beat("main")
    assert os.read(record, 100) == b""
    os.close(record)


FULL = """
import resource, sys
from pathlib import Path
from config.heartbeat import Heartbeat
from config.process_log import ProcessLog
from config.control import Events
import logging
before = resource.getrlimit(resource.RLIMIT_FSIZE)
# As on a full tmpfs: files can be made and not written.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
log = ProcessLog(Path(sys.argv[1]), Events())
beats = Heartbeat(Path(sys.argv[1]), ("main",))
beats._written -= 10
beats.beat("main")
logging.info("serving all the same")
assert beats.health()["state"] == "well"
assert any("serving" in line for line in log.lines(10)), log.lines(10)
assert any("heartbeat cannot be written" in line for line in log.lines(10))
resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what measures the tests writes at the end
"""


def test_where_nothing_can_be_written_the_loops_go_round_all_the_same(socket: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(socket)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_group_gets_the_file_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    may_have = set(os.getgroups()) | {os.getgid()}
    group = [one for one in grp.getgrall() if os.geteuid() == 0 or one.gr_gid in may_have][-1]
    give_to_group(file, group.gr_name)
    assert file.stat().st_gid == group.gr_gid
    give_to_group(file, None)
    assert file.stat().st_gid == group.gr_gid
    with pytest.raises(SettingsError, match=r"console\.group: this machine has no group 'none-such'"):
        give_to_group(file, "none-such")
