"""The console as a process on a real pty, with the programs that people use, and what lines do to it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from config.settings import load_settings
from config.settings_history import SettingsHistory
from terminal.console import attempts
from tests.sim.processes import wait_until
from tests.terminal.console.rig import ConsoleRig, console_rig, needs, program


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with console_rig(tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(autouse=True)
def _logged_out(rig: ConsoleRig) -> None:
    """A fresh line for each test: whoever was logged in is not any more."""
    if rig.process is None or rig.process.poll() is not None:
        rig.start()
    (rig.settings.keys / attempts.FILE).unlink(missing_ok=True)
    rig.cable.unplug()
    rig.cable.plug()


@needs("picocom")
def test_picocom_logs_in_looks_and_logs_out(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        rig.does(person, "show version", "campusgate  [0-9.]+", "terminal  not running")
        rig.does(person, "exit", "login:")
    assert [(entry["user"], entry["action"]) for entry in rig.entries()][-2:] == [
        ("admin", "login"),
        ("admin", "logout"),
    ]


@needs("minicom")
def test_minicom_logs_in(rig: ConsoleRig) -> None:
    child = pexpect.spawn(
        program("minicom"),
        ["-o", "-D", str(rig.cable.far), "-b", "115200"],
        env={"TERM": "vt102", "HOME": str(rig.settings.state), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
        dimensions=(24, 80),
    )
    child.delaybeforesend = None
    try:
        child.expect("Welcome to minicom|Press CTRL-A Z")
        rig.log_in(child, "observe")
        rig.does(child, "show uptime", "machine  ")
    finally:
        child.close(force=True)


@needs("plink")
def test_putty_logs_in(rig: ConsoleRig) -> None:
    child = pexpect.spawn(
        program("plink"),
        ["-serial", str(rig.cable.far.resolve()), "-sercfg", "115200,8,n,1,N"],
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
        echo=False,
    )
    child.delaybeforesend = None
    try:
        rig.log_in(child, "observe")
        rig.does(child, "show uptime", "machine  ")
    finally:
        child.close(force=True)


def test_a_wrong_password_is_refused_slowly_and_recorded_without_it(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        for name, password in (("admin", "admin"), ("mallory", "raspberry")):
            rig.knock(person)
            person.send(f"{name}\r")
            person.expect("password:")
            person.send(f"{password}\r")
            person.expect("name or password is wrong; try again in [0-9]+ s")
        person.expect("login:")
        rig.log_in(person)  # a success ends the waiting
    denied = [entry for entry in rig.entries() if entry["action"] == "denied"]
    assert len(denied) >= 2
    assert "raspberry" not in json.dumps(rig.entries())
    assert "mallory" not in json.dumps(denied)  # who types a password as a name is not to be given away


def test_noise_breaks_and_the_wrong_speed_before_a_login(rig: ConsoleRig) -> None:
    rng = random.Random(4)
    rig.cable.send(b"\x00" * 50)  # a break reads as NUL
    rig.cable.send(bytes(rng.choices([0x00, 0x1C, 0x78, 0x80, 0xE0, 0xF8, 0xFE, 0xFF], k=3000)))
    rig.cable.send(rng.randbytes(3000))
    rig.cable.send(b"\x1b[200~half a li")
    with rig.picocom() as person:
        rig.log_in(person)


def test_a_paste_that_is_marked_as_one_and_never_ends_makes_nobody_deaf(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.knock(person)
        rig.cable.send(b"\x1b[200~half a li")
        rig.log_in(person)
        rig.cable.send(b"\x1b[200~show uptime\x1b[201~")
        person.expect_exact("show uptime")
        person.send("\r")
        person.expect("machine  ")


@pytest.mark.parametrize("flood", [b"pin = 17 \r\n", b"\x03", b"\r", b"\x04"])
def test_a_file_that_is_pasted_at_the_login_keeps_nobody_waiting_for_minutes(
    rig: ConsoleRig, flood: bytes
) -> None:
    rig.cable.send(flood * (200_000 // len(flood)))
    with rig.picocom() as person:
        person.expect("the rest was thrown away")
        rig.log_in(person)


def test_a_stop_ends_it_whatever_is_typed_ahead(rig: ConsoleRig) -> None:
    assert rig.process
    with rig.picocom() as person:
        rig.log_in(person)
        rig.cable.send(b"show uptime\r" * 15_000)
        rig.does(person, "", "machine  ")
        rig.process.terminate()
        assert rig.process.wait(30) == 0


def test_a_pulled_cable_ends_the_session_and_the_next_client_is_asked(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        person.send("set relay.pi")
        rig.cable.unplug()
        rig.cable.plug()
        rig.knock(person)
    assert wait_until(lambda: rig.entries()[-1]["details"].get("why") == "the line was lost", 30)


def test_a_killed_console_comes_back_and_asks_again(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        rig.kill()
        rig.start()
        rig.knock(person)


def test_a_pasted_file_is_carried_out_line_by_line(rig: ConsoleRig) -> None:
    lines = [f"set sync.batch_records {number}" for number in (100, 200, 300)]
    with rig.picocom() as person:
        rig.log_in(person)
        person.send("\r".join([*lines, "compare", ""]))
        person.expect(r"\+batch_records = 300")
        rig.does(person, "discard", "north-gate-1#")


def test_a_pasted_file_that_is_none_does_nothing_and_ends(rig: ConsoleRig) -> None:
    text = Path("README.md").read_text("utf-8")
    before = rig.settings_file.read_bytes()
    with rig.picocom() as person:
        rig.log_in(person, "maintain")
        person.send(text * 3)
        person.expect("the rest was thrown away")
        person.send("\x03")
        person.send("\r")
        rig.does(person, "show uptime", "machine  ")
    assert rig.settings_file.read_bytes() == before


def test_an_observer_changes_nothing(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person, "observe")
        for command in ("set relay.pin 4", "commit", "account add x admin", "reboot", "lockdown now"):
            rig.does(person, command, "is for the role")


@pytest.mark.parametrize("line", ["!id", "`id`", "$(id)", "show status; id", "show status | sh", "\x1b!id"])
def test_there_is_no_way_to_a_shell(rig: ConsoleRig, line: str) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        person.send(f"{line}\r")
        person.expect("no such command|too much|quote is not closed")
    assert b"uid=" not in rig.cable.heard


def test_a_commit_that_nobody_confirms_is_taken_back(rig: ConsoleRig) -> None:
    history = SettingsHistory(rig.settings_file)
    before = rig.settings_file.read_bytes()
    with rig.picocom() as person:
        rig.log_in(person)
        rig.does(person, "set relay.pin 23", "relay.pin: 17 -> 23")
        rig.does(person, "commit confirmed 1", "version [0-9]+ is in force", "`confirm` within")
    assert load_settings(rig.settings_file).relay.pin == 23
    rig.cable.unplug()  # the connection is lost
    rig.kill()  # and the console with it
    marker = history.directory / "unconfirmed.json"
    document = json.loads(marker.read_text())
    marker.write_text(json.dumps(document | {"deadline": 0.0}))  # a minute later
    rig.start()
    assert wait_until(lambda: rig.settings_file.read_bytes() == before, 30)
    assert wait_until(lambda: not marker.exists(), 30)
    rig.cable.plug()
    assert "revert" in [entry["action"] for entry in rig.entries()]


def test_a_commit_that_is_confirmed_stays(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        rig.does(person, "set relay.pin 24", "17 -> 24")
        rig.does(person, "commit confirmed", "`confirm` within")
        rig.does(person, "confirm", "confirmed")
        rig.does(person, "unset relay.pin", "24 -> 17")
        rig.does(person, "commit back to what was", "version [0-9]+ is in force")
        rig.does(person, "show history", "back to what was")
    assert [entry["action"] for entry in rig.entries()][-6:].count("commit") >= 1


def test_a_tool_can_switch_a_line_to_json_and_back(rig: ConsoleRig) -> None:
    with rig.tool() as tool:
        tool.timeout = 1
        while not tool.read_until(b"login:").endswith(b"login:"):
            tool.write(b"\r")
        tool.timeout = 60
        tool.write(b"json\r")
        assert b'"device": "north-gate-1"' in tool.read_until(b"}\r\n")
        tool.write(b'{"id": 1, "do": "show version"}\n')
        assert b"log in first" in tool.read_until(b"log in first")
        login = {"id": 2, "login": {"name": "observe", "password": rig.passwords["observe"]}}
        tool.write(json.dumps(login).encode() + b"\n")
        assert tool.read_until(b'"role": "observe"').endswith(b'"role": "observe"')
        tool.write(b'{"id": 3, "do": "show version"}\n{"do": "exit"}\n')
        assert b'"console"' in tool.read_until(b"login:")


def test_idle_people_are_logged_out(rig: ConsoleRig) -> None:
    rig.kill()
    program_text = (
        "import terminal.console.people as people; people.People._idle_minutes = lambda self: 0.02;"
        "from config.cli import main; main()"
    )
    rig.start(program_text=program_text)
    with rig.picocom() as person:
        rig.log_in(person)
        person.expect("logged out: nothing was typed")
        person.expect("login:")
    rig.kill()


def test_on_the_machine_itself_it_serves_once(rig: ConsoleRig) -> None:
    command = ["-c", "from config.cli import main; main()", "console", "--settings", str(rig.settings_file)]
    child = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60)
    child.delaybeforesend = None
    rig.log_in(child, "observe")
    child.send("exit\r")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_json_through_pipes_answers_a_script(rig: ConsoleRig) -> None:
    command = [sys.executable, "-c", "from config.cli import main; main()", "console", "--json"]
    login = {"id": 1, "login": {"name": "observe", "password": rig.passwords["observe"]}}
    asked = [login, {"id": 2, "do": "show version"}, {"do": "exit"}]
    done = subprocess.run(
        [*command, "--settings", str(rig.settings_file)],
        input="\n".join(map(json.dumps, asked)) + "\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    greeting, logged_in, version, end = map(json.loads, done.stdout.splitlines())
    assert greeting["device"] == "north-gate-1"
    assert greeting["provisioned"] is True
    assert logged_in["answer"]["role"] == "observe"
    assert version["answer"]["console"]["campusgate"]
    assert end["ok"] is True
    assert done.returncode == 0


def test_broken_settings_keep_nobody_from_mending_them(rig: ConsoleRig) -> None:
    good = rig.settings_file.read_text("utf-8")
    history = SettingsHistory(rig.settings_file)
    if not history.versions():
        history.commit(good + "\n# kept\n", "test")
    good = rig.settings_file.read_text("utf-8")
    rig.settings_file.write_text("[relay\n", "utf-8")
    try:
        with rig.picocom() as person:
            rig.log_in(person)
            newest = history.versions()[-1].number
            rig.does(person, f"rollback {newest}", "is the candidate")
            rig.does(person, "commit mended", "is in force")
        assert rig.settings_file.read_text("utf-8") == good
    finally:
        rig.settings_file.write_text(good, "utf-8")


def test_a_stop_ends_it_at_once(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        assert rig.process
        rig.process.terminate()
        assert rig.process.wait(30) == 0
        person.expect("logged out: the console stops")


def test_a_stop_ends_what_runs_too(rig: ConsoleRig) -> None:
    with rig.picocom() as person:
        rig.log_in(person)
        rig.does(person, "show log follow", "not running|nothing answers")
        assert rig.process
        rig.process.terminate()
        assert rig.process.wait(30) == 0
        person.expect("logged out: the console stops")


def test_who_left_while_a_long_command_ran_is_logged_out_when_it_ends(rig: ConsoleRig) -> None:
    rig.kill()
    program_text = (
        "import terminal.console.people as people; people.People._idle_minutes = lambda self: 0.02;"
        "from config.cli import main; main()"
    )
    rig.start(program_text=program_text)
    with rig.picocom() as person:
        rig.log_in(person)
        rig.does(person, "show log follow", "terminal", "not running|nothing answers")
        person.expect(pexpect.TIMEOUT, timeout=2)  # longer than somebody may be silent
        person.send("\x03")
        person.expect("logged out: nothing was typed")
    rig.kill()
