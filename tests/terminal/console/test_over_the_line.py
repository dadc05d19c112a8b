"""Files over the cable: picocom with the real sb and rb of lrzsz, and the laptop's client in JSON lines."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest

from sync.central.roster_bundle import write_bundle
from terminal.console.client import ConsoleClient, ConsoleRefused, Replies
from tests.sim.processes import wait_until
from tests.sync.stick import import_from, write_many
from tests.terminal.console.rig import ConsoleRig, console_rig, program

RECORDS = 120
PROMPT = "north-gate-1[#>]"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with console_rig(tmp_path_factory.mktemp("over")) as made:
        write_many(made.settings, RECORDS)
        yield made


@pytest.fixture(scope="module")
def roster(rig: ConsoleRig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(rig.campus.site.directory / "tuf", tmp_path_factory.mktemp("stick")).path


@pytest.fixture
def person(rig: ConsoleRig, tmp_path: Path) -> Iterator[pexpect.spawn]:
    """A maintainer with picocom, whose received files go to tmp_path."""
    if not (program("picocom") and program("sb")):
        pytest.skip("no picocom or lrzsz here")
    rig.cable.unplug()
    rig.cable.plug()
    with rig.picocom(where=tmp_path) as person:
        rig.log_in(person, "maintain")
        yield person


@pytest.fixture
def client(rig: ConsoleRig) -> Iterator[ConsoleClient]:
    """A laptop's tool, logged in as a maintainer."""
    rig.cable.unplug()
    rig.cable.plug()
    client = ConsoleClient(str(rig.cable.far))
    client.synchronise()
    client.login_with_password("maintain", rig.passwords["maintain"])
    yield client
    client.exit()
    client.close()


def goes_on(rig: ConsoleRig, person: pexpect.spawn) -> None:
    """Nothing that a transfer left is a command, or the beginning of one."""
    rig.does(person, "show uptime", "machine  ", PROMPT)
    assert "no such command" not in person.before


def imported(rig: ConsoleRig, file: Path) -> int:
    """How many of the records in `file` central has now."""
    done = import_from(file, rig.campus)
    assert (done.fault, done.refused) == ("", 0)
    return done.new + done.known


def last(rig: ConsoleRig, action: str) -> dict[str, object]:
    return [entry["details"] for entry in rig.entries() if entry["action"] == action][-1]


def test_picocom_sends_a_roster(rig: ConsoleRig, person: pexpect.spawn, roster: Path) -> None:
    rig.does(person, "roster import line", "Now send the file")
    rig.upload(person, roster)
    person.expect("exit status: 0")
    person.expect(f"file +{roster.name}")
    person.expect(PROMPT)
    goes_on(rig, person)
    assert (rig.settings.roster / "metadata" / "timestamp.json").is_file()
    assert last(rig, "roster import")["by"] == "line"
    assert not (rig.settings.state / "console-files").exists()


def test_picocom_receives_records_and_central_takes_them(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path
) -> None:
    rig.does(person, "records export line", "Now receive the file")
    rig.download(person)
    person.expect("exit status: 0")
    person.expect(f"records +{RECORDS}")
    person.expect(PROMPT)
    goes_on(rig, person)
    file = tmp_path / "campusgate-north-gate-1-1.records"
    assert imported(rig, file) == RECORDS
    assert abs(file.stat().st_mtime - time.time()) < 3600  # where none is given, rb makes one up
    assert last(rig, "records export")["through"] == RECORDS


def test_a_receiver_that_begins_too_early_gets_its_file_all_the_same(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path
) -> None:
    # Not before the echo: picocom holds back what was typed just before C-a until its rb has ended.
    rig.does(person, "records export line")
    rig.download(person)  # it may ask for the file before there is one
    person.expect("exit status: 0")
    person.expect(f"records +{RECORDS}")
    goes_on(rig, person)
    assert imported(rig, tmp_path / "campusgate-north-gate-1-1.records") == RECORDS


def test_what_was_typed_ahead_of_a_transfer_is_no_part_of_it_and_no_command(
    rig: ConsoleRig, person: pexpect.spawn, roster: Path
) -> None:
    person.send("roster import line\rCCC\x15 logout\rshow nonsense\r")
    person.expect("Now send the file")
    rig.upload(person, roster)
    person.expect("exit status: 0")
    person.expect(f"file +{roster.name}")
    goes_on(rig, person)


