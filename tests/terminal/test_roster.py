"""The roster: the true person or a refusal, whatever happened to the files."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.metadata import Metadata

from config.keys import new_p256
from sync.central import publish
from sync.central.publish import Repository
from sync.central.shards import shard_bits
from terminal.codes import compressed, key_id
from terminal.person import SUBJECT, Person, PersonKind, Status
from terminal.policy import Place, Policy
from terminal.reasons import Reason
from terminal.roster import Roster, RosterRefused
from terminal.roster_layout import Manifest, shard_name, shard_number
from tests.terminal.world import ISSUER, PEOPLE, POLICY, STRANGER, Town, found_town

NEWCOMER = Person("N1", "新人", PersonKind.STUDENT)


def refusal(town: Town, trust: Path, root: bytes | None = None) -> Reason:
    with pytest.raises(RosterRefused) as caught:
        Roster(town.mirror, trust, root or town.root)
    return caught.value.reason


def targets(town: Town) -> list[Path]:
    return sorted(path for path in (town.mirror / "targets").rglob("*") if path.is_file())


def shard_of(town: Town, subject: str) -> Path:
    bits = shard_bits(len(PEOPLE))
    name = shard_name(shard_number(subject, bits), bits)
    return next((town.mirror / "targets" / "people").glob(f"*.{name}"))


def test_everyone_published_is_found_as_they_are(roster: Roster) -> None:
    assert roster.people == len(PEOPLE)
    for subject, person in PEOPLE.items():
        assert roster.person(subject) == person


@given(st.one_of(st.from_regex(SUBJECT, fullmatch=True), st.text(max_size=70)))
def test_nobody_else_is_found(roster: Roster, subject: str) -> None:
    assert roster.person(subject) == PEOPLE.get(subject)


@pytest.mark.parametrize(
    "subject", ["S1,", 'S1","name":"', "S1\n", "S1\0", "s1", "S1..", "S11", "*", "", '{"sub":"S1",', "../S1"]
)
def test_a_number_near_to_somebodys_is_nobodys(roster: Roster, subject: str) -> None:
    assert roster.person(subject) is None


def test_policy_and_issuers_are_those_published(roster: Roster) -> None:
    assert roster.policy() == POLICY
    assert roster.issuer(key_id(STRANGER.public_key())) is None
    issuer = roster.issuer(key_id(ISSUER.public_key()))
    assert issuer is not None
    assert compressed(issuer) == compressed(ISSUER.public_key())
    age = datetime.now(UTC) - roster.published_at
    assert timedelta(-1) < age < timedelta(hours=1)


@pytest.mark.parametrize("bits", range(13))
def test_shards_together_hold_every_number_once(bits: int) -> None:
    numbers = {shard_number(f"S{number}", bits) for number in range(40_000 if bits == 12 else 200)}
    assert bits != 12 or len(numbers) == 4096
    assert all(0 <= number < 1 << bits for number in numbers)
    assert len({shard_name(number, bits) for number in numbers}) == len(numbers)


def test_a_flipped_byte_in_any_target_gives_the_true_person_or_a_refusal(
    own_town: Town, tmp_path: Path
) -> None:
    roster = own_town.open(tmp_path / "trust")
    rng = random.Random(11)
    asked = [*rng.sample(sorted(PEOPLE), 12), "S1", "X1", "nobody"]
    files = targets(own_town)
    refused = flips = 0
    reasons = set()
    while flips < 2000:
        file = rng.choice(files)
        whole = file.read_bytes()
        for _ in range(20):
            flips += 1
            at = rng.randrange(len(whole))
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
            subject = rng.choice(asked)
            try:
                assert roster.policy() == POLICY
                assert roster.person(subject) == PEOPLE.get(subject)
                roster.issuer(key_id(ISSUER.public_key()))
            except RosterRefused as error:
                reasons.add(error.reason)
                refused += 1
        file.write_bytes(whole)
    assert refused > 500
    assert reasons == {Reason.ROSTER_ALTERED}
    assert roster.person("S1") == PEOPLE["S1"]


def test_a_flipped_byte_in_any_metadata_never_opens_as_another_roster(own_town: Town, tmp_path: Path) -> None:
    rng = random.Random(12)
    root = own_town.root
    own_town.open(tmp_path / "trust")
    files = [
        *(own_town.mirror / "metadata").iterdir(),
        *(f for f in (tmp_path / "trust").rglob("*") if f.is_file()),
    ]
    refused = 0
    for turn in range(400):
        file = sorted(files)[turn % len(files)]
        whole = file.read_bytes()
        at = rng.randrange(len(whole))
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        try:
            own = file.is_relative_to(tmp_path / "trust")
            opened = Roster(own_town.mirror, tmp_path / ("trust" if own else f"trust-{turn}"), root)
            assert opened.person("X1") == PEOPLE["X1"]
            assert opened.version == 1
        except RosterRefused:
            refused += 1
        file.write_bytes(whole)
    assert refused > 100
    assert own_town.open(tmp_path / "trust").person("S1") == PEOPLE["S1"]


@pytest.mark.parametrize("harm", ["truncated", "longer", "empty", "missing", "directory"])
def test_a_harmed_shard_refuses_its_own_people_and_no_other(
    own_town: Town, tmp_path: Path, harm: str
) -> None:
    roster = own_town.open(tmp_path / "trust")
    shard = shard_of(own_town, "S1")
    elsewhere = next(subject for subject in PEOPLE if shard_of(own_town, subject) != shard)
    whole = shard.read_bytes()
    shard.unlink()
    if harm == "directory":
        shard.mkdir()
    elif harm != "missing":
        shard.write_bytes({"truncated": whole[:-1], "longer": whole + b"\n", "empty": b""}[harm])
    with pytest.raises(RosterRefused) as caught:
        roster.person("S1")
    missing = harm in ("missing", "directory")
    assert caught.value.reason is (Reason.ROSTER_MISSING if missing else Reason.ROSTER_ALTERED)
    assert roster.person(elsewhere) == PEOPLE[elsewhere]


def test_swapped_shards_are_refused(own_town: Town, tmp_path: Path) -> None:
    roster = own_town.open(tmp_path / "trust")
    one = shard_of(own_town, "S1")
    other = next(path for path in one.parent.iterdir() if path != one)
    aside = tmp_path / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    with pytest.raises(RosterRefused, match=r"roster\.swapped"):
        roster.person("S1")


def test_an_older_mirror_is_refused_once_a_newer_was_opened_even_after_a_restart(
    town: Town, tmp_path: Path
) -> None:
    newer = town.copy(tmp_path / "newer")
    newer.publish(NEWCOMER)
    trust = tmp_path / "trust"
    assert newer.open(trust).person("N1") == NEWCOMER
    assert refusal(town, trust) is Reason.ROSTER_ROLLED_BACK
    assert town.open(tmp_path / "fresh").person("N1") is None
    assert newer.open(trust).version == 2


def test_a_suspension_takes_effect_with_the_version_that_carries_it(own_town: Town, tmp_path: Path) -> None:
    before = own_town.open(tmp_path / "trust")
    own_town.publish(Person("S1", "张伟", PersonKind.STUDENT, Status.SUSPENDED))
    after = own_town.open(tmp_path / "trust").person("S1")
    assert after is not None
    assert after.status is Status.SUSPENDED
    assert before.person("S1") == PEOPLE["S1"]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root", "recent"])
def test_expired_metadata_of_any_role_is_refused(
    tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(publish._EXPIRES, role, -1)
    assert refusal(found_town(tmp_path / "town"), tmp_path / "trust") is Reason.ROSTER_EXPIRED


def test_an_open_roster_expires_at_its_second_and_not_before(roster: Roster) -> None:
    roster.check_expiry(roster.expires_at - timedelta(seconds=1))
    with pytest.raises(RosterRefused) as caught:
        roster.check_expiry(roster.expires_at)
    assert caught.value.reason is Reason.ROSTER_EXPIRED


def test_a_roster_of_another_root_is_refused(town: Town, tmp_path: Path) -> None:
    stranger = Repository(tmp_path / "stranger", tmp_path / "keys")
    stranger.create()
    assert refusal(town, tmp_path / "trust", stranger.root) is Reason.ROSTER_WRONG_KEYS


@pytest.mark.parametrize("root", [b"", b"{}", b"not json", b"[" * 100_000])
def test_a_root_that_is_none_is_refused(town: Town, tmp_path: Path, root: bytes) -> None:
    with pytest.raises(RosterRefused):
        Roster(town.mirror, tmp_path / "trust", root)


def test_unsigned_metadata_is_refused(own_town: Town, tmp_path: Path) -> None:
    file = own_town.mirror / "metadata" / "timestamp.json"
    metadata = Metadata.from_file(str(file))
    metadata.signatures.clear()
    file.write_bytes(metadata.to_bytes())
    assert refusal(own_town, tmp_path / "trust") is Reason.ROSTER_ALTERED


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize("harm", ["truncated", "empty", "directory", "endless"])
def test_harmed_metadata_is_refused(own_town: Town, tmp_path: Path, name: str, harm: str) -> None:
    file = own_town.mirror / "metadata" / name
    whole = file.read_bytes()
    file.unlink()
    if harm == "directory":
        file.mkdir()
    elif harm == "endless":
        file.symlink_to("/dev/zero")
    else:
        file.write_bytes(whole[: len(whole) // 2] if harm == "truncated" else b"")
    reason = Reason.ROSTER_OVERSIZE if harm == "endless" else Reason.ROSTER_ALTERED
    assert refusal(own_town, tmp_path / "trust") is reason


def test_a_mirror_that_was_never_downloaded_is_missing(town: Town, tmp_path: Path) -> None:
    with pytest.raises(RosterRefused) as caught:
        Roster(tmp_path / "nothing", tmp_path / "trust", town.root)
    assert caught.value.reason is Reason.ROSTER_MISSING


@pytest.mark.parametrize("name", ["policy.json", "manifest.json"])
def test_a_missing_policy_or_manifest_is_refused_at_once(own_town: Town, tmp_path: Path, name: str) -> None:
    next(path for path in targets(own_town) if path.name.endswith(name)).unlink()
    assert refusal(own_town, tmp_path / "trust") is Reason.ROSTER_MISSING


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "root", "root_history/1.root"])
@pytest.mark.parametrize("empty", [False, True])
def test_trusted_metadata_that_a_power_cut_took_is_had_again_from_the_mirror(
    own_town: Town, tmp_path: Path, name: str, empty: bool
) -> None:
    own_town.open(tmp_path / "trust")
    lost = tmp_path / "trust" / f"{name}.json"
    lost.write_bytes(b"") if empty else lost.unlink()
    assert own_town.open(tmp_path / "trust").person("S1") == PEOPLE["S1"]


def test_a_trust_directory_that_cannot_be_used_is_a_refusal(town: Town, tmp_path: Path) -> None:
    (tmp_path / "trust").write_text("a file in its place")
    with pytest.raises(RosterRefused):
        town.open(tmp_path / "trust")


def test_a_policy_that_is_none_is_refused_though_it_is_signed(own_town: Town, tmp_path: Path) -> None:
    own_town.publish(policy=Policy.model_construct(pulse_seconds=-1.0, places={}))  # made without validation
    assert refusal(own_town, tmp_path / "trust") is Reason.POLICY_MISSING


def test_a_relative_mirror_opens_too(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(town.directory)
    assert Roster(Path("tuf"), tmp_path / "trust", town.root).person("S1") == PEOPLE["S1"]


@settings(max_examples=30)
@given(st.integers(-3, 25))
def test_a_manifest_with_impossible_shards_is_none(bits: int) -> None:
    issuer = compressed(new_p256().public_key()).hex()
    data = f'{{"bits":{bits},"people":1,"issuers":["{issuer}"]}}'
    if 0 <= bits <= 20:
        assert Manifest.parse(data.encode()).bits == bits
    else:
        with pytest.raises(ValueError, match="bits"):
            Manifest.parse(data.encode())


def test_a_place_with_every_default_survives_publication(own_town: Town, tmp_path: Path) -> None:
    policy = Policy(places={"x": Place(name_zh="甲", name_en="A")}, pulse_seconds=0.5)
    assert own_town.publish(policy=policy) == 2
    assert own_town.open(tmp_path / "trust").policy() == policy
