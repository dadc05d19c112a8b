"""A roster that comes on a stick: verified as from the network, mirrored by one process, refused by name."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.control import ask
from config.errors import ControlError
from sync import carried_roster
from sync.carried_roster import CarriedRoster
from sync.central import publish as publishing
from sync.central.roles import PublishError
from sync.central.roster_bundle import write_bundle
from sync.central.site import Site
from sync.central.store import Store
from sync.downlink import Downlink
from sync.faults import SyncFault
from sync.http import session
from terminal.person import Person, PersonKind
from terminal.provision import trust
from tests.sim.campus import Campus
from tests.sync.test_daemon import daemon
from tests.sync.world import campusgate, downlink_from, open_roster, publish

NEWCOMER = Person("S20249999", "新同学", PersonKind.STUDENT)


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    stick = tmp_path / "usb"
    stick.mkdir()
    return stick


def bundle(campus: Campus, to: Path) -> Path:
    return write_bundle(campus.site.directory / "tuf", to).path


def take(campus: Campus, path: Path) -> bool:
    with downlink_from(campus.settings) as downlink, CarriedRoster(path) as carried:
        return downlink.take(carried)


def refused(campus: Campus, path: Path) -> str:
    with pytest.raises(SyncFault) as caught:
        take(campus, path)
    return str(caught.value)


def add_newcomer(campus: Campus) -> int:
    store = Store(campus.site.database_url)
    store.put_people([NEWCOMER])
    store.close()
    return publish(campus)


def rewritten(file: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """`file` with its members changed, or left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if changed := change(name, old.read(name)):
                new.writestr(*changed)
    file.write_bytes(out.getvalue())
    return file


def test_everyone_comes_in_one_file_and_again_nothing_changes(campus: Campus, usb: Path) -> None:
    file = bundle(campus, usb)
    assert file.name == "campusgate-1.roster"
    assert take(campus, file) is True
    roster = open_roster(campus)
    assert (roster.version, roster.people) == (1, 500)
    assert all(roster.person(citizen.person.subject) == citizen.person for citizen in campus.citizens)
    assert take(campus, file) is False


def test_a_directory_with_centrals_files_will_do(campus: Campus, usb: Path) -> None:
    shutil.copytree(campus.site.directory / "tuf", usb / "tuf")
    assert take(campus, usb / "tuf") is True
    assert open_roster(campus).people == 500


def test_the_same_publication_gives_the_same_bytes(campus: Campus, usb: Path) -> None:
    first, second = bundle(campus, usb / "a.roster"), bundle(campus, usb / "b.roster")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(file.name for file in usb.iterdir()) == ["a.roster", "b.roster"]


def test_it_holds_nothing_that_is_secret_or_not_published(campus: Campus, usb: Path) -> None:
    (campus.site.directory / "tuf" / "metadata" / ".left.over").write_bytes(b"x")
    with zipfile.ZipFile(bundle(campus, usb)) as file:
        names = file.namelist()
        assert all(info.date_time[0] == 1980 for info in file.infolist())
        assert not any(b"PRIVATE" in file.read(name) for name in names)
    assert sorted(name for name in names if name.startswith("metadata/")) == [
        f"metadata/{name}.json" for name in ("1.recent", "1.root", "1.snapshot", "1.targets", "timestamp")
    ]
    assert sum(name.startswith("targets/people/") for name in names) == 4


def test_recent_changes_and_a_chain_of_roots_come_along(campus: Campus, usb: Path) -> None:
    take(campus, bundle(campus, usb / "old.roster"))
    repository = campus.site.repository
    for role in ("timestamp", "targets"):
        repository.next_root.draw_up(rotate=[role])
        repository.next_root.sign_here()
        repository.adopt_root()
    repository.publish_recent([NEWCOMER])
    assert take(campus, bundle(campus, usb / "new.roster")) is True
    assert open_roster(campus).person(NEWCOMER.subject) == NEWCOMER


def test_the_network_goes_on_where_the_stick_left_off(campus: Campus, usb: Path, central: str) -> None:
    from tests.sync.world import at

    take(campus, bundle(campus, usb))
    with downlink_from(at(campus.settings, central)) as downlink:
        assert downlink.step() is False
        add_newcomer(campus)
        assert downlink.step() is True


def test_an_older_one_than_is_known_is_refused(campus: Campus, usb: Path) -> None:
    old = bundle(campus, usb / "old.roster")
    add_newcomer(campus)
    take(campus, bundle(campus, usb / "new.roster"))
    why = refused(campus, old)
    assert "roster.rolled-back; it is older than what is here" in why
    assert str(old) in why
    assert open_roster(campus).version == 2


