"""The downlink from the real central's TUF repository: the terminal always sees one whole version."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from config.files import write_atomic
from sync.central import publish as publishing
from sync.central.store import Store
from sync.faults import Fault, SyncFault
from terminal.person import Person, PersonKind, Status
from terminal.roster import RosterRefused
from tests.sim.campus import Campus
from tests.sync.hostile import HTML, Answer, Hostile, drip, endless, files_of, http, raw, silence
from tests.sync.world import at, downlink_from, open_roster, publish

NEWCOMER = Person("S20249999", "新同学", PersonKind.STUDENT)
SOMEONE = "S20240042"


def step(campus: Campus, url: str, timeout: float = 5.0) -> bool:
    with downlink_from(at(campus.settings, url, timeout=timeout)) as downlink:
        return downlink.step()


def fault_of_a_step(campus: Campus, url: str, timeout: float = 5.0) -> SyncFault:
    with pytest.raises(SyncFault) as caught:
        step(campus, url, timeout)
    return caught.value


def add_person(campus: Campus, person: Person = NEWCOMER) -> int:
    """Put `person` into central and publish; the version."""
    store = Store(campus.site.database_url)
    store.put_people([person])
    store.close()
    return publish(campus)


def shards(campus: Campus) -> dict[str, int]:
    """Names of the files of people on the mirror, and their inodes."""
    return {f.name: f.stat().st_ino for f in (campus.settings.roster / "targets" / "people").iterdir()}


def test_the_first_download_gives_the_terminal_everyone(campus: Campus, central: str) -> None:
    with pytest.raises(RosterRefused, match="nothing downloaded yet"):
        open_roster(campus)
    assert step(campus, central) is True
    roster = open_roster(campus)
    assert (roster.version, roster.people) == (1, 500)
    assert all(roster.person(citizen.person.subject) == citizen.person for citizen in campus.citizens)
    assert roster.policy() == campus.site.policy()


def test_an_unchanged_roster_changes_nothing_on_disk(campus: Campus, central: str) -> None:
    step(campus, central)
    before = {f: f.stat().st_mtime_ns for f in campus.settings.roster.rglob("*") if f.is_file()}
    assert step(campus, central) is False
    assert {f: f.stat().st_mtime_ns for f in campus.settings.roster.rglob("*") if f.is_file()} == before


def test_one_new_person_costs_one_shard(campus: Campus, central: str) -> None:
    step(campus, central)
    before = shards(campus)
    assert add_person(campus) == 2
    assert step(campus, central) is True
    after = shards(campus)
    assert len(after.keys() - before.keys()) == 1
    assert {name: after[name] for name in before} == before  # the others were not even written again
    roster = open_roster(campus)
    assert roster.version == 2
    assert roster.person(NEWCOMER.subject) == NEWCOMER


def test_a_suspension_reaches_the_terminal(campus: Campus, central: str) -> None:
    step(campus, central)
    person = campus.citizens[42].person
    add_person(campus, Person(person.subject, person.name, person.kind, Status.SUSPENDED, person.keys))
    step(campus, central)
    found = open_roster(campus).person(person.subject)
    assert found is not None
    assert found.status is Status.SUSPENDED


def test_a_reader_of_the_version_before_is_not_pulled_the_rug_from_under(
    campus: Campus, central: str
) -> None:
    step(campus, central)
    reader = open_roster(campus)
    add_person(campus)
    step(campus, central)
    assert reader.version == 1
    assert all(reader.person(citizen.person.subject) for citizen in campus.citizens)


def test_old_shards_do_not_pile_up(campus: Campus, central: str) -> None:
    for number in range(5):
        add_person(campus, Person(NEWCOMER.subject, f"name {number}", PersonKind.STUDENT))
        step(campus, central)
    step(campus, central)
    assert len(shards(campus)) <= 4 + 1  # what is current, and the one that a reader may still hold
    assert (found := open_roster(campus).person(NEWCOMER.subject))
    assert found.name == "name 4"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("hurt", [_flip, _truncate, Path.unlink], ids=["flipped", "truncated", "removed"])
@pytest.mark.parametrize("pattern", ["targets/people/*", "targets/*manifest.json", "metadata/*.targets.json"])
def test_a_hurt_file_on_the_mirror_is_healed(
    pattern: str, hurt: object, campus: Campus, central: str
) -> None:
    assert callable(hurt)
    step(campus, central)
    shelf_looks_at = campus.settings.roster / "metadata" / "timestamp.json"
    before = shelf_looks_at.stat().st_ino
    for file in campus.settings.roster.glob(pattern):
        hurt(file)
    with pytest.raises(RosterRefused):
        open_roster(campus).person(SOMEONE)
    step(campus, central)
    assert open_roster(campus).person(SOMEONE) == campus.citizens[42].person
    assert shelf_looks_at.stat().st_ino != before  # a terminal that refused it looks again


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json"])
def test_the_daemons_own_trusted_metadata_is_healed_too(name: str, campus: Campus, central: str) -> None:
    step(campus, central)
    (campus.settings.state / "sync-trust" / name).write_bytes(b"\x00" * 100)
    step(campus, central)
    add_person(campus)
    assert step(campus, central) is True
    assert open_roster(campus).person(NEWCOMER.subject) == NEWCOMER


def assert_still_version_1(campus: Campus) -> None:
    roster = open_roster(campus)
    assert roster.version == 1
    assert roster.person(SOMEONE) == campus.citizens[42].person
    assert roster.person(NEWCOMER.subject) is None


@pytest.mark.parametrize("file", ["targets/people/*", "targets/*policy.json", "metadata/2.targets.json"])
def test_what_was_altered_on_the_server_is_refused_and_the_old_roster_stays(
    file: str, campus: Campus, central: str
) -> None:
    step(campus, central)
    policy = campus.site.directory / "policy.toml"
    policy.write_text(
        policy.read_text("utf-8") + '\n[places.gym]\nname_zh = "馆"\nname_en = "Gym"\n', "utf-8"
    )
    old = {path.name for path in campus.site.directory.glob(f"tuf/{file}")}
    add_person(campus)
    for path in campus.site.directory.glob(f"tuf/{file}"):
        if path.name not in old:
            _flip(path)
    caught = fault_of_a_step(campus, central)
    assert caught.fault is Fault.ROSTER
    assert "roster.altered" in str(caught)
    assert_still_version_1(campus)


def test_a_shard_that_the_server_withholds_is_missing(campus: Campus, central: str) -> None:
    step(campus, central)
    old = set(campus.site.directory.glob("tuf/targets/people/*"))
    add_person(campus)
    for file in set(campus.site.directory.glob("tuf/targets/people/*")) - old:
        file.unlink()
    assert "roster.missing" in str(fault_of_a_step(campus, central))
    assert_still_version_1(campus)


def test_a_server_that_goes_back_to_an_older_version_is_refused(campus: Campus, central: str) -> None:
    timestamp = campus.site.directory / "tuf" / "metadata" / "timestamp.json"
    old = timestamp.read_bytes()
    add_person(campus)
    step(campus, central)
    timestamp.write_bytes(old)
    caught = fault_of_a_step(campus, central)
    assert caught.fault is Fault.ROSTER
    assert "roster.rolled-back" in str(caught)
    assert open_roster(campus).version == 2


def test_another_central_s_repository_is_refused(campus: Campus, central: str) -> None:
    step(campus, central)
    stranger = publishing.Repository(campus.site.directory / "other", campus.site.directory / "other-keys")
    stranger.create()
    for _ in range(3):
        stranger.publish([], campus.site.policy(), [])
    for file in (stranger.directory / "metadata").glob("*"):
        if "root" not in file.name:
            (campus.site.directory / "tuf" / "metadata" / file.name).write_bytes(file.read_bytes())
    caught = fault_of_a_step(campus, central)
    assert caught.fault is Fault.ROSTER
    assert "roster.wrong-keys" in str(caught)
    assert_still_version_1(campus)


def test_expired_metadata_is_refused(campus: Campus, central: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step(campus, central)
    monkeypatch.setattr(publishing, "_expiry", lambda _: datetime.now(UTC) - timedelta(days=1))
    publish(campus)
    caught = fault_of_a_step(campus, central)
    assert caught.fault is Fault.ROSTER
    assert "roster.expired" in str(caught)
    assert_still_version_1(campus)


WRONG: dict[str, tuple[Answer, Fault]] = {
    "500": (http(500), Fault.SERVER_ERROR),
    "404 for all": (http(404, HTML), Fault.NOT_CENTRAL),
    "a redirect": (http(302, Location="http://127.0.0.1:9/"), Fault.CAPTIVE_PORTAL),
    "HTML with 200": (http(200, HTML), Fault.CAPTIVE_PORTAL),
    "HTML with 502": (http(502, HTML), Fault.PROXY),
    "a proxy that wants a password": (http(407, HTML), Fault.PROXY_AUTH),
    "nothing": (http(200, kind="application/json"), Fault.ROSTER),
    "the end": (raw(b""), Fault.CUT),
    "half a file": (http(200, b'{"signed":', "application/json", Content_Length="900"), Fault.CUT),
    "silence": (silence, Fault.TIMEOUT),
    "endless": (endless(b"HTTP/1.1 200 OK\r\n\r\n"), Fault.NOT_CENTRAL),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_has_its_name_and_the_old_roster_stays(
    case: str, campus: Campus, central: str
) -> None:
    step(campus, central)
    answer, fault = WRONG[case]
    with Hostile(answer) as server:
        caught = fault_of_a_step(campus, server.url, timeout=0.3)
    assert caught.fault is fault, caught
    assert case != "endless" or "roster.oversize" in str(caught)
    assert_still_version_1(campus)
    add_person(campus)
    assert step(campus, central) is True
    assert open_roster(campus).version == 2


@pytest.mark.parametrize("until", [0, 1, 3])
def test_a_server_that_dies_midway_leaves_the_old_roster_and_the_next_try_ends_it(
    until: int, campus: Campus, central: str
) -> None:
    step(campus, central)
    for number in range(60):  # people in every shard
        add = Person(f"N{number}", "新", PersonKind.STAFF)
        store = Store(campus.site.database_url)
        store.put_people([add])
        store.close()
    publish(campus)
    with Hostile(
        files_of(campus.site.directory, until, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n{"))
    ) as server:
        assert fault_of_a_step(campus, server.url).fault is Fault.CUT
    assert_still_version_1(campus)
    assert step(campus, central) is True
    assert open_roster(campus).people == 560


_CHILD = """
import sys; from pathlib import Path
from config.settings import load_settings
from tests.sync.world import at, downlink_from
with downlink_from(at(load_settings(Path(sys.argv[1])), sys.argv[2])) as downlink: downlink.step()
"""


@pytest.mark.parametrize("until", [0, 2])
def test_a_sync_process_killed_midway_leaves_nothing_that_the_terminal_sees(
    until: int, campus: Campus, central: str
) -> None:
    trickle = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n{")
    with Hostile(files_of(campus.site.directory, until, trickle)) as server:
        arguments = [sys.executable, "-c", _CHILD, str(campus.settings_file), server.url]
        with subprocess.Popen(arguments, cwd=Path(__file__).parents[2]) as child:
            deadline = time.monotonic() + 10
            while sum("/people/" in call.path for call in server.calls) <= until and child.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            child.send_signal(signal.SIGKILL)
    with pytest.raises(RosterRefused, match="nothing downloaded yet"):
        open_roster(campus)
    assert step(campus, central) is True
    assert open_roster(campus).people == 500
    assert not list(campus.settings.roster.rglob("*.part"))


def test_a_power_cut_between_a_new_root_and_its_timestamp_replaces_nothing(
    campus: Campus, central: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(campus, central)
    assert_still_version_1(campus)
    root = campus.site.repository.next_root
    root.draw_up(rotate=["timestamp"])
    assert root.sign_here().complete
    campus.site.repository.adopt_root()
    add_person(campus)

    def cut(path: Path, data: bytes) -> None:
        if path.name == "timestamp.json":
            raise OSError(errno.EIO, "the power is cut")
        write_atomic(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("sync.downlink.write_atomic", cut)
        assert fault_of_a_step(campus, central).fault is Fault.ROSTER
    assert (campus.settings.roster / "metadata" / "2.root.json").exists()
    assert_still_version_1(campus)  # as after a restart, with nothing but what is on disk
    assert step(campus, central) is True
    assert open_roster(campus).person(NEWCOMER.subject) == NEWCOMER


def test_the_version_is_what_the_metadata_on_the_mirror_says(campus: Campus, central: str) -> None:
    add_person(campus)
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
        timestamp = campus.settings.roster / "metadata" / "timestamp.json"
        assert downlink.version == Metadata.from_file(str(timestamp)).signed.version == 2
