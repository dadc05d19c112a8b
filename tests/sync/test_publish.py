"""Publishing: one version whole or the one before, nothing written twice, every key replaceable."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata

from config.errors import KeyFileError
from config.settings import SyncSettings
from sync.central import shards
from sync.central.cli import run as central_run
from sync.central.next_root import sign_root
from sync.central.publish import Repository
from sync.central.roles import TOP_ROLES, PublishError, public_key
from sync.central.root_cli import root as root_command
from sync.central.shards import shard_bits, split
from terminal.person import Person, PersonKind
from terminal.policy import Place, Policy
from terminal.roster import Roster

POLICY = Policy(places={"north-gate": Place(name_zh="北门", name_en="North Gate")})
PEOPLE = [Person(f"S{number}", f"学生{number}", PersonKind.STUDENT) for number in range(600)]
NEWCOMER = Person("N1", "新人", PersonKind.STUDENT)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "central/tuf", tmp_path / "central/keys")
    made.create()
    made.publish(PEOPLE, POLICY, [])
    return made


def opened(repository: Repository, trust: Path) -> Roster:
    return Roster(repository.directory, trust, repository.root)


def files(repository: Repository, under: str = "targets") -> set[str]:
    return {str(f.relative_to(repository.directory)) for f in (repository.directory / under).rglob("*.*")}


def test_the_same_content_makes_no_new_targets_but_signs_the_hour(
    repository: Repository, tmp_path: Path
) -> None:
    before, metadata = files(repository), files(repository, "metadata")
    hour = opened(repository, tmp_path / "trust").published_at
    time.sleep(1)
    assert repository.publish(reversed(PEOPLE), POLICY, []) == 2
    assert files(repository) == before
    assert files(repository, "metadata") == metadata
    assert opened(repository, tmp_path / "trust").published_at > hour


def test_recent_changes_touch_neither_targets_nor_shards(repository: Repository, tmp_path: Path) -> None:
    before = files(repository)
    assert repository.publish_recent([NEWCOMER], ["S7"]) == 2
    new = files(repository) - before
    assert len(new) == 1
    assert new.pop().startswith("targets/recent/")
    assert not (repository.directory / "metadata/2.targets.json").exists()
    roster = opened(repository, tmp_path / "trust")
    assert (roster.person("N1"), roster.person("S7")) == (NEWCOMER, None)
    repository.publish_recent([PEOPLE[7]])
    assert opened(repository, tmp_path / "trust").person("S7") == PEOPLE[7]


def test_what_cannot_be_recent_is_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="no person's number"):
        repository.publish_recent([], ['S1","x":"'])
    with pytest.raises(PublishError, match="publish in full"):
        repository.publish_recent(Person(f"X{n}", "x" * 200, PersonKind.STAFF) for n in range(5000))
    repository.renew_recent_key()
    with pytest.raises(PublishError, match="publish in full"):
        repository.publish_recent([NEWCOMER])
    empty = Repository(tmp_path / "empty/tuf", tmp_path / "empty/keys")
    empty.create()
    with pytest.raises(PublishError, match="nothing is published"):
        empty.publish_recent([NEWCOMER])
    with pytest.raises(KeyFileError, match="already"):
        empty.create()


def test_old_files_stay_for_the_time_of_grace_and_are_then_swept(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = files(repository)
    for file in repository.directory.rglob("*.*"):
        os.utime(file, (1, 1))  # written long ago: grace begins when they are superseded
    repository.publish([*PEOPLE, NEWCOMER], POLICY, [])
    assert first < files(repository)
    monkeypatch.setattr(shards, "GRACE", -1.0)
    repository.publish([*PEOPLE, NEWCOMER], POLICY, [])
    now = files(repository) | files(repository, "metadata")
    assert len(now) == 8 + 3 + 4 + 1  # shards; manifest, policy, index; one of each role; the root
    assert "metadata/1.root.json" in now


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 1000, 1_000_000, 10**9])
def test_shards_stay_small_and_not_too_many(count: int) -> None:
    bits = shard_bits(count)
    assert bits <= 20
    assert bits == 20 or count / (1 << bits) <= 128
    assert bits == 0 or count / (1 << bits) >= 32


def test_shards_are_the_same_whatever_the_order() -> None:
    shuffled = random.Random(3).sample(PEOPLE, len(PEOPLE))
    assert split(PEOPLE).index.data == split(shuffled).index.data


_CHILD = """
import sys; from pathlib import Path
from sync.central.publish import Repository
from tests.sync.test_publish import PEOPLE, POLICY
from terminal.person import Person, PersonKind
repository = Repository(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
for turn in range(10_000):
    changed = [Person(p.subject, f"name {turn}", p.kind) for p in PEOPLE]
    if turn % 2: repository.publish_recent(changed[:20])
    else: repository.publish(changed, POLICY, [])
"""


def test_a_publisher_killed_at_any_moment_leaves_a_whole_version_and_the_next_one_works(
    repository: Repository, tmp_path: Path
) -> None:
    rng, version = random.Random(9), 1
    arguments = [sys.executable, "-c", _CHILD, str(repository.directory), str(tmp_path / "central/keys")]
    for _ in range(6):
        with subprocess.Popen(arguments, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.12))
            child.send_signal(signal.SIGKILL)
        roster = opened(repository, tmp_path / "trust")
        assert roster.version >= version
        assert all(roster.person(person.subject) for person in PEOPLE)
        version = repository.publish(PEOPLE, POLICY, [])
        roster = opened(repository, tmp_path / "trust")
        assert (roster.version, roster.person("S1")) == (version, PEOPLE[1])


def test_every_role_can_be_rotated_and_an_offline_terminal_catches_up(
    repository: Repository, tmp_path: Path
) -> None:
    trust = tmp_path / "trust"
    assert opened(repository, trust).version == 1
    first = set(repository.next_root.current().signed.keys)
    for role in TOP_ROLES:
        old = repository.next_root.current().signed.roles["root"].keyids
        repository.next_root.draw_up(rotate=[role], remove=old if role == "root" else [])
        assert repository.next_root.sign_here().complete
        repository.adopt_root()
        assert opened(repository, tmp_path / f"trust-{role}").person("S1") == PEOPLE[1]
        assert repository.publish([*PEOPLE, NEWCOMER], POLICY, []) > 1
    assert repository.next_root.current().signed.version == 5
    assert not first & set(repository.next_root.current().signed.keys)
    assert opened(repository, trust).person("N1") == NEWCOMER  # from root 1 over 2, 3 and 4 to 5


def test_the_root_moves_offline_to_two_of_three_keys(repository: Repository, tmp_path: Path) -> None:
    trust = tmp_path / "trust"
    opened(repository, trust)
    holders = [Ed25519PrivateKey.generate() for _ in range(3)]
    publics = [public_key(holder.public_key()) for holder in holders]
    local = repository.next_root.current().signed.roles["root"].keyids
    repository.next_root.draw_up(add=publics, remove=local, threshold=2)
    assert not repository.next_root.sign_here().complete  # the old root agrees, the new not yet
    with pytest.raises(PublishError, match=r"0 of 2 new"):
        repository.adopt_root()
    draft = repository.next_root.staged()
    assert draft is not None
    one = repository.next_root.take_signatures(sign_root(draft.to_bytes(), holders[0]))
    assert (one.old, one.new, one.complete) == ((1, 1), (1, 2), False)
    with pytest.raises(PublishError, match="no signature"):
        repository.next_root.take_signatures(sign_root(Metadata(draft.signed).to_bytes(), _stranger()))
    assert repository.next_root.take_signatures(sign_root(draft.to_bytes(), holders[2])).complete
    assert repository.adopt_root() == 2
    repository.keys.drop("root", but=[])
    assert opened(repository, trust).person("S1") == PEOPLE[1]

    repository.next_root.draw_up(rotate=["timestamp"])
    draft = repository.next_root.staged()
    assert draft is not None
    with pytest.raises(PublishError, match="a draft is waiting"):
        repository.next_root.draw_up()
    repository.publish_recent([NEWCOMER])  # life goes on while the draft travels
    repository.next_root.take_signatures(sign_root(draft.to_bytes(), holders[0]))
    assert repository.next_root.take_signatures(sign_root(draft.to_bytes(), holders[1])).complete
    assert repository.adopt_root() == 3
    assert opened(repository, trust).person("N1") == NEWCOMER
    assert opened(repository, tmp_path / "new").version == opened(repository, trust).version


def _stranger() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.mark.parametrize("junk", [b"", b"{}", b"not json", b"[" * 9999])
def test_a_draft_that_is_none_or_another_is_refused(repository: Repository, junk: bytes) -> None:
    with pytest.raises(PublishError, match="no next root"):
        repository.next_root.take_signatures(repository.root)
    repository.next_root.draw_up()
    with pytest.raises(PublishError):
        repository.next_root.take_signatures(junk)
    with pytest.raises(PublishError, match="not the draft"):
        repository.next_root.take_signatures(repository.root)
    repository.next_root.discard()
    with pytest.raises(PublishError, match="threshold 9"):
        repository.next_root.draw_up(threshold=9)


def test_the_commands_carry_a_root_from_machine_to_machine(tmp_path: Path) -> None:
    from sync.central.site import Site

    site = Site(tmp_path / "central")
    site.create("https://central.example")
    draft = str(tmp_path / "next.json")
    at = ["--dir", str(tmp_path / "central")]

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(root_command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    for name in ("ann", "bo"):
        run("key", str(tmp_path / f"{name}.pem"))
        assert (tmp_path / f"{name}.pem").stat().st_mode & 0o777 == 0o600
    added = [arg for name in ("ann", "bo") for arg in ("--add", str(tmp_path / f"{name}.pub"))]
    local = site.repository.next_root.current().signed.roles["root"].keyids[0]
    run("export", draft, *at, *added, "--remove", local[:12], "--threshold", "2")
    assert "1 of 1 old and 0 of 2 new" in run("show", *at)
    run("sign", draft, str(tmp_path / "ann.pem"))
    assert "in force" not in run("import", *at, draft)
    run("sign", draft, str(tmp_path / "bo.pem"))
    assert "root 2 is in force" in run("import", *at, draft)
    assert "root: 2 of 2" in run("show", *at)
    run("export", draft, *at, "--rotate", "snapshot")
    run("discard", *at)
    assert "is published" in run("renew-recent", *at)


def test_by_the_defaults_a_revocation_reaches_a_terminal_within_a_minute() -> None:
    publish_every = next(option for option in central_run.params if option.name == "publish_every").default
    assert float(publish_every) + SyncSettings().roster_seconds <= 55