def test_an_expired_one_is_refused(campus: Campus, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(campus, bundle(campus, usb))
    monkeypatch.setattr(publishing, "_expiry", lambda _: datetime.now(UTC) - timedelta(days=1))
    publish(campus)
    assert "roster.expired; make a new one at central" in refused(campus, bundle(campus, usb))
    assert open_roster(campus).version == 1


def test_another_schools_is_refused(campus: Campus, usb: Path, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    other.create("https://other.example")
    store = Store(other.database_url)
    other.publish(store)
    store.close()
    file = write_bundle(other.directory / "tuf", usb).path
    assert "roster.wrong-keys; it is another school's" in refused(campus, file)
    take(campus, bundle(campus, usb / "ours.roster"))
    other.repository.next_root.draw_up(rotate=["timestamp"])
    other.repository.next_root.sign_here()
    other.repository.adopt_root()
    assert "roster.wrong-keys" in refused(campus, write_bundle(other.directory / "tuf", usb).path)
    assert open_roster(campus).people == 500


@pytest.mark.parametrize("what", ["targets/people/", "policy.json", "2.targets.json"])
def test_what_was_altered_or_left_out_is_refused_and_the_old_roster_stays(
    what: str, campus: Campus, usb: Path
) -> None:
    take(campus, bundle(campus, usb / "old.roster"))
    policy = campus.site.directory / "policy.toml"
    gym = '\n[places.gym]\nname_zh = "馆"\nname_en = "Gym"\n'
    policy.write_text(policy.read_text("utf-8") + gym, "utf-8")
    add_newcomer(campus)
    good = bundle(campus, usb / "new.roster").read_bytes()

    def altered(name: str, data: bytes) -> tuple[str, bytes]:
        return name, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:] if what in name else data

    file = usb / "bad.roster"
    file.write_bytes(good)
    assert "roster.altered" in refused(campus, rewritten(file, altered))
    file.write_bytes(good)
    gone = refused(campus, rewritten(file, lambda name, data: None if what in name else (name, data)))
    assert "roster.missing; it is not whole" in gone
    roster = open_roster(campus)
    assert (roster.version, roster.person(NEWCOMER.subject)) == (1, None)
    file.write_bytes(good)
    assert take(campus, file) is True  # and what was left half done is no hindrance
    assert open_roster(campus).person(NEWCOMER.subject) == NEWCOMER


def member(file: zipfile.ZipFile, name: str, size: int = 1, mode: int = 0o100644) -> None:
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, mode << 16
    file.writestr(info, b"\0" * size)


BAD: dict[str, tuple[Callable[[zipfile.ZipFile], None], str]] = {
    "escapes": (lambda f: member(f, "../../etc/passwd"), "no part of a roster"),
    "absolute": (lambda f: member(f, "/etc/passwd"), "no part of a roster"),
    "a stranger": (lambda f: member(f, "metadata/autorun.exe"), "no part of a roster"),
    "a link": (lambda f: member(f, "metadata/1.root.json", mode=0o120777), "something other than a file"),
    "a bomb": (lambda f: member(f, f"targets/{'0' * 64}.index.bin", 20_000_000), "is too large"),
    "too many": (
        lambda f: [member(f, f"metadata/{n}.root.json") for n in range(12)] and None,
        "at most 10 are allowed",
    ),
    "too much": (
        lambda f: [member(f, f"metadata/{n}.root.json", 90_000) for n in range(9)] and None,
        "unpacks to more than",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_can_be_no_roster_is_refused_before_anything_is_read(
    case: str, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried_roster, "MOST_FILES", 10)
    monkeypatch.setattr(carried_roster, "MOST_BYTES", 25_000_000 if case == "a bomb" else 800_000)
    make, why = BAD[case]
    with zipfile.ZipFile(usb / "x.roster", "w") as file:
        make(file)
    with pytest.raises(SyncFault, match=why):
        CarriedRoster(usb / "x.roster")


def test_a_size_that_lies_does_not_flood(campus: Campus, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried_roster, "_LARGEST", 100_000)
    with zipfile.ZipFile(usb / "x.roster", "w") as file:
        member(file, "metadata/timestamp.json", 99_999)
    data = (usb / "x.roster").read_bytes()
    (usb / "x.roster").write_bytes(data.replace((99_999).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    assert "is damaged" in refused(campus, usb / "x.roster")


def test_a_long_list_of_files_is_not_read_into_memory(usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried_roster, "_MOST_LISTED", 70_000)
    with zipfile.ZipFile(usb / "x.roster", "w") as file:
        for number in range(1500):
            member(file, f"metadata/{number}.root.json")
    with pytest.raises(SyncFault, match=r"is no \.roster file"):
        CarriedRoster(usb / "x.roster")


def test_what_is_no_file_is_refused(usb: Path, campus: Campus) -> None:
    good = bundle(campus, usb)
    (usb / "cut.roster").write_bytes(good.read_bytes()[:-100])
    (usb / "empty.roster").write_bytes(b"")
    (usb / "link.roster").symlink_to(good)
    os.mkfifo(usb / "pipe.roster")
    for name, why in (
        ("cut.roster", "not whole; copy it again"),
        ("empty.roster", "not whole; copy it again"),
        ("link.roster", "cannot be read"),
        ("pipe.roster", "cannot be read"),
        ("none.roster", "is the stick mounted"),
        ("", "holds no roster"),
    ):
        assert why in refused(campus, usb / name)
    with pytest.raises(SyncFault, match="no absolute path"):
        CarriedRoster(Path("x.roster"))


def test_links_in_a_directory_are_not_followed(campus: Campus, usb: Path) -> None:
    shutil.copytree(campus.site.directory / "tuf", usb / "tuf")
    policy = next((usb / "tuf" / "targets").glob("*.policy.json"))
    policy.rename(usb / "elsewhere")
    policy.symlink_to(usb / "elsewhere")
    assert "cannot be read" in refused(campus, usb / "tuf")


def test_a_stick_pulled_out_midway_is_told_and_again_goes_on(campus: Campus, usb: Path) -> None:
    shutil.copytree(campus.site.directory / "tuf", usb / "tuf")

    def pull_out(read: float) -> None:
        if read > 40_000 and (usb / "tuf").exists():
            (usb / "tuf").rename(usb / "pulled")

    with (
        session(campus.settings) as http,
        CarriedRoster(usb / "tuf", pull_out) as carried,
        pytest.raises(SyncFault, match="put the stick in again and run this again"),
    ):
        Downlink(campus.settings, trust(campus.settings).root, http).take(carried)
    (usb / "pulled").rename(usb / "tuf")
    assert take(campus, usb / "tuf") is True
    assert open_roster(campus).people == 500


@given(st.data())
def test_a_damaged_file_is_refused_or_still_says_what_was_signed(tmp_path: Path, data: st.DataObject) -> None:
    with zipfile.ZipFile(tmp_path / "x.roster", "w") as file:
        member(file, "metadata/timestamp.json", 50)
    whole = bytearray((tmp_path / "x.roster").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    (tmp_path / "x.roster").write_bytes(whole)
    try:
        with CarriedRoster(tmp_path / "x.roster") as carried:
            assert carried.timestamp in (b"", b"\0" * 50)
    except SyncFault:
        pass


def test_a_central_that_has_published_nothing_says_so(usb: Path, site: Site) -> None:
    with pytest.raises(PublishError, match="nothing is published"):
        write_bundle(site.directory / "tuf", usb)


def test_a_place_that_is_not_there_is_told(campus: Campus, usb: Path) -> None:
    for to in (usb / "no" / "x.roster", usb / "nothing", usb / "x.zip"):
        with pytest.raises(PublishError, match="is the stick mounted"):
            bundle(campus, to)


def test_the_commands_do_it_with_and_without_a_daemon(campus: Campus, usb: Path) -> None:
    made = campusgate("roster", "bundle", "--dir", str(campus.site.directory), "--to", str(usb))
    assert (made.returncode, made.stderr) == (0, "")
    assert "campusgate-1.roster: roster version 1, " in made.stdout
    settings = ["--settings", str(campus.settings_file)]
    done = campusgate("roster", "take", str(usb / "campusgate-1.roster"), *settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "roster version 1 is on disk" in done.stdout
    assert (
        "was there already"
        in campusgate("roster", "take", str(usb / "campusgate-1.roster"), *settings).stdout
    )
    add_newcomer(campus)
    file = bundle(campus, usb)
    socket = campus.settings.socket("sync")
    with daemon(campus):
        done = campusgate("roster", "take", str(file), *settings)
        assert "roster version 2 is on disk" in done.stdout, done.stderr
        assert ask(socket, "status", timeout=20)["roster_version"] == 2
        with pytest.raises(ControlError, match=r"campusgate-1\.roster does not verify: roster\.rolled-back"):
            ask(socket, "roster", timeout=60, path=str(usb / "campusgate-1.roster"))
        done = campusgate("roster", "take", str(usb / "campusgate-1.roster"), *settings)
        assert done.returncode == 1
        assert "it is older than what is here" in done.stderr
        assert done.stderr.count("\n") == 1
        answer = ask(socket, "network", timeout=60)
        assert (answer["reached"], answer["status"]) == (False, None)
        assert answer["fault"].startswith("unreachable: ")
    assert open_roster(campus).person(NEWCOMER.subject) == NEWCOMER
