"""site.toml: what a laptop sets terminals up from, refused with the line that says what to put right."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.errors import SettingsError
from config.keys import public_pem
from terminal.console.site_file import Site, read_site
from terminal.console.site_ledger import Progress, SiteLedger
from terminal.install import TrustBundle

GOOD = """
trust = "trust.json"
[settings.camera]
width = 1920
height = 1080
[settings.central]
timeout = 20.0
[[terminal]]
name = "north-gate-1"
place = "north-gate"
[[terminal]]
name = "south-gate-1"
place = "south-gate"
settings.camera.width = 640
settings.relay.pin = 22
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    bundle = TrustBundle("https://c.example", b"root", public_pem(X25519PrivateKey.generate().public_key()))
    (tmp_path / "trust.json").write_text(bundle.dump(), "utf-8")
    return tmp_path


def site(directory: Path, text: str) -> Site:
    path = directory / "site.toml"
    path.write_text(text, "utf-8")
    return read_site(path)


def test_a_terminal_has_what_all_have_and_what_it_alone_has(directory: Path) -> None:
    found = site(directory, GOOD)
    assert found.url == "https://c.example"
    assert found.trust == (directory / "trust.json").read_bytes()
    north, south = found.terminals
    assert north.settings == {"camera.width": 1920, "camera.height": 1080, "central.timeout": 20.0}
    assert south.settings == {**north.settings, "camera.width": 640, "relay.pin": 22}
    assert found.terminal("south-gate-1") == south
    assert found.terminal("east") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("width = 1920", "width = 1"), r"site.toml: terminal north-gate-1: camera.width: 1 is not allowed"),
        (("width = 1920", "wide = 1"), "camera.wide: unknown key; allowed here: "),
        (("pin = 22", 'pin = "x"'), r"terminal south-gate-1: relay.pin: 'x' is not allowed"),
        (("pin = 22", "pin = 22\nsettings.inputs.tamper = 22"), "each needs its own"),
        (("settings.camera]", "settings.lidar]"), "lidar: unknown key"),
        (("south-gate-1", "north-gate-1"), "north-gate-1: is there twice"),
        (("south-gate-1", "South"), r"terminal.1.name: 'South' is not allowed"),
        (('place = "north-gate"', ""), "terminal.0.place: is missing; it is the policy's name"),
        (('trust = "trust.json"', ""), "trust: is missing; it is the file that"),
        (("trust.json", "other.json"), r"site\.toml: trust: .*other\.json: cannot be read: No such file"),
        (("trust.json", "site.toml"), "site.toml: is not what `campusgate central trust` writes"),
        (("timeout = 20.0", 'url = "https://x.example"'), "central.url: is not set here: it comes from"),
        (("[settings.camera]", '[settings.device]\nname = "x"\n[settings.camera]'), "stand in its own"),
        (("relay.pin = 22", 'storage.state = "x"'), "storage.state: is not set here"),
        (("width = 1920", "width ="), "is not TOML"),
        ((GOOD, 'trust = "trust.json"\nterminal = []\n'), "terminal"),
        ((GOOD, "trust = 1"), "trust: 1 is not allowed"),
    ],
)
def test_what_is_wrong_is_named(directory: Path, change: tuple[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        site(directory, GOOD.replace(*change))


def test_a_site_that_is_not_there_or_is_not_text_is_named(directory: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_site(directory / "site.toml")
    (directory / "site.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        read_site(directory / "site.toml")


def test_the_ledger_knows_how_far_each_terminal_is_after_a_restart(directory: Path) -> None:
    north, south = site(directory, GOOD).terminals
    ledger = SiteLedger(directory / "out")
    assert ledger.progress(north) is Progress.WAITING
    ledger.begin(north.name, "PEM", "admin", 'a "b",c')
    ledger.begin(south.name, "PEM2", "admin", "d")
    ledger.finish(north)
    again = SiteLedger(directory / "out")
    assert [again.progress(one) for one in (north, south)] == [Progress.DONE, Progress.BEGUN]
    assert again.password(north.name) == ("admin", 'a "b",c')
    assert again.public_key(south.name) == "PEM2"
    changed = site(directory, GOOD.replace("1920", "1280")).terminals
    assert [again.progress(one) for one in changed] == [Progress.CHANGED, Progress.BEGUN]


def test_nobody_else_reads_the_passwords(directory: Path) -> None:
    ledger = SiteLedger(directory / "out")
    for password in ("a", "b"):
        ledger.begin("north-gate-1", "PEM", "admin", password)
        assert (directory / "out" / "passwords.csv").stat().st_mode & 0o777 == 0o600
    assert SiteLedger(directory / "out").password("north-gate-1") == ("admin", "b")


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("passwords.csv", b"name;password\n"),
        ("passwords.csv", b"terminal,account,password\nnorth-gate-1,admin\n"),
        ("passwords.csv", b"\xff"),
        ("passwords.csv", b""),
        ("progress.json", b"{"),
    ],
)
def test_a_damaged_ledger_is_named_and_never_overwritten(directory: Path, name: str, damaged: bytes) -> None:
    (directory / name).write_bytes(damaged)
    with pytest.raises(SettingsError, match=name):
        SiteLedger(directory)
    assert (directory / name).read_bytes() == damaged
