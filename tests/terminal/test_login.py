"""Logging in at the console, from provisioning to the commands about accounts, and all that is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config.keys import public_pem
from config.settings import Settings, load_settings
from terminal.console import account_commands, command
from terminal.console.account_commands import COMMANDS
from terminal.console.accounts import Accounts, AccountsError, Cost
from terminal.console.attempts import LOCKED, LOCKED_EVERY
from terminal.console.challenge import Challenge
from terminal.console.command import Answer, Refused
from terminal.console.login import Login, LoginRefused
from terminal.console.response import Response, sign_response
from terminal.console.roles import Role
from terminal.console.session import User
from terminal.install import Installed, TrustBundle, install
from tests.terminal.test_provision import BUNDLE

KEY = Ed25519PrivateKey.generate()
OWN = "rain on the roof of the hall"
CHEAP = Cost(2, 1, 1)
ADMIN = User("admin", Role.ADMIN, "password")


@dataclass
class Gate:
    """A terminal as it was just provisioned, whose seconds a test decides."""

    made: Installed
    settings: Settings
    now: float = 5000.0

    @property
    def password(self) -> str:
        assert self.made.password is not None
        return self.made.password

    def login(self) -> Login:
        """The login of a console that was just started."""
        return Login(self.settings.keys, self.settings.device.name, uptime=lambda: self.now)


def provisioned(directory: Path, *, key: Ed25519PrivateKey | None = KEY) -> Gate:
    pem = public_pem(key.public_key()) if key else None
    bundle = TrustBundle(BUNDLE.url, BUNDLE.root, BUNDLE.central_key_pem, pem)
    (directory / "trust.json").write_text(bundle.dump())
    path = directory / "campusgate.toml"
    named = {"name": "north-gate-1", "place": "north-gate", "extra": '[storage]\nstate = "state"\n'}
    made = install(path, trust_file=directory / "trust.json", **named)
    return Gate(made, load_settings(path))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return provisioned(tmp_path)


def answer(login: Login, key: Ed25519PrivateKey = KEY, role: Role = Role.ADMIN) -> str:
    text = login.challenge()
    assert text is not None
    shown = Challenge.parse(text)
    return sign_response(Response(shown.device, shown.nonce, "Li Wei", role), key)


def test_provisioning_makes_one_password_and_shows_it_once(tmp_path: Path) -> None:
    gate = provisioned(tmp_path)
    assert gate.login().password("admin", gate.password) == User("admin", Role.ADMIN, "password")
    before = {path.name: path.read_bytes() for path in gate.settings.keys.iterdir()}
    again = provisioned(tmp_path)
    assert again.made == Installed(gate.made.public_key, "admin", None)
    assert {path.name: path.read_bytes() for path in gate.settings.keys.iterdir()} == before
    assert gate.password not in repr(gate.made)
    assert all(gate.password.encode() not in data for data in before.values())


def test_two_terminals_have_not_one_password(tmp_path: Path) -> None:
    passwords = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        passwords.add(provisioned(tmp_path / name).password)
    assert len(passwords) == 2


def test_a_wrong_password_and_a_wrong_name_are_told_the_same(gate: Gate) -> None:
    with pytest.raises(LoginRefused) as wrong_password:
        gate.login().password("admin", "wrong")
    assert wrong_password.value.wait == 1.0
    gate.now += 1.0
    with pytest.raises(LoginRefused) as wrong_name:
        gate.login().password("nobody", gate.password)
    assert wrong_name.value.wait == 2.0
    assert wrong_password.value.reason == "name or password is wrong; try again in 1 s"
    assert wrong_name.value.reason == "name or password is wrong; try again in 2 s"


def test_the_right_password_is_refused_too_until_the_time_is_over(gate: Gate) -> None:
    with pytest.raises(LoginRefused):
        gate.login().password("admin", "wrong")
    with pytest.raises(LoginRefused, match="too many wrong passwords; try again in 1 s"):
        gate.login().password("admin", gate.password)
    gate.now += gate.login().wait()
    assert gate.login().password("admin", gate.password).name == "admin"
    assert gate.login().wait() == 0.0


def test_while_passwords_are_locked_the_key_still_logs_in(gate: Gate) -> None:
    login = gate.login()
    for _ in range(LOCKED_EVERY):
        gate.now += login.wait()
        with pytest.raises(LoginRefused):
            login.password("admin", "wrong")
    assert login.wait() == LOCKED
    with pytest.raises(LoginRefused, match="try again in 15 minutes"):
        gate.login().password("admin", gate.password)
    assert login.response(answer(login)) == User("Li Wei", Role.ADMIN, "key")
    assert login.wait() == LOCKED


def test_a_response_of_another_console_or_key_is_refused_with_a_reason(gate: Gate) -> None:
    login = gate.login()
    with pytest.raises(LoginRefused, match="the response answers no challenge of this console"):
        login.response(answer(gate.login()))
    with pytest.raises(LoginRefused, match="the response is not signed by the school's maintenance key"):
        login.response(answer(login, Ed25519PrivateKey.generate()))


def test_without_a_maintenance_key_there_is_no_challenge(tmp_path: Path) -> None:
    gate = provisioned(tmp_path, key=None)
    assert gate.login().challenge() is None
    with pytest.raises(LoginRefused, match="this terminal was given no maintenance key"):
        gate.login().response("anything")


def test_a_bundle_with_a_key_gives_it_to_a_terminal_that_had_none(tmp_path: Path) -> None:
    provisioned(tmp_path, key=None)
    login = provisioned(tmp_path).login()
    assert login.response(answer(login)).via == "key"


def test_a_damaged_maintenance_key_lets_nobody_in(gate: Gate) -> None:
    login = gate.login()
    text = answer(login)
    (gate.settings.keys / "maintenance.pub.pem").write_bytes(b"\xff junk")
    with pytest.raises(LoginRefused, match=r"off: .*maintenance\.pub\.pem"):
        login.response(text)


def test_without_accounts_nobody_logs_in_by_password_and_init_makes_one(tmp_path: Path) -> None:
    gate = provisioned(tmp_path)
    (gate.settings.keys / "maintenance.json").unlink()
    with pytest.raises(LoginRefused, match="has no accounts"):
        gate.login().password("admin", gate.password)
    login = gate.login()
    assert login.response(answer(login)).via == "key"
    again = provisioned(tmp_path)
    assert again.password != gate.password
    assert again.login().password("admin", again.password).role is Role.ADMIN


def test_before_provisioning_there_is_nothing_to_log_in_to(tmp_path: Path) -> None:
    login = Login(tmp_path / "none", "north-gate-1")
    assert login.wait() == 0.0
    assert login.challenge() is None
    with pytest.raises(LoginRefused):
        login.password("admin", "admin")


def test_damaged_accounts_let_nobody_in_and_say_what_to_do(gate: Gate) -> None:
    (gate.settings.keys / "maintenance.json").write_text("{}")
    with pytest.raises(LoginRefused, match="campusgate terminal init"):
        gate.login().password("admin", gate.password)


@examples(max_examples=15)
@given(
    name=st.text(max_size=20) | st.just("admin"), password=st.text(max_size=40), seconds=st.floats(0, 2000)
)
def test_whatever_is_typed_there_is_no_login_and_no_other_error(
    gate: Gate, name: str, password: str, seconds: float
) -> None:
    gate.now += seconds
    for attempt in (lambda: gate.login().password(name, password), lambda: gate.login().response(password)):
        with pytest.raises(LoginRefused):
            attempt()


@pytest.mark.parametrize("key", [5, "", "junk", "校园", [], BUNDLE.central_key_pem])
def test_a_bundle_with_a_key_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, key: Any
) -> None:
    (tmp_path / "trust.json").write_text(json.dumps(json.loads(BUNDLE.dump()) | {"maintenance_key": key}))
    with pytest.raises(ValueError, match=r"maintenance|is no text"):
        install(
            tmp_path / "gate.toml",
            name="north-gate-1",
            place="north-gate",
            trust_file=tmp_path / "trust.json",
            extra='[storage]\nstate = "state"\n',
        )
    assert not (tmp_path / "gate.toml").exists()
    assert not (tmp_path / "state" / "keys").exists()


def test_another_maintenance_key_does_not_replace_the_one_that_is_trusted(tmp_path: Path) -> None:
    provisioned(tmp_path)
    with pytest.raises(ValueError, match="trusts another maintenance key"):
        provisioned(tmp_path, key=Ed25519PrivateKey.generate())


def test_old_bundles_without_a_key_are_read_and_written_as_they_were(tmp_path: Path) -> None:
    assert set(json.loads(BUNDLE.dump())) == {"url", "root", "record_key"}
    (tmp_path / "trust.json").write_text(BUNDLE.dump())
    assert TrustBundle.load(tmp_path / "trust.json") == BUNDLE


@dataclass
class Line:
    """The client's side of a session: what is typed where nothing is echoed, in order."""

    secrets: Iterator[str]

    def say(self, text: str) -> None:
        raise AssertionError(text)

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        raise AssertionError((question, answers))

    def secret(self, question: str) -> str:
        assert question.endswith(": ")
        return next(self.secrets)

    def wait(self, seconds: float) -> None:
        raise AssertionError(seconds)

    def receive(self, directory: Path, limit: int) -> Path:
        raise AssertionError((directory, limit))

    def send(self, file: Path) -> None:
        raise AssertionError(file)


