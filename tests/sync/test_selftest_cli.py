"""`campusgate central report`: whose report of a self-test it is, and that it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import public_pem
from sync.central.site import Site
from sync.central.store import Store
from terminal.selftest import signed
from tests.sync.world import campusgate

KEY = Ed25519PrivateKey.generate()
REPORT = {
    "device": "north-gate-1",
    "place": "north-gate",
    "at": "2026-11-24T07:30:00.000Z",
    "clock": {"trusted": False, "source": "none"},
    "user": {"name": "li.wei"},
    "results": [
        {"part": "relay", "passed": True, "found": "ok"},
        {"part": "lights", "passed": None, "found": "?"},
    ],
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "central")
    made.create("https://central.school.example")
    store = Store(made.database_url)
    store.register("north-gate-1", public_pem(KEY.public_key()))
    store.close()
    return made


def test_a_report_is_printed_once_its_signature_holds(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "selftest-0001.json"
    file.write_bytes(signed(REPORT, issued_at=1, key=KEY))
    done = campusgate("central", "report", str(file), "--dir", str(site.directory))
    assert done.returncode == 0, done.stderr
    assert "north-gate-1 at north-gate: signed by its registered key" in done.stdout
    assert "clock not trusted (none), by li.wei" in done.stdout
    assert done.stdout.endswith("1 of 2 passed; not told: lights\n")
    done = campusgate("central", "report", str(file), "--json", "--dir", str(site.directory))
    assert json.loads(done.stdout) == REPORT


def test_a_report_that_is_altered_or_of_a_revoked_terminal_is_refused(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "selftest-0001.json"
    file.write_bytes(signed(REPORT, issued_at=1, key=KEY).replace(b"null", b"true"))
    done = campusgate("central", "report", str(file), "--dir", str(site.directory))
    assert (done.returncode, done.stdout) == (1, "")
    assert "it was altered after it was signed" in done.stderr
    file.write_bytes(signed(REPORT, issued_at=1, key=KEY))
    store = Store(site.database_url)
    store.devices.revoke("north-gate-1")
    store.close()
    done = campusgate("central", "report", str(file), "--dir", str(site.directory))
    assert done.returncode == 1
    assert "has no trusted key" in done.stderr
