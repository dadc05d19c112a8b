"""Provisioning: a machine becomes one terminal, holds no key but its own, and stays that terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.errors import KeyFileError, SettingsError
from config.keys import parse_public, public_pem
from config.settings import Settings, load_settings, parse_settings
from terminal.events import FIRST_DIGEST
from terminal.install import TrustBundle, install
from terminal.provision import device_key, provision, trust
from terminal.receipt import Receipt
from tests.terminal.world import RECORD_KEY

CENTRAL = public_pem(RECORD_KEY.public_key())
BUNDLE = TrustBundle("https://central.school.example", b'{"root": 1}', CENTRAL)
TEXT = """
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "https://central.school.example"
[storage]
state = "state"
run = "run"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse_settings(TEXT, source="test", base=tmp_path)


@pytest.fixture
def provisioned(settings: Settings) -> Settings:
    provision(settings, central_key_pem=CENTRAL, root=b"root")
    return settings


def test_a_provisioned_terminal_trusts_what_it_was_given(settings: Settings) -> None:
    pem = provision(settings, central_key_pem=CENTRAL, root=b"root")
    trusted = trust(settings)
    assert trusted.root == b"root"
    assert trusted.central_key.public_bytes_raw() == RECORD_KEY.public_key().public_bytes_raw()
    assert len(trusted.state_key) == 32
    public = parse_public(pem, Ed25519PublicKey, source="test")
    public.verify(device_key(settings).sign(b"batch"), b"batch")


def test_a_second_provisioning_changes_nothing(provisioned: Settings) -> None:
    before = {path.name: path.read_bytes() for path in provisioned.keys.iterdir()}
    central_key = before["central-records.pub.pem"].decode()
    provision(provisioned, central_key_pem=central_key, root=before["root.json"])
    assert {path.name: path.read_bytes() for path in provisioned.keys.iterdir()} == before


def test_a_terminal_is_not_handed_to_another_central_unasked(provisioned: Settings) -> None:
    before = {path.name: path.read_bytes() for path in provisioned.keys.iterdir()}
    other = public_pem(X25519PrivateKey.generate().public_key())
    for key, root in ((other, before["root.json"]), (before["central-records.pub.pem"].decode(), b"newer")):
        with pytest.raises(KeyFileError, match="trusts another central"):
            provision(provisioned, central_key_pem=key, root=root)
    assert {path.name: path.read_bytes() for path in provisioned.keys.iterdir()} == before


def test_two_terminals_share_no_secret(tmp_path: Path) -> None:
    machines = [parse_settings(TEXT, source="test", base=tmp_path / name) for name in ("a", "b")]
    keys = {provision(machine, central_key_pem=CENTRAL, root=b"root") for machine in machines}
    assert len(keys | {trust(machine).state_key.hex() for machine in machines}) == 4


def test_nobody_else_may_read_the_keys(provisioned: Settings) -> None:
    assert provisioned.keys.stat().st_mode & 0o777 == 0o700
    files = list(provisioned.keys.iterdir())
    assert len(files) == 4
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_a_stolen_terminal_holds_no_key_but_its_own(provisioned: Settings) -> None:
    private = [file.name for file in provisioned.keys.iterdir() if b"PRIVATE" in file.read_bytes()]
    assert private == ["device.pem"]
    with pytest.raises(KeyFileError):
        provision(provisioned, central_key_pem=public_pem(device_key(provisioned).public_key()), root=b"root")


@pytest.mark.parametrize(
    "pem", ["", "junk", "校园", public_pem(Ed25519PrivateKey.generate().public_key()), CENTRAL[:-40]]
)
def test_a_central_key_of_another_kind_is_refused_before_anything_is_written(
    settings: Settings, pem: str
) -> None:
    with pytest.raises(KeyFileError, match="central's record key"):
        provision(settings, central_key_pem=pem, root=b"root")
    assert not settings.keys.exists()


@pytest.mark.parametrize("name", ["state.key", "root.json", "central-records.pub.pem"])
def test_a_missing_part_of_the_trust_is_named(provisioned: Settings, name: str) -> None:
    (provisioned.keys / name).unlink()
    with pytest.raises(KeyFileError, match=name):
        trust(provisioned)


@pytest.mark.parametrize("data", [b"", b"k" * 31, b"k" * 33])
def test_a_state_key_of_the_wrong_length_is_refused(provisioned: Settings, data: bytes) -> None:
    (provisioned.keys / "state.key").write_bytes(data)
    with pytest.raises(KeyFileError, match="32 bytes"):
        trust(provisioned)


def test_a_device_key_that_others_may_read_is_refused(provisioned: Settings) -> None:
    (provisioned.keys / "device.pem").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        device_key(provisioned)


def test_a_machine_that_was_never_provisioned_says_so(settings: Settings) -> None:
    with pytest.raises(KeyFileError, match="campusgate terminal init"):
        trust(settings)
    with pytest.raises(KeyFileError, match="provision this machine first"):
        device_key(settings)


def installed(tmp_path: Path, **changes: str) -> Path:
    bundle, path = tmp_path / "trust.json", tmp_path / "terminal" / "campusgate.toml"
    bundle.write_text(BUNDLE.dump())
    wanted = {
        "name": "north-gate-1",
        "place": "north-gate",
        "extra": '[storage]\nstate = "state"\n',
    } | changes
    install(path, trust_file=bundle, **wanted)
    return path


def test_an_installation_reads_back_as_the_terminal_it_was_made_for(tmp_path: Path) -> None:
    settings = load_settings(installed(tmp_path))
    assert (settings.device.name, settings.device.place) == ("north-gate-1", "north-gate")
    assert settings.central.url == BUNDLE.url
    assert trust(settings).root == BUNDLE.root


def test_an_installation_may_be_repeated_but_not_as_another_terminal(tmp_path: Path) -> None:
    path = installed(tmp_path)
    before = path.read_bytes()
    assert installed(tmp_path) == path
    with pytest.raises(SettingsError, match="already north-gate-1"):
        installed(tmp_path, name="south-gate-1")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"url": "https://a", "root": "?", "record_key": ""}']
)
def test_a_file_that_is_no_trust_bundle_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.json").write_text(text)
    with pytest.raises(SettingsError, match="campusgate central trust"):
        TrustBundle.load(tmp_path / "trust.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"through": 5}',
        b'{"through": -1, "digest": ""}',
        b'{"through": true, "digest": 5}',
        b'{"through": 1, "digest": "zz"}',
        b'{"through": "5", "digest": "' + b"0" * 64 + b'"}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_receipt_is_the_empty_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "receipt.json").write_bytes(data)
    assert Receipt.load(tmp_path / "receipt.json") == Receipt(0, FIRST_DIGEST)


def test_a_receipt_whose_number_the_disk_altered_is_the_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    Receipt(17, "ab" * 32).save(path)
    path.write_text(path.read_text().replace("17", "97", 1))
    assert Receipt.load(path) == Receipt()


def test_a_receipt_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    Receipt(7, "ab" * 32).save(tmp_path / "receipt.json")
    assert Receipt.load(tmp_path / "receipt.json") == Receipt(7, "ab" * 32)
    assert Receipt.load(tmp_path / "none") == Receipt()
