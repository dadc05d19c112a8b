"""`campusgate central`, `roster` and `code`, as a school's staff type them."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import cv2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import new_p256, public_pem
from hw.frame import Frame
from sync.central.mint import personal_code
from sync.central.site import Site
from sync.central.store import Store
from terminal.codes import compressed, parse, verify
from terminal.console.login import Login
from terminal.install import install
from terminal.scanner import read_picture
from tests.sync.world import campusgate

URL = "https://central.school.example"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "central")
    made.create(URL)
    return made


def good(*arguments: str, cwd: Path | None = None) -> str:
    done = campusgate(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def refused(*arguments: str, cwd: Path | None = None) -> str:
    """The error of a command that must fail, after checking that it is no traceback."""
    done = campusgate(*arguments, cwd=cwd)
    assert done.returncode in (1, 2), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_init_makes_a_central_that_keeps_its_secrets_and_will_not_be_made_twice(tmp_path: Path) -> None:
    directory = tmp_path / "central"
    assert "ready" in good("central", "init", "--dir", str(directory), "--url", URL)
    for secret in (directory / "keys").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600
    before = {f: f.read_bytes() for f in (directory / "keys").iterdir()}
    assert "a key is already here" in refused("central", "init", "--dir", str(directory), "--url", URL)
    assert {f: f.read_bytes() for f in (directory / "keys").iterdir()} == before


def test_trust_prints_what_a_terminal_can_be_made_from_and_nothing_secret(site: Site, tmp_path: Path) -> None:
    text = good("central", "trust", "--dir", str(site.directory))
    bundle = json.loads(text)
    assert bundle["url"] == URL
    assert base64.b64decode(bundle["root"]) == site.repository.root
    assert "PRIVATE" not in text
    (tmp_path / "trust.json").write_text(text, "utf-8")
    made = install(
        tmp_path / "t" / "gate.toml",
        name="g-1",
        place="gate",
        trust_file=tmp_path / "trust.json",
        extra='[storage]\nstate = "state"\n',
    )
    (tmp_path / "g-1.pem").write_text(made.public_key, "utf-8")
    good("central", "register", "g-1", str(tmp_path / "g-1.pem"), "--dir", str(site.directory))
    store = Store(site.database_url)
    assert [public_pem(key) for key in store.devices.keys("g-1")] == [made.public_key]
    store.close()


def test_register_refuses_a_bad_name_and_a_bad_key(site: Site, tmp_path: Path) -> None:
    pem = tmp_path / "k.pem"
    pem.write_text(public_pem(Ed25519PrivateKey.generate().public_key()), "utf-8")
    assert "lower-case letters" in refused("central", "register", "G 1", str(pem), "-d", str(site.directory))
    for bad in (b"nonsense", b"\xff\xfe", public_pem(new_p256().public_key()).encode()):
        pem.write_bytes(bad)
        assert "campusgate: " in refused("central", "register", "g-1", str(pem), "-d", str(site.directory))


@pytest.mark.parametrize(
    "words",
    [("central", "trust"), ("roster", "publish"), ("code", "pass", "V-1", "--kind", "card", "--hours", "1")],
)
def test_where_there_is_no_central_one_line_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    error = refused(*words, cwd=tmp_path)
    assert error.startswith("campusgate: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "central").exists()


def test_people_are_taken_in_and_published(site: Site, tmp_path: Path) -> None:
    point = compressed(new_p256().public_key()).hex()
    people = tmp_path / "people.csv"
    rows = ["sub,name,kind,status,key", f"S1,张伟,student,,{point}", "V-1,Li Wei,visitor,suspended,"]
    people.write_text("\ufeff" + "\r\n".join(rows) + "\r\n", "utf-8")
    for _ in range(2):  # taken in again, they are replaced
        assert "2 people" in good("roster", "import", str(people), "--dir", str(site.directory))
    assert "version 1 " in good("roster", "publish", "--dir", str(site.directory))
    assert "version 2 " in good("roster", "publish", "--dir", str(site.directory))
    store = Store(site.database_url)
    assert [(p.subject, p.name, str(p.status), [k.hex() for k in p.keys]) for p in store.people()] == [
        ("S1", "张伟", "active", [point]),
        ("V-1", "Li Wei", "suspended", []),
    ]
    store.close()


BAD_LINES = {
    "S 1,A,student,,": "sub: 'S 1' is not allowed",
    ",A,student,,": "sub: '' is not allowed",
    "S1,,student,,": "name: is missing",
    "S1,A,pupil,,": "kind: 'pupil' is not allowed: one of student, staff, worker, visitor",
    "S1,A": "kind: '' is not allowed",
    "S1,A,student,gone,": "status: 'gone' is not allowed: one of active, suspended",
    "S1,A,student,,xyz": "key: 'xyz' is not a compressed P-256 point",
    "S1,A,student,,00ff": "key: '00ff' is not a compressed P-256 point",
    "OK,Twin,student,,": "sub: 'OK' is in line 2 already",
}


def test_every_bad_line_is_named_with_number_and_reason_and_nobody_is_taken_in(
    site: Site, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("\n".join(["sub,name,kind,status,key", "OK,A,student,,", *BAD_LINES]), "utf-8")
    error = refused("roster", "import", str(people), "--dir", str(site.directory))
    for number, reason in enumerate(BAD_LINES.values(), start=3):
        assert f"people.csv:{number}: {reason}" in error
    store = Store(site.database_url)
    assert list(store.people()) == []
    store.close()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "column kind, name, sub is missing"),
        (b"sub,name\nS1,A\n", "column kind is missing"),
        (b"sub,name,kind\n", "has nobody in it"),
        ("sub,name,kind\nS1,张,student\n".encode("utf-16"), "not CSV text in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_people_is_said_to_be_so(
    data: bytes, said: str, site: Site, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(data)
    assert said in refused("roster", "import", str(people), "--dir", str(site.directory))


def test_a_policy_that_is_wrong_is_not_published_and_the_key_is_named(site: Site) -> None:
    policy = site.directory / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("37.3", '"hot"'), "utf-8")
    assert "thermal.fever: 'hot'" in refused("roster", "publish", "--dir", str(site.directory))
    assert not (site.directory / "tuf" / "metadata" / "timestamp.json").exists()


def test_a_printed_pass_is_read_by_the_terminal_and_verifies(site: Site, tmp_path: Path) -> None:
    picture = tmp_path / "v.png"
    options = ["--kind", "visitor", "--hours", "8", "--place", "north-gate", "--out", str(picture)]
    text = good("code", "pass", "V-0412", *options, "--dir", str(site.directory)).strip()
    (read,) = read_picture(Frame(cv2.imread(str(picture)), time.monotonic(), 0))
    assert read == text
    code = verify(parse(text), site.issuer_key().public_key())
    assert (code.subject, str(code.pass_kind), code.places) == ("V-0412", "visitor", ("north-gate",))
    assert code.expires_at is not None
    assert code.not_before is not None
    assert code.expires_at - code.not_before == 8 * 3600
    shown = json.loads(good("code", "show", text))
    assert (shown["kind"], shown["claims"]["sub"], shown["verified"]) == ("pass", "V-0412", False)


def test_show_reads_a_personal_code_and_refuses_what_is_none() -> None:
    shown = json.loads(good("code", "show", personal_code(new_p256(), "S1", 1_793_000_000)))
    assert (shown["kind"], shown["claims"]["iat"]) == ("personal", 1_793_000_000)
    for text in ("https://example.org", "CC1:", "CC1:%%%"):
        assert "code." in refused("code", "show", text)


def test_the_maintenance_key_is_made_once_and_its_public_half_handed_to_terminals(site: Site) -> None:
    assert "maintenance_key" not in json.loads(good("central", "trust", "--dir", str(site.directory)))
    made = campusgate("central", "maintenance-key", "--dir", str(site.directory))
    private = site.directory / "keys" / "maintenance.pem"
    assert made.returncode == 0
    assert str(private) in made.stderr
    assert private.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in made.stdout + made.stderr
    private.unlink()  # to a laptop
    assert good("central", "maintenance-key", "--dir", str(site.directory)) == made.stdout
    trusted = json.loads(good("central", "trust", "--dir", str(site.directory)))
    assert trusted["maintenance_key"] == made.stdout
    assert not private.exists()


def test_without_a_central_there_is_no_maintenance_key(tmp_path: Path) -> None:
    error = refused("central", "maintenance-key", "--dir", str(tmp_path / "none"))
    assert "campusgate central init" in error


def test_init_shows_the_password_once_beside_the_key(site: Site, tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_text(good("central", "trust", "--dir", str(site.directory)), "utf-8")
    line = f"terminal init --settings {tmp_path}/gate.toml --name g-1 --place gate"
    words = f"{line} --trust {tmp_path}/trust.json --state {tmp_path}/state".split()
    first, again = campusgate(*words), campusgate(*words)
    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout == again.stdout
    assert first.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    shown = re.search(r"console login: admin {2}password: (\S+)", first.stderr)
    assert shown
    login = Login(tmp_path / "state" / "keys", "g-1")
    assert login.password("admin", shown[1]).name == "admin"
    assert "console login" not in again.stderr
