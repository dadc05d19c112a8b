"""Carrying at the console: sticks found and chosen, by stick and by line, faults told, all recorded."""

from __future__ import annotations

import re
import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from config.errors import CampusgateError
from sync import console_commands
from sync.carrying import Tell, watched
from sync.central.roster_bundle import write_bundle
from sync.console_commands import COMMANDS
from sync.export import ExportError
from sync.faults import SyncFault
from sync.sticks import mounted
from terminal.console.command import Refused, installed
from terminal.console.roles import Role
from terminal.console.transfer import receive, send
from terminal.receipt import Receipt
from tests.sim.campus import Campus
from tests.sim.processes import wait_until
from tests.sync.stick import import_from, write_many
from tests.sync.technician import Technician
from tests.sync.test_daemon import daemon
from tests.sync.world import arrived, open_roster, write_records
from tests.terminal.lrzsz import LRZSZ, PATIENCE, Descriptor, at_other_end, line

needs_lrzsz = pytest.mark.skipif(not LRZSZ, reason="no lrzsz here")


class Interrupted(CampusgateError):
    """What a line raises when the client pressed Ctrl-C."""


@pytest.fixture
def media(campus: Campus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sticks are mounted. Mounting takes root; here a directory with a file .mounted is one."""
    directory = tmp_path / "media"
    directory.mkdir()
    with campus.settings_file.open("a", encoding="utf-8") as file:
        file.write(f'\n[console]\nsticks = "{directory}"\n')
    monkeypatch.setattr("sync.sticks.ismount", lambda path: (path / ".mounted").exists())
    return directory


def stick(media: Path, name: str = "usb") -> Path:
    directory = media / name
    directory.mkdir(parents=True)
    (directory / ".mounted").touch()
    return directory


def technician(campus: Campus, *answers: str) -> Technician:
    return Technician(campus.settings_file, answers)


def bundle(campus: Campus, to: Path) -> Path:
    return write_bundle(campus.site.directory / "tuf", to).path


@contextmanager
def full(size: int) -> Iterator[None]:
    """In here no file grows beyond `size` bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


# --- Sticks


def test_real_mounts_are_found() -> None:
    table = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    real = {Path(entry.split()[1]) for entry in table}
    found = set(mounted(Path("/dev")))
    assert found <= real
    assert {path for path in real if path.parent == Path("/dev") and path.is_dir()} <= found
    assert mounted(Path("/nowhere/at/all")) == []


def test_sticks_are_found_one_and_two_directories_deep(media: Path) -> None:
    (media / "empty").mkdir()
    (media / "link").symlink_to("/dev")
    found = [stick(media), stick(media, "pi/KINGSTON"), stick(media, "pi/北门 2")]
    stick(media, "too/deep/here")
    assert mounted(media) == sorted(found)


def test_without_a_stick_it_is_said_what_to_do(campus: Campus, media: Path) -> None:
    for command in ("roster import usb", "records export usb", "receipt import usb"):
        with pytest.raises(Refused, match=r"no stick is mounted under .*put one in"):
            technician(campus).do(command)
    assert technician(campus).do("show sticks")["sticks"] == []


def test_of_several_sticks_one_is_chosen(campus: Campus, media: Path) -> None:
    stick(media, "a")
    bundle(campus, stick(media, "pi/b"))
    person = technician(campus, "pi/b")
    assert person.do("roster import usb")["version"] == 1
    assert person.asked == [("Which stick?", ("a", "pi/b"))]


def test_what_is_on_the_sticks_is_shown(campus: Campus, media: Path) -> None:
    usb = stick(media)
    bundle(campus, usb)
    write_records(campus.settings, 2)
    technician(campus).do("records export usb")
    (shown,) = technician(campus).do("show sticks")["sticks"]
    assert shown["free_bytes"] > 0
    del shown["free_bytes"]
    assert shown == {
        "name": "usb",
        "read_only": False,
        "rosters": ["campusgate-1.roster"],
        "records": 1,
        "receipt": False,
    }


# --- Rosters


def test_a_roster_comes_by_stick_and_is_recorded(campus: Campus, media: Path) -> None:
    bundle(campus, stick(media))
    person = technician(campus)
    assert person.do("roster import usb") == {"file": "campusgate-1.roster", "version": 1, "changed": True}
    details = {"by": "usb", "file": "campusgate-1.roster", "version": 1, "changed": True}
    assert person.records == [("roster import", details)]
    assert open_roster(campus).people == 500


def test_of_several_rosters_one_is_chosen(campus: Campus, media: Path) -> None:
    usb = stick(media)
    bundle(campus, usb / "old.roster")
    shutil.copytree(campus.site.directory / "tuf", usb / "tuf")
    person = technician(campus, "tuf")
    assert person.do("roster import usb")["file"] == "tuf"
    assert person.asked == [("Which roster?", ("old.roster", "tuf"))]


def test_a_stick_without_a_roster_says_where_one_comes_from(campus: Campus, media: Path) -> None:
    stick(media)
    with pytest.raises(Refused, match="campusgate roster bundle"):
        technician(campus).do("roster import usb")


def test_what_is_refused_is_recorded_too(campus: Campus, media: Path) -> None:
    (stick(media) / "x.roster").write_bytes(b"holiday pictures")
    person = technician(campus)
    with pytest.raises(SyncFault, match="not whole; copy it again"):
        person.do("roster import usb")
    ((action, details),) = person.records
    assert action == "roster import"
    assert "not whole" in details["failed"]


def test_the_running_daemon_does_it_if_there_is_one(campus: Campus, media: Path) -> None:
    bundle(campus, stick(media))
    write_records(campus.settings, 3)
    with daemon(campus):
        assert technician(campus).do("roster import usb")["changed"] is True
        usb = media / "usb"
        technician(campus).do("records export usb")
        for file in usb.glob("*.records"):
            import_from(file, campus)
        person = technician(campus)
        assert person.do("receipt import usb")["central_has_all_up_to"] == 3
    assert person.records[0][1]["through"] == 3


@needs_lrzsz
def test_a_roster_comes_over_the_line(campus: Campus, tmp_path: Path) -> None:
    file = bundle(campus, tmp_path / "carried.roster")

    def gives(directory: Path, limit: int) -> Path:
        with line() as (near, far), at_other_end(far, "sz", "--ymodem", str(file), cwd=tmp_path):
            return receive(Descriptor(near), directory, limit=limit, patience=PATIENCE).path

    person = Technician(campus.settings_file, gives=gives)
    assert person.do("roster import line") == {"file": "carried.roster", "version": 1, "changed": True}
    assert open_roster(campus).people == 500
    assert not (campus.settings.state / "console-files").exists()


def test_two_sessions_do_not_use_the_line_s_place_at_once(campus: Campus) -> None:
    def gives(_directory: Path, _limit: int) -> Path:
        technician(campus).do("receipt import line")
        raise AssertionError

    with pytest.raises(Refused, match="another session"):
        Technician(campus.settings_file, gives=gives).do("roster import line")


# --- Records


def test_records_go_to_a_stick_and_stay_here_too(campus: Campus, media: Path) -> None:
    usb = stick(media)
    write_records(campus.settings, 5)
    person = technician(campus)
    done = person.do("records export usb")
    assert (done["records"], done["through"]) == (5, 5)
    ((action, details),) = person.records
    assert (action, details["records"], details["files"]) == ("records export", 5, done["files"])
    assert import_from(usb / done["files"][0], campus).fault == ""
    assert arrived(campus) == [1, 2, 3, 4, 5]
    assert write_records(campus.settings, 0)[-1].sequence == 5
    assert technician(campus).do("records export usb")["records"] == 0


def test_a_full_stick_says_how_far_it_came_and_goes_on_with_room(campus: Campus, media: Path) -> None:
    usb = stick(media)
    write_many(campus.settings, 1500)
    with full(700_000), pytest.raises(ExportError, match="stopped after record"):
        technician(campus).do("records export usb")
    technician(campus).do("records export usb")
    (file,) = usb.glob("*.records")
    assert import_from(file, campus).fault == ""
    assert len(arrived(campus)) == 1500


def test_a_read_only_stick_is_told(campus: Campus, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stick(media)
    write_records(campus.settings, 1)
    monkeypatch.setattr("sync.console_commands.read_only", lambda _: True)
    with pytest.raises(Refused, match="is read-only; slide its lock open"):
        technician(campus).do("records export usb")


def test_ctrl_c_leaves_whole_frames_on_the_stick(campus: Campus, media: Path) -> None:
    usb = stick(media)
    write_many(campus.settings, 3000)

    def pressed() -> None:
        if any(file.stat().st_size for file in usb.glob("*.records")):
            raise Interrupted("interrupted")

    person = Technician(campus.settings_file, pressed=pressed)
    with pytest.raises(Interrupted):
        person.do("records export usb")
    assert person.records[0][1]["failed"] == "interrupted"
    technician(campus).do("records export usb")
    assert import_from(next(usb.glob("*.records")), campus).fault == ""
    assert len(arrived(campus)) == 3000


@needs_lrzsz
def test_records_go_over_the_line_in_pieces(
    campus: Campus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_commands, "RECORDS_BY_LINE", 20_000)
    monkeypatch.setattr("sync.export._FRAME_RECORDS", 60)
    write_records(campus.settings, 100)
    laptop = tmp_path / "laptop"
    laptop.mkdir()

    def takes(file: Path) -> None:
        with line() as (near, far), at_other_end(far, "rz", "--ymodem", cwd=laptop):
            send(Descriptor(near), file, patience=PATIENCE)
            assert wait_until(lambda: (laptop / file.name).read_bytes() == file.read_bytes(), 30)

    person = Technician(campus.settings_file, takes=takes)
    done = person.do("records export line")
    assert 0 < done["left"] < 100
    assert done["next"] == f"the rest: `records export line {done['through']}`"
    assert re.search(r"about \d+ s at 115200 baud$", person.said[-1])
    rest = person.do(f"records export line {done['through']}")
    assert (rest["through"], rest["left"]) == (100, 0)
    for name in (done["file"], rest["file"]):
        assert import_from(laptop / name, campus).fault == ""
    assert arrived(campus) == list(range(1, 101))
    assert [details["through"] for _, details in person.records] == [done["through"], 100]
    assert not (campus.settings.state / "console-files").exists()


def test_what_central_has_is_not_sent_again(campus: Campus) -> None:
    events = write_records(campus.settings, 3)
    Receipt(3, events[2].digest).save(campus.settings.receipt)
    assert technician(campus).do("records export line") == {"records": 0, "through": 3, "left": 0}


def test_what_is_no_number_is_refused(campus: Campus, media: Path) -> None:
    stick(media)
    write_records(campus.settings, 1)
    for by, after in product(("usb", "line"), ("x", "-1", "1.5", "١", "9" * 30)):
        with pytest.raises(Refused, match="is no record's number"):
            technician(campus).do(f"records export {by} {after}")


def test_what_takes_longer_says_how_far_it_is(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.carrying._SAY_EVERY", 0.0)
    person, heard = technician(campus), threading.Event()

    def work(tell: Tell) -> str:
        tell("half of it")
        assert heard.wait(30)
        return "done"

    def listening() -> None:
        if "half of it" in person.said:
            heard.set()

    person.pressed = listening
    assert watched(person, work) == "done"


# --- Receipts


def test_a_receipt_comes_back_by_stick_or_line(campus: Campus, media: Path) -> None:
    usb = stick(media)
    bundle(campus, usb)
    write_records(campus.settings, 4)
    technician(campus).do("roster import usb")
    with pytest.raises(Refused, match="is not on it"):
        technician(campus).do("receipt import usb")
    (name,) = technician(campus).do("records export usb")["files"]
    import_from(usb / name, campus)
    person = technician(campus)
    file = "campusgate-north-gate-1.receipt"
    assert person.do("receipt import usb") == {"file": file, "central_has_all_up_to": 4}
    assert Receipt.load(campus.settings.receipt).through == 4
    assert person.records == [("receipt import", {"by": "usb", "file": file, "through": 4})]

    def gives(directory: Path, limit: int) -> Path:
        assert (usb / file).stat().st_size <= limit
        return Path(shutil.copy(usb / file, directory))

    again = Technician(campus.settings_file, gives=gives)
    assert again.do("receipt import line")["central_has_all_up_to"] == 4


# --- The commands themselves


def test_each_command_is_installed_and_its_example_names_it() -> None:
    known = list(installed())
    for command in COMMANDS:
        assert command in known
        assert command.example.startswith(command.name)
        assert command.role is (Role.OBSERVE if command.name.startswith("show") else Role.MAINTAIN)
