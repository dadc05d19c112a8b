"""`campusgate central register` and `register-all`: a key is taken once, and replaced only when told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import new_p256, public_pem
from sync.central.register_cli import register, register_all
from sync.central.site import Site
from sync.central.store import Store


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "central")
    made.create("https://central.school.example")
    return made


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    directory = tmp_path / "handover"
    directory.mkdir()
    for name in ("a-1", "b-1"):
        (directory / f"{name}.pem").write_text(new_pem(), "utf-8")
    (directory / "passwords.csv").write_text("terminal,account,password\n", "utf-8")
    return directory


def new_pem() -> str:
    return public_pem(Ed25519PrivateKey.generate().public_key())


def run(site: Site, keys: Path, *options: str) -> Result:
    return CliRunner().invoke(register_all, [str(keys), "--dir", str(site.directory), *options])


def registered(site: Site) -> dict[str, list[str]]:
    store = Store(site.database_url)
    try:
        return {name: [public_pem(key) for key in store.devices.keys(name)] for name in store.devices.all()}
    finally:
        store.close()


def test_every_key_is_registered_and_again_changes_nothing(site: Site, keys: Path) -> None:
    done = run(site, keys)
    assert (done.exit_code, done.output) == (0, "a-1: registered\nb-1: registered\n")
    assert registered(site) == {name: [(keys / f"{name}.pem").read_text()] for name in ("a-1", "b-1")}
    again = run(site, keys)
    assert (again.exit_code, again.output.count("is registered already")) == (0, 2)


def test_another_key_for_a_known_name_is_refused_unless_replaced(site: Site, keys: Path) -> None:
    run(site, keys)
    before = registered(site)
    (keys / "a-1.pem").write_text(new_pem(), "utf-8")
    done = run(site, keys)
    assert done.exit_code == 1
    assert "another key is registered as a-1" in done.output
    assert "1 of 2 were refused" in done.output
    assert registered(site) == before
    assert run(site, keys, "--replace").exit_code == 0
    assert registered(site)["a-1"] == [(keys / "a-1.pem").read_text()]


def test_one_key_takes_no_place_of_another_either_unless_told_to(site: Site, keys: Path) -> None:
    def one(file: str, *options: str) -> tuple[int, str]:
        words = ["a-1", str(keys / file), "--dir", str(site.directory), *options]
        done = CliRunner().invoke(register, words)
        return done.exit_code, done.output + str(done.exception)

    assert one("a-1.pem") == (0, "a-1: registered\nNone")
    assert one("a-1.pem") == (0, "a-1: is registered already\nNone")
    status, said = one("b-1.pem")
    assert (status, "another key is registered as a-1" in said) == (1, True)
    assert registered(site)["a-1"] == [(keys / "a-1.pem").read_text()]
    assert one("b-1.pem", "--replace")[0] == 0
    assert registered(site)["a-1"] == [(keys / "b-1.pem").read_text()]


def test_one_bad_file_keeps_no_other_from_being_taken(site: Site, keys: Path) -> None:
    (keys / "A 1.pem").write_text(new_pem(), "utf-8")
    (keys / "a-2.pem").write_text(public_pem(new_p256().public_key()), "utf-8")
    (keys / "a-3.pem").write_bytes(b"\xff")
    store = Store(site.database_url)
    store.register("a-4", new_pem())
    store.devices.revoke("a-4")
    store.close()
    (keys / "a-4.pem").write_text(new_pem(), "utf-8")
    done = run(site, keys)
    assert done.exit_code == 1
    for why in ("no name of a", "another kind", "a-3.pem: cannot be read", "a-4 is revoked", "4 of 6"):
        assert why in done.output
    assert {"a-1", "b-1"} <= registered(site).keys()


def test_a_directory_without_keys_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(site, tmp_path / "empty")
    assert done.exit_code == 2
    assert "there is no NAME.pem in it" in done.output
