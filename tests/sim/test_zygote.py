"""The tools of the fault suite: forked processes, jumping clocks, and the soak command."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.sim.clockwork import set_clock
from tests.sim.processes import wait_until
from tests.sim.soak import main
from tests.sim.zygote import Fork, Zygote


def tell_the_time(file: str) -> None:
    """Called in a fork: what it takes for the time."""
    from tests.sim import clockwork

    clockwork.follow(file)
    from hw.clock import datetime as clocks_datetime

    told = [time.time(), clocks_datetime.now(UTC).timestamp(), time.monotonic()]
    Path(file).with_name("told").write_text(json.dumps(told))


def wait_for_ever() -> None:
    """Called in a fork."""
    while True:
        signal.pause()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """One for all of these tests."""
    made = Zygote()
    yield made
    made.close()


def ended(fork: Fork) -> int | None:
    """Its exit status, as soon as it has one."""
    assert wait_until(lambda: fork.status() is not None, 30)
    return fork.status()


def test_a_fork_runs_the_command_itself_and_its_status_and_output_are_its_own(
    zygote: Zygote, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    assert ended(zygote.fork([("tests.sim.zygote:campusgate", "central", "--help")], log)) == 0
    assert "campusgate central run" in log.read_text()
    assert ended(zygote.fork([("tests.sim.zygote:campusgate", "central", "no-such")], log)) == 2
    assert ended(zygote.fork([("tests.sim.zygote:no_such",)], log)) == 1
    assert "no_such" in log.read_text()


def test_a_fork_is_killed_and_stopped_like_any_process(zygote: Zygote, tmp_path: Path) -> None:
    killed, stopped = (
        zygote.fork([("tests.sim.test_zygote:wait_for_ever",)], tmp_path / "log") for _ in range(2)
    )
    assert zygote.statuses([killed, stopped]) == [None, None]
    killed.signal(signal.SIGKILL)
    assert killed.status() == -signal.SIGKILL
    assert stopped.stop() == -signal.SIGTERM


def test_no_fork_outlives_its_zygote(tmp_path: Path) -> None:
    zygote = Zygote()
    left = zygote.fork([("tests.sim.test_zygote:wait_for_ever",)], tmp_path / "log")
    zygote.close()
    assert wait_until(lambda: not Path(f"/proc/{left.pid}/exe").exists(), 30)


@pytest.mark.parametrize("jump", [400 * 86_400.0, -3 * 86_400.0])
def test_a_clock_jumps_for_the_process_that_follows_it_and_no_other(
    zygote: Zygote, tmp_path: Path, jump: float
) -> None:
    set_clock(tmp_path / "clock", jump)
    before = time.time(), time.monotonic()
    fork = zygote.fork([("tests.sim.test_zygote:tell_the_time", str(tmp_path / "clock"))], tmp_path / "log")
    assert ended(fork) == 0
    after = time.time(), time.monotonic()
    seconds, wall, monotonic = json.loads((tmp_path / "told").read_text())
    assert before[0] + jump <= seconds <= wall <= after[0] + jump
    assert before[1] <= monotonic <= after[1]
    assert abs(datetime.now(UTC).timestamp() - time.time()) < 60


@pytest.mark.kill
def test_soak_runs_one_schedule_again_by_its_seed_and_writes_the_report(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = CliRunner().invoke(main, ["--only", "37", "--json", str(file)])
    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text())
    assert (report["schedules"], report["lost"], report["duplicated"], report["failed"]) == (1, 0, 0, {})
    assert report["durable"] > 0
    if os.geteuid() == 0:
        assert "disk-full-terminal" in report["injected"]
