"""What maintenance staff do: it reaches central once and is listed there; and the daemon is steered live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.control import ask, follow
from config.errors import ControlError, Hung
from config.process_log import last_words
from terminal.events import MAINTENANCE
from terminal.journal import Journal
from terminal.provision import trust
from terminal.records import MaintenanceRecord
from tests.sim.campus import Campus, build
from tests.sim.processes import wait_until
from tests.sync.office import good, opened, run
from tests.sync.world import DEVICE, assert_exactly_once, deliver, serving, write_records
from tests.terminal.control_document import documented, known_ops
from tests.terminal.desk import Desk

BY = {"user": "li.wei", "role": "maintain", "via": "password", "session": "s-1"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def process(campus: Campus) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon of `campus`, which finds no central."""
    command = [sys.executable, "-c", "from config.cli import main; main()", "sync", "run", "--settings"]
    made = subprocess.Popen([*command, str(campus.settings_file)], stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: well(campus), 30)
        yield made
    finally:
        made.kill()
        made.wait()


def well(campus: Campus) -> bool:
    with suppress(ControlError):
        return bool(ask(campus.settings.socket("sync"), "health")["state"] == "well")
    return False


def test_an_entry_of_the_console_is_at_central_once_and_is_listed_there(desk: Desk) -> None:
    desk.start()
    assert wait_until(lambda: desk.status()["journal"] != {}, 30)
    at = datetime.now(UTC).isoformat()
    entry: dict[str, Any] = {"id": str(uuid.uuid4()), "at": at, "trusted": True, **BY, "action": "commit"}
    entry["details"] = {"version": 3, "note": "bright\x1b[2Jsun"}
    for _ in range(2):
        ask(desk.socket, "record", timeout=30, entries=[entry, entry])
    ask(desk.socket, "lockdown", timeout=30, by=BY, reason="glass in the gateway")
    campus, site = desk.campus, desk.campus.site
    with serving(campus) as url:
        for _ in range(2):
            deliver(campus.settings, url)
    assert_exactly_once(campus, 2)
    with opened(site) as store:
        assert [stored.event.type for stored in store.records()] == [MAINTENANCE] * 2
    first, second = good(site, "central", "maintenance", DEVICE).splitlines()
    assert f"{DEVICE}  li.wei (maintain, password)  commit  version 3, note bright?[2Jsun" in first
    assert second.endswith("li.wei (maintain, password)  lockdown  reason glass in the gateway")
    listed = [json.loads(line) for line in good(site, "central", "maintenance", "--json").splitlines()]
    assert [(one["sequence"], one["action"], one["session"]) for one in listed] == [
        (1, "commit", "s-1"), (2, "lockdown", "s-1")
    ]  # fmt: skip
    assert (listed[0]["record"], listed[0]["details"]) == (entry["id"], entry["details"])
    assert "no maintenance of south-gate-1" in run(site, "central", "maintenance", "south-gate-1").output


def test_only_maintenance_is_listed_and_a_clock_in_doubt_is_told(tmp_path: Path) -> None:
    campus = build(tmp_path, seed=7, link_url="http://127.0.0.1:9")
    write_records(campus.settings, 2)
    trusted = trust(campus.settings)
    journal = Journal(
        campus.settings.journal, device=DEVICE, central_key=trusted.central_key, state_key=trusted.state_key
    )
    at = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    journal.append(MaintenanceRecord("m-1", at, False, **BY, action="login"))
    journal.close()
    with serving(campus) as url:
        deliver(campus.settings, url)
    (line,) = good(campus.site, "central", "maintenance").splitlines()
    assert line == (
        f"1970-01-01T00:05:00.000Z (clock not trusted)  {DEVICE}  li.wei (maintain, password)  login"
    )


def test_the_daemon_answers_all_that_is_documented_and_begins_anew(
    campus: Campus, process: subprocess.Popen[bytes]
) -> None:
    socket, file = campus.settings.socket("sync"), campus.settings_file
    assert known_ops(socket) == documented("Ops of both") | documented("Ops of sync")
    assert ask(socket, "version", timeout=30).keys() > {"campusgate", "python"}
    lines = ask(socket, "log", timeout=30)["lines"]
    assert any("to http://127.0.0.1:9" in line for line in lines)
    assert last_words(socket, 500)[: len(lines)] == lines
    for target in (socket, socket.with_suffix(".log"), socket.with_suffix(".alive")):
        assert target.stat().st_mode & 0o007 == 0
    file.write_text(file.read_text("utf-8").replace("127.0.0.1:9", "127.0.0.1:7"), "utf-8")
    assert ask(socket, "restart", timeout=30)["restarting"]
    assert wait_until(lambda: "to http://127.0.0.1:7" in "\n".join(last_words(socket, 500)), 30)
    assert wait_until(lambda: well(campus), 30)
    assert process.poll() is None, "it is the same process"
    events = follow(socket, timeout=30)
    next(events)
    ask(socket, "restart", timeout=30)
    assert {event["event"] for event in events} <= {"log", "fault", "alive"}  # and following ends by itself


def test_a_daemon_that_is_stopped_hangs_and_goes_on(campus: Campus, process: subprocess.Popen[bytes]) -> None:
    socket = campus.settings.socket("sync")
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(Hung, match=r"hung since \d\d:\d\d:\d\d UTC"):
        ask(socket, "health", timeout=0.5)
    with pytest.raises(ControlError, match="no answer to 'status' within"):
        ask(socket, "status", timeout=0.5)
    os.kill(process.pid, signal.SIGCONT)
    assert wait_until(lambda: well(campus), 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