@pytest.mark.parametrize("command", ["roster import line", "records export line"])
def test_ctrl_c_ends_the_wait_for_a_transfer_at_once(
    rig: ConsoleRig, person: pexpect.spawn, command: str
) -> None:
    rig.does(person, command, "Now (send|receive) the file")
    person.send("\x03")
    person.expect("interrupted|called off")
    goes_on(rig, person)
    assert not (rig.settings.state / "console-files").exists()


def test_a_sender_that_is_stopped_cancels_and_leaves_nothing(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path
) -> None:
    large = tmp_path / "large.roster"
    large.write_bytes(random.Random(3).randbytes(8_000_000))
    rig.does(person, "roster import line", "Now send the file")
    sent = len(rig.cable.heard)
    rig.upload(person, large)
    assert _goes_over(rig, sent)
    person.send("\x03")  # picocom's terminal is sb's now
    person.expect("exit status: 130")
    # sb cancels, but picocom may throw that away when it takes its port back: then its person says so.
    person.send("\x03\x03")
    person.expect("! (interrupted|the other end cancelled the transfer)")
    goes_on(rig, person)
    assert not (rig.settings.state / "console-files").exists()


def test_a_receiver_that_is_stopped_cancels_and_keeps_nothing(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path
) -> None:
    rig.does(person, "records export line", "Now receive the file")
    person.send("\x18" * 5)  # C-x five times: what every program of this family calls off with
    person.expect("! the other end cancelled the transfer")
    goes_on(rig, person)
    assert "cancelled" in str(last(rig, "records export")["failed"])


def test_what_is_no_roster_is_refused_and_the_one_in_use_stays(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path
) -> None:
    (tmp_path / "holiday.jpg").write_bytes(random.Random(5).randbytes(20_000))
    rig.does(person, "roster import line", "Now send the file")
    rig.upload(person, tmp_path / "holiday.jpg")
    person.expect("! .*roster")
    goes_on(rig, person)
    assert "failed" in last(rig, "roster import")


def test_a_cable_pulled_in_the_middle_of_a_file_leaves_nothing(
    rig: ConsoleRig, person: pexpect.spawn, tmp_path: Path, roster: Path
) -> None:
    large = tmp_path / "large.roster"
    large.write_bytes(random.Random(3).randbytes(8_000_000))
    rig.does(person, "roster import line", "Now send the file")
    sent = len(rig.cable.heard)
    rig.upload(person, large)
    assert _goes_over(rig, sent)
    rig.cable.unplug()
    assert wait_until(lambda: not (rig.settings.state / "console-files").exists(), 60)
    person.close(force=True)
    assert wait_until(lambda: not _runs(large), 60)  # sb cancels when it ends, which would rub out a name
    rig.cable.plug()
    with rig.picocom() as another:
        rig.log_in(another, "maintain")
        goes_on(rig, another)


def test_a_tool_sends_a_roster_and_receives_records(
    rig: ConsoleRig, client: ConsoleClient, roster: Path, tmp_path: Path
) -> None:
    answer = client.do("roster import line", Replies(offer=(roster.name, roster.read_bytes())))
    assert answer["file"] == roster.name
    answer = client.do("records export line", Replies(save_to=tmp_path))
    assert answer["records"] == RECORDS
    assert imported(rig, tmp_path / answer["file"]) == RECORDS


def test_a_tool_is_told_why_its_file_is_not_taken(client: ConsoleClient, tmp_path: Path) -> None:
    with pytest.raises(ConsoleRefused, match="roster"):
        client.do("roster import line", Replies(offer=("x.roster", b"no roster")))
    with pytest.raises(ConsoleRefused, match="there is none to give"):
        client.do("roster import line")
    with pytest.raises(ConsoleRefused, match="not asked for"):
        client.do("records export line")
    assert client.do("show uptime")["machine_seconds"] > 0


def _runs(file: Path) -> bool:
    """Whether a program runs that was given `file`."""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended just now
            if os.fsencode(file) in command_line.read_bytes():
                return True
    return False


def _goes_over(rig: ConsoleRig, before: int) -> bool:
    """Whether the console came to acknowledge a few blocks."""
    return wait_until(lambda: rig.cable.heard[before:].count(b"\x06") > 5, 60)