@dataclass
class Desk:
    """A session of `user` on the terminal whose settings are in the file."""

    settings_path: Path
    user: User = ADMIN
    line: Line = field(default_factory=lambda: Line(iter(())))

    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    def ask(self, process: str, op: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        raise AssertionError((process, op, timeout, arguments))

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        raise AssertionError((action, details))

    def do(self, line: str, *typed: str) -> Answer:
        """What the command `line` answers."""
        self.line = Line(iter(typed))
        for one in COMMANDS:
            if line.split()[: len(one.words)] == list(one.words):
                return one.run(self, one.arguments(line.split()[len(one.words) :]))
        raise AssertionError(line)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    provisioned(tmp_path)
    # What the commands do costs the same work as at the prompt; a test of what they say need not.
    monkeypatch.setattr(account_commands, "Accounts", lambda path: Accounts(path, CHEAP))
    return Desk(tmp_path / "campusgate.toml")


def test_an_admin_makes_changes_and_removes_accounts(desk: Desk) -> None:
    made = desk.do("account add liwei maintain")
    assert made["account"] == "liwei"
    login = Login(desk.settings().keys, "north-gate-1")
    assert login.password("liwei", made["password"]) == User("liwei", Role.MAINTAIN, "password")
    assert desk.do("account role liwei observe") == {"account": "liwei", "role": "observe"}
    shown = {"name": "liwei", "role": "observe", "password": "made by the terminal"}
    assert shown in desk.do("show accounts")["accounts"]
    new = desk.do("account reset liwei")["password"]
    assert login.password("liwei", new).role is Role.OBSERVE
    assert desk.do("account remove liwei") == {"removed": "liwei"}
    assert [one["name"] for one in desk.do("show accounts")["accounts"]] == ["admin"]


def test_show_accounts_shows_no_secret(desk: Desk) -> None:
    text = json.dumps(desk.do("show accounts"))
    document = json.loads((desk.settings().keys / "maintenance.json").read_bytes())["accounts"][0]
    assert document["salt"] not in text
    assert document["hash"] not in text


@pytest.mark.parametrize(
    "line",
    [
        "account add liwei root",
        "account add Li maintain",
        "account add liwei",
        "account add admin admin",
        "account role nobody admin",
        "account role admin observe",
        "account remove admin",
        "account reset nobody",
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(desk: Desk, line: str) -> None:
    before = desk.do("show accounts")
    with pytest.raises((Refused, AccountsError)):
        desk.do(line)
    assert desk.do("show accounts") == before


def test_everybody_changes_their_own_password(desk: Desk) -> None:
    password = desk.do("account add liwei observe")["password"]
    own = Desk(desk.settings_path, User("liwei", Role.OBSERVE, "password"))
    assert own.do("password", password, OWN, OWN) == {"account": "liwei", "password": "changed"}
    login = Login(desk.settings().keys, "north-gate-1")
    assert login.password("liwei", OWN).name == "liwei"
    assert {one["name"]: one["password"] for one in desk.do("show accounts")["accounts"]}["liwei"] == "chosen"


def test_a_password_is_changed_only_with_the_old_one_and_the_new_one_twice(desk: Desk) -> None:
    password = desk.do("account add liwei observe")["password"]
    own = Desk(desk.settings_path, User("liwei", Role.OBSERVE, "password"))
    with pytest.raises(Refused, match="differ; nothing is changed"):
        own.do("password", password, OWN, OWN + "!")
    with pytest.raises(AccountsError, match="at least 12"):
        own.do("password", password, "short", "short")
    with pytest.raises(Refused, match="name or password is wrong"):
        own.do("password", "wrong", OWN, OWN)
    with pytest.raises(Refused, match="too many wrong passwords"):
        own.do("password", password, OWN, OWN)


def test_who_came_by_key_has_no_password_to_change(desk: Desk) -> None:
    by_key = Desk(desk.settings_path, User("admin", Role.ADMIN, "key"))
    with pytest.raises(Refused, match="account reset"):
        by_key.do("password")


def test_the_commands_are_found_and_their_examples_are_theirs() -> None:
    found = list(command.installed())
    for one in COMMANDS:
        assert one in found
        words = one.example.split()
        assert tuple(words[: len(one.words)]) == one.words
        one.arguments(words[len(one.words) :])
        assert one.changes == (
            (one.role is Role.ADMIN and one.name != "show accounts") or one.name == "password"
        )


def test_what_can_be_typed_next_is_offered(desk: Desk) -> None:
    remove = next(one for one in COMMANDS if one.name == "account role")
    offered = [list(parameter.values(desk)) for parameter in remove.parameters if parameter.values]
    assert offered == [["admin"], ["observe", "maintain", "admin"]]
