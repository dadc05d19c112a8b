"""The downlink from plain static servers: only what changed, unchanged files known cheaply, damage found."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import mirror
from sync.central.publish import Repository
from sync.downlink import Downlink
from sync.faults import SyncFault
from terminal.person import Person, PersonKind
from tests.sim.campus import Campus
from tests.static_server import NGINX, static_server
from tests.sync.hostile import Answer, Call, Hostile, files_of, http
from tests.sync.world import at, downlink_from, open_roster

SERVERS = ["python", pytest.param("nginx", marks=pytest.mark.skipif(not NGINX, reason="no nginx here"))]
NEWCOMER = Person("N1", "新人", PersonKind.STUDENT)


def repository(campus: Campus) -> Repository:
    return campus.site.repository


@pytest.fixture
def downlink(campus: Campus) -> Iterator[tuple[Downlink, Counter[str]]]:
    """A downlink from a counting server of bare files, with an ETag on each."""
    asked: Counter[str] = Counter()
    with (
        Hostile(counted(campus.site.directory, asked)) as server,
        downlink_from(at(campus.settings, server.url)) as down,
    ):
        yield down, asked


def counted(directory: Path, asked: Counter[str]) -> Answer:
    def answer(call: Call) -> None:
        asked[call.path.rpartition("/")[0]] += 1
        file = directory / call.path.lstrip("/")
        if not file.is_file():
            return http(404)(call)
        etag = f'"{hash(file.read_bytes())}"'
        if f"If-None-Match: {etag}".encode() in call.head:
            asked["304"] += 1
            return http(304, ETag=etag)(call)
        dates = {"Date": "Tue, 03 Nov 2026 08:00:05 GMT", "Last_Modified": "Tue, 03 Nov 2026 08:00:00 GMT"}
        return http(200, file.read_bytes(), "application/octet-stream", ETag=etag, **dates)(call)

    return answer


@pytest.mark.parametrize("kind", SERVERS)
def test_any_static_server_will_do(kind: str, campus: Campus) -> None:
    campus.site.directory.chmod(0o755)
    with static_server(campus.site.directory, kind) as url, downlink_from(at(campus.settings, url)) as down:
        assert down.step() is True
        assert open_roster(campus).people == 500
        repository(campus).publish_recent([NEWCOMER])
        assert down.step() is True
        assert open_roster(campus).person("N1") == NEWCOMER
        assert down.step() is False


def test_a_recent_change_costs_four_small_files(
    downlink: tuple[Downlink, Counter[str]], campus: Campus
) -> None:
    down, asked = downlink
    down.step()
    asked.clear()
    repository(campus).publish_recent([NEWCOMER])
    assert down.step() is True
    assert asked == {"/tuf/metadata": 4, "/tuf/targets/recent": 1}  # one of them the root that is not there
    asked.clear()
    assert down.step() is False
    assert asked == {"/tuf/metadata": 2, "304": 1}


def test_what_was_verified_before_a_restart_is_not_hashed_again(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    whole = mirror.Mirror._whole

    def spy(self: mirror.Mirror, shard: mirror.Shard, file: Path, again: bool) -> bool:
        if again or self._seen.get(shard.name) != file.stat().st_mtime_ns:
            hashed.append(shard.name)
        return whole(self, shard, file, again)

    with static_server(campus.site.directory) as url:
        with downlink_from(at(campus.settings, url)) as down:
            down.step()
        monkeypatch.setattr(mirror.Mirror, "_whole", spy)
        with downlink_from(at(campus.settings, url)) as down:
            down.step()
            assert len(hashed) == 1  # the part whose turn it is
        (campus.settings.state / "sync-trust/verified.json").write_text("null", "utf-8")
        with downlink_from(at(campus.settings, url)) as down:
            hashed.clear()
            down.step()
            assert len(hashed) == 4


def test_damage_behind_the_file_systems_back_is_found_within_a_turn(campus: Campus) -> None:
    with static_server(campus.site.directory) as url, downlink_from(at(campus.settings, url)) as down:
        down.step()
        for file in (campus.settings.roster / "targets/people").iterdir():
            stat, data = file.stat(), bytearray(file.read_bytes())
            data[5] ^= 1
            file.write_bytes(data)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        healed = sum(down.step() for _ in range(mirror.PARTS))
        assert healed == 4
        assert open_roster(campus).person("S20240042") == campus.citizens[42].person


def test_two_changes_within_a_second_both_arrive(campus: Campus) -> None:
    """An ETag of size and second would hide the other from us; python and nginx give such."""
    kind = "nginx" if NGINX else "python"
    with static_server(campus.site.directory, kind) as url, downlink_from(at(campus.settings, url)) as down:
        down.step()
        for number in range(5):
            version = repository(campus).publish_recent([Person("N1", f"第{number}", PersonKind.STUDENT)])
            down.step()
            assert down.version == version
            time.sleep(0.1)


def test_a_terminal_that_missed_three_roots_catches_up_over_the_network(campus: Campus) -> None:
    with static_server(campus.site.directory) as url, downlink_from(at(campus.settings, url)) as down:
        down.step()
        assert open_roster(campus).version == 1
        for role in ("timestamp", "targets", "snapshot"):
            repository(campus).next_root.draw_up(rotate=[role])
            repository(campus).next_root.sign_here()
            repository(campus).adopt_root()
        repository(campus).publish_recent([NEWCOMER])
        down.step()
        assert open_roster(campus).person("N1") == NEWCOMER


def test_what_came_before_an_interruption_is_kept(campus: Campus) -> None:
    cut = http(200, b"{", "application/octet-stream", Content_Length="90000")
    with (
        Hostile(files_of(campus.site.directory, 3, cut)) as server,
        downlink_from(at(campus.settings, server.url)) as down,
        pytest.raises(SyncFault, match="cut"),
    ):
        down.step()
    asked: Counter[str] = Counter()
    with (
        Hostile(counted(campus.site.directory, asked)) as server,
        downlink_from(at(campus.settings, server.url)) as down,
    ):
        assert down.step() is True
    assert asked["/tuf/targets/people"] == 1  # of four shards
    assert asked["/tuf/targets"] == 0
    assert open_roster(campus).people == 500
