"""A console beside a whole terminal: what a technician does at a gate, and what the journal has of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest

from config.settings_history import SettingsHistory
from terminal.events import MAINTENANCE
from terminal.journal_reader import JournalReader
from terminal.records import unseal
from tests.sim.processes import wait_until
from tests.terminal.console.rig import ConsoleRig
from tests.terminal.desk import Desk

PROMPT = "north-gate-1[#>]"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.deliver_roster()
    made.plug_camera()
    made.start()
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def rig(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    made = ConsoleRig(tmp_path_factory.mktemp("cable"), desk.campus)
    made.start()
    yield made
    made.close()


@pytest.fixture
def person(rig: ConsoleRig) -> Iterator[pexpect.spawn]:
    rig.cable.unplug()
    rig.cable.plug()
    with rig.picocom() as person:
        rig.log_in(person)
        yield person


@contextmanager
def filming(desk: Desk) -> Iterator[None]:
    """The camera sees what stands before it, all the while."""
    over = threading.Event()

    def film() -> None:
        while not over.wait(0.1):
            desk.status()

    thread = threading.Thread(target=film, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def recorded(desk: Desk) -> list[dict[str, object]]:
    """What the journal has of maintenance, in order."""
    key = desk.campus.site.record_key()
    events = JournalReader(desk.settings.journal).after(0, records=10_000, size=10**8)
    return [unseal(event, key) for event in events if event.type == MAINTENANCE]


def test_the_devices_tell_how_they_are(desk: Desk, rig: ConsoleRig, person: pexpect.spawn) -> None:
    with filming(desk):
        assert desk.says(camera="live")
        rig.does(person, "show camera", "state +live", "light", "focus", PROMPT)
        rig.does(person, "show sensors", "thermal:", "relay +17", PROMPT)
        rig.does(person, "show status", "terminal +well", "sync +not running", PROMPT)


def test_a_lockdown_closes_the_gate_and_release_opens_it(
    desk: Desk, rig: ConsoleRig, person: pexpect.spawn
) -> None:
    rig.does(person, "lockdown glass in the gateway", "maintenance staff", PROMPT)
    assert desk.says(30, fault="gate.lockdown")
    assert "maintenance staff" in desk.status()["fault_detail"]
    rig.does(person, "test relay", "locked down", PROMPT)
    rig.does(person, "release", "closed by +-", PROMPT)
    assert desk.says(30, fault="")


def test_the_guided_self_test_leaves_a_report_that_central_verifies(
    desk: Desk, rig: ConsoleRig, person: pexpect.spawn
) -> None:
    rig.does(person, "test all", "1 of 7: relay")
    with filming(desk):
        while (asked := person.expect([r"\(yes/no/skip\)", r"\(yes/skip\)", r"report (\S+): `show"])) < 2:
            if asked == 1:
                desk.view = desk.next_picture()  # somebody holds up a code
            person.send("yes\r")
    name = person.match[1]
    desk.view = desk.view * 0
    rig.does(person, f"show report {name}", "relay", PROMPT)
    [file] = (desk.settings.state / "reports").glob(f"{name}*")
    command = [sys.executable, "-c", "from config.cli import main; main()", "central", "report", str(file)]
    command += ["--dir", str(desk.campus.site.directory)]
    verified = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True)
    results = {one["part"]: one["passed"] for one in json.loads(verified.stdout)["results"]}
    assert results["relay"] is results["camera"] is True
    assert results["network"] is False  # no sync daemon runs here
    file.write_bytes(file.read_bytes().replace(b"relay", b"delay", 1))
    forged = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert forged.returncode == 1
    assert forged.stderr.startswith("campusgate: ")


def test_a_commit_restarts_the_terminal_and_so_does_its_end(
    desk: Desk, rig: ConsoleRig, person: pexpect.spawn
) -> None:
    marker = SettingsHistory(rig.settings_file).directory / "unconfirmed.json"
    rig.does(person, "set relay.pin 23", "17 -> 23")
    rig.does(person, "commit confirmed 1", "terminal has taken it up", "`confirm` within")
    rig.does(person, "show sensors", "relay +23", PROMPT)
    rig.kill()
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"deadline": 0.0}))  # a minute later
    rig.start()
    assert wait_until(lambda: not marker.exists(), 60)
    rig.log_in(person)
    assert wait_until(desk.status, 60)
    rig.does(person, "show sensors", "relay +17", PROMPT)
    rig.does(person, "compare", r"\+pin = 23", PROMPT)  # the work is not lost with it
    rig.does(person, "discard", PROMPT)


def test_the_log_can_be_followed_until_ctrl_c(desk: Desk, rig: ConsoleRig, person: pexpect.spawn) -> None:
    rig.does(person, "show log follow", "sync +")
    with filming(desk):
        desk.present()
        person.expect("terminal .*scan [0-9]+: allow")
    person.send("\x03")
    person.expect(r"\^C")
    rig.does(person, "show log 20", "scan [0-9]+: allow", PROMPT)


def test_a_terminal_that_is_killed_leaves_the_console_and_its_last_words(
    desk: Desk, rig: ConsoleRig, person: pexpect.spawn
) -> None:
    rig.does(person, "show uptime", r"terminal +\d+:\d\d:\d\d", PROMPT)
    desk.end(signal.SIGKILL)
    rig.does(person, "show status", "terminal +not running, alive at", PROMPT)
    rig.does(person, "show log 30", "scan [0-9]+: allow", "not running", PROMPT)
    rig.does(person, "lockdown now", "nothing answers", PROMPT)
    rig.does(person, "set sync.batch_records 10", "1000 -> 10")
    rig.does(person, "commit while it was down", "terminal: not running", PROMPT)
    desk.start()
    assert wait_until(lambda: not rig.entries(), 60)
    rig.does(person, "show status", "terminal +well", PROMPT)


def test_what_was_done_is_in_the_journal_once(desk: Desk, rig: ConsoleRig) -> None:
    rig.cable.unplug()
    rig.cable.plug()
    assert wait_until(lambda: recorded(desk)[-1]["action"] == "logout", 60)
    found = recorded(desk)
    assert len({entry["record"] for entry in found}) == len(found)
    done = Counter(entry["action"] for entry in found)
    assert (done["login"], done["logout"]) == (7, 6)  # one session ended with a console that was killed
    assert done["lockdown"] == done["release"] == done["selftest"] == done["revert"] == 1
    assert done["commit"] == 2
    [commit] = [one for one in found if one["details"].get("comment") == "while it was down"]
    assert commit["details"]["changed"] == {"sync.batch_records": [1000, 10]}
    assert (commit["user"], commit["role"], commit["via"]) == ("admin", "admin", "password")
    assert not any(password in json.dumps(found) for password in rig.passwords.values())


def test_a_factory_reset_is_guarded(desk: Desk, rig: ConsoleRig, person: pexpect.spawn) -> None:
    rig.does(person, "factory reset south-gate-1", "this terminal is north-gate-1", PROMPT)
    rig.does(person, "factory reset north-gate-1", "records wait that central lacks", PROMPT)
    for answer in ("no", "nor", "y", ""):  # the beginning of an answer is not enough here
        rig.does(person, "factory reset north-gate-1 discard-records", "or no:")
        person.send(f"{answer}\r")
        person.expect("nothing was done")
    assert desk.status()["device"] == "north-gate-1"
