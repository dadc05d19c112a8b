"""The sync daemon as a process of its own: behind a network that is cut, killed midway, asked, stopped."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from config.control import ask, follow
from config.errors import ControlError
from config.settings import load_settings
from sync.pace import Pace
from terminal.provision import device_key
from tests.sim.campus import Campus, build
from tests.sim.network import Link
from tests.sim.processes import wait_until
from tests.sync.hostile import Call, Hostile, document, silence
from tests.sync.ledger import LedgerServer
from tests.sync.office import opened
from tests.sync.world import assert_exactly_once, campusgate, open_roster, serving, write_records


@pytest.fixture
def link() -> Iterator[Link]:
    network = Link()
    yield network
    network.close()


@pytest.fixture
def campus(tmp_path: Path, link: Link) -> Campus:
    return build(tmp_path, seed=7, link_url=f"http://127.0.0.1:{link.port}")


@contextmanager
def daemon(campus: Campus) -> Iterator[subprocess.Popen[bytes]]:
    """A running daemon, killed at the end if it still runs."""
    command = [sys.executable, "-c", "from config.cli import main; main()", "sync", "run"]
    with (campus.settings_file.parent / "sync.out").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--settings", str(campus.settings_file)], stdout=log, stderr=log
        )
    try:
        assert wait_until(lambda: process.poll() is not None or status(campus), 30)
        yield process
    finally:
        process.kill()
        process.wait()


def status(campus: Campus) -> dict[str, Any]:
    """What the daemon says of itself; {} when it does not answer."""
    with suppress(ControlError):
        return ask(campus.settings.socket("sync"), "status", timeout=20)
    return {}


def all_sent(campus: Campus) -> bool:
    return status(campus).get("waiting") == 0


def test_records_and_roster_pass_and_wait_while_the_network_is_cut(campus: Campus, link: Link) -> None:
    write_records(campus.settings, 3)
    with serving(campus) as url, daemon(campus):
        link.target = int(url.rpartition(":")[2])
        assert wait_until(lambda: all_sent(campus) and status(campus)["roster_version"] == 1, 30)
        link.cut()
        write_records(campus.settings, 4)
        assert wait_until(lambda: bool(status(campus)["faults"]["uplink"]), 30)
        during = status(campus)
        assert during["device"] == "north-gate-1"
        assert (during["waiting"], during["through"]) == (4, 3)
        link.mend()
        assert wait_until(lambda: all_sent(campus), 30)
        assert status(campus)["faults"]["uplink"] == ""
    assert_exactly_once(campus, 7)
    assert open_roster(campus).people == 500


@pytest.mark.kill
def test_a_daemon_killed_again_and_again_loses_and_doubles_nothing(campus: Campus, link: Link) -> None:
    text = campus.settings_file.read_text("utf-8")
    campus.settings_file.write_text(text.replace("[sync]", "[sync]\nbatch_records = 5"), "utf-8")
    written, rng = 0, random.Random(3)
    with serving(campus) as url:
        link.target = int(url.rpartition(":")[2])
        for _ in range(3):
            written = len(write_records(campus.settings, 60))
            with daemon(campus):
                time.sleep(rng.uniform(0, 0.25))  # then it is killed
        with daemon(campus):  # the socket file that the killed one left behind does not stop it
            assert wait_until(lambda: all_sent(campus), 30)
    assert_exactly_once(campus, written)


def test_sigterm_ends_it_at_once_with_status_0(campus: Campus, link: Link) -> None:
    with serving(campus) as url, daemon(campus) as process:
        link.target = int(url.rpartition(":")[2])
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
    assert not campus.settings.socket("sync").exists()


def test_sigterm_ends_it_even_while_central_is_silent(campus: Campus, link: Link) -> None:
    write_records(campus.settings, 1)
    with Hostile(silence) as server, daemon(campus) as process:
        link.target = server.port
        assert wait_until(lambda: len(server.calls) >= 3, 30)  # uplink, downlink and time hang
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0  # sooner than any of them gives up


def test_its_faults_can_be_followed_until_it_stops(campus: Campus, link: Link) -> None:
    link.cut()
    write_records(campus.settings, 1)
    with serving(campus) as url, daemon(campus) as process:
        link.target = int(url.rpartition(":")[2])
        assert wait_until(lambda: bool(status(campus)["faults"]["uplink"]), 30)
        wells = 0
        for number, event in enumerate(follow(campus.settings.socket("sync"))):
            link.mend()  # not before it is followed
            if event.get("link") == "uplink" and event["fault"] == "":
                wells += 1
                process.send_signal(signal.SIGTERM)
            assert number < 60
        assert wells == 1
        assert process.wait(30) == 0


def test_the_status_command_prints_json(campus: Campus) -> None:
    with daemon(campus):
        done = campusgate("sync", "status", "--settings", str(campus.settings_file))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["waiting"] == 0


def test_without_a_daemon_the_status_command_says_so_in_one_line(campus: Campus) -> None:
    done = campusgate("sync", "status", "--settings", str(campus.settings_file))
    assert done.returncode == 1
    assert done.stderr.startswith("campusgate: ")
    assert "is the process running?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_machine_that_is_not_provisioned_is_told_so_in_one_line(campus: Campus) -> None:
    (campus.settings.keys / "device.pem").unlink()
    done = campusgate("sync", "run", "--settings", str(campus.settings_file))
    assert done.returncode == 1
    assert "provision this machine first" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_ca_file_is_told_in_one_line(campus: Campus) -> None:
    text = campus.settings_file.read_text("utf-8")
    campus.settings_file.write_text(text.replace("[central]", '[central]\nca = "nothing.pem"'), "utf-8")
    assert load_settings(campus.settings_file).central.ca == "nothing.pem"
    done = campusgate("sync", "run", "--settings", str(campus.settings_file))
    assert done.returncode == 1
    assert "nothing.pem: no such file" in done.stderr
    assert done.stderr.count("\n") == 1


def test_waits_grow_with_full_jitter_up_to_the_longest() -> None:
    ceilings = [1, 2, 4, 8, 10, 10, 10]
    waits: list[list[float]] = [[] for _ in ceilings]
    for seed in range(300):
        pace = Pace(10.0, random.Random(seed))
        for collected in waits:
            collected.append(pace.after_fault(None))
    for collected, ceiling in zip(waits, ceilings, strict=True):
        assert 0 <= min(collected) < 0.1 * ceiling
        assert 0.9 * ceiling < max(collected) <= ceiling


def test_after_a_thousand_faults_the_wait_is_still_a_number() -> None:
    pace = Pace(300.0, random.Random(1))
    assert all(0 <= pace.after_fault(None) <= 300 for _ in range(1000))


def test_a_success_makes_the_next_wait_short_again() -> None:
    pace = Pace(300.0, random.Random(1))
    for _ in range(20):
        pace.after_fault(None)
    pace.after_success()
    assert pace.after_fault(None) <= 1


@pytest.mark.parametrize(
    ("asked", "waited"), [(0.0, 0.0), (7.5, 7.5), (99_999.0, 300.0), (float("inf"), 300.0)]
)
def test_a_server_s_retry_after_is_honoured_up_to_the_longest(asked: float, waited: float) -> None:
    first = [Pace(300.0, random.Random(seed)).after_fault(asked) for seed in range(50)]
    assert all(waited <= wait <= waited + 1 for wait in first)
    assert len(set(first)) > 40  # all terminals hear the same number and must not come back together


def test_a_revoked_terminal_says_so_and_one_asked_for_a_key_renews_it(campus: Campus, link: Link) -> None:
    before = (campus.settings.keys / "device.pem").read_bytes()
    write_records(campus.settings, 1)
    with serving(campus) as url, opened(campus.site) as store:
        link.target = int(url.rpartition(":")[2])
        store.devices.rotate("north-gate-1")
        with daemon(campus):
            assert wait_until(lambda: (campus.settings.keys / "device.pem").read_bytes() != before, 30)
            write_records(campus.settings, 1)
            assert wait_until(lambda: not store.devices.rotation_due("north-gate-1"), 30)
            store.devices.revoke("north-gate-1")
            write_records(campus.settings, 1)
            assert wait_until(lambda: status(campus)["faults"]["uplink"].startswith("revoked: "), 30)
        log = (campus.settings_file.parent / "sync.out").read_text("utf-8")
    assert log.count("uplink: revoked") == 1
    assert "PRIVATE" not in log


def test_the_status_tells_what_central_refused(campus: Campus, link: Link) -> None:
    events = write_records(campus.settings, 3)

    def answer(call: Call) -> None:
        if call.head.startswith(b"POST "):
            receipt = {"device": "north-gate-1", "through": 3, "digest": events[2].digest}
            document(200, {**receipt, "refused": [{"sequence": 2, "reason": "fork"}]})(call)

    with Hostile(answer) as server, daemon(campus):
        link.target = server.port
        assert wait_until(lambda: all_sent(campus), 30)
        kept = status(campus)["quarantine"]
    assert (kept["count"], kept["newest"]["sequence"], kept["newest"]["reason"]) == (1, 2, "fork")


def test_a_record_that_no_proxy_lets_through_stays_named_while_newer_ones_pass(
    campus: Campus, link: Link
) -> None:
    write_records(campus.settings, 1)
    with LedgerServer(device_key(campus.settings).public_key()) as server, daemon(campus):
        server.limit_main = 10
        link.target = int(server.url.rpartition(":")[2])
        assert wait_until(lambda: status(campus)["faults"]["uplink"].startswith("too-large: "), 30)
        write_records(campus.settings, 2)
        assert wait_until(lambda: status(campus)["ahead"] == 2, 30)
        assert status(campus)["faults"]["uplink"].startswith("too-large: record 1 ")
        server.limit_main = server.limit
        assert wait_until(lambda: all_sent(campus), 30)
        assert wait_until(lambda: status(campus)["faults"]["uplink"] == "", 30)
    assert sorted(server.ledger.records) == [1, 2, 3]
