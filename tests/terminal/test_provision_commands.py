"""`provision` and `factory reset`: a blank machine becomes one terminal, and a blank machine again."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.control import ControlServer, Events
from config.keys import public_pem
from config.settings import Settings, load_settings
from config.single import Single
from terminal.cli import init
from terminal.console import accounts, reset
from terminal.console.accounts import Accounts, Cost
from terminal.console.client import ConsoleClient, ConsoleRefused, Replies
from terminal.console.client_line import LineError
from terminal.console.provision_commands import COMMANDS
from terminal.console.reset import ResetUnfinished, begin_reset, finish_reset, reset_path
from terminal.install import TrustBundle, install
from terminal.journal import Journal
from terminal.provision import trust
from terminal.receipt import Receipt
from tests.terminal.console_peer import Console, Machine
from tests.terminal.world import RECORD_KEY

URL = "https://central.school.example"
BUNDLE = TrustBundle(URL, b'{"root": 1}', public_pem(RECORD_KEY.public_key()))
TRUST = Replies(offer=("trust.json", BUNDLE.dump().encode()))


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """scrypt with the least memory: what is tested here is not how slow it is."""
    monkeypatch.setattr(Accounts.__init__, "__defaults__", (Cost(2, 1, 1),))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", COMMANDS)


@pytest.fixture
def console(machine: Machine) -> Iterator[Console]:
    with machine.plug() as console:
        yield console


@pytest.fixture
def client(console: Console) -> Iterator[ConsoleClient]:
    client = ConsoleClient(console.port)
    client.synchronise()
    yield client
    client.close()


def secret(text: str) -> Replies:
    return Replies(secret=lambda _question: text)


def provisioned(client: ConsoleClient, name: str = "g-1") -> dict[str, Any]:
    answer = client.do(f"provision {name} gate", TRUST)
    client.do("provision done", secret(answer["password"]))
    return answer


def logged_in(client: ConsoleClient, answer: dict[str, Any]) -> ConsoleClient:
    client.exit()
    client.synchronise()
    client.login_with_password(answer["account"], answer["password"])
    return client


def test_a_blank_machine_becomes_a_terminal_once_its_password_is_given_back(
    machine: Machine, client: ConsoleClient
) -> None:
    answer = client.do("provision g-1 gate", TRUST)
    assert (answer["device"], answer["place"], answer["account"]) == ("g-1", "gate", "admin")
    assert "BEGIN PUBLIC KEY" in answer["public_key"]
    assert not machine.settings_path.exists()
    assert client.do("provision done", secret(answer["password"])) == {"device": "g-1", "place": "gate"}
    settings = load_settings(machine.settings_path)
    assert trust(settings).root == BUNDLE.root
    assert Accounts(settings.keys / accounts.FILE).verify("admin", answer["password"])
    assert [path.name for path in machine.settings_path.parent.glob("campusgate.*")] == ["campusgate.toml"]
    assert machine.recorded == [("provision", {"device": "g-1", "place": "gate"})]


def test_a_person_can_copy_the_public_key_into_a_file(client: ConsoleClient) -> None:
    answer = client.do("provision g-1 gate", TRUST)
    [command] = (command for command in COMMANDS if command.name == "provision")
    assert command.render
    screen = "\n".join(command.render(answer))
    assert answer["public_key"] in f"{screen}\n"
    assert answer["password"] in screen
    assert "campusgate central register g-1 g-1.pem" in screen


def test_a_password_that_nobody_gives_back_never_counts(machine: Machine, client: ConsoleClient) -> None:
    first = client.do("provision g-1 gate", TRUST)
    for wrong in ("", "guess", first["account"]):
        with pytest.raises(ConsoleRefused, match="not the password shown last"):
            client.do("provision done", secret(wrong))
    second = client.do("provision g-1 gate", TRUST)
    assert first["password"] != second["password"]
    assert first["public_key"] == second["public_key"]  # it is the same machine
    with pytest.raises(ConsoleRefused, match="not the password"):
        client.do("provision done", secret(first["password"]))
    assert not machine.settings_path.exists()
    client.do("provision done", secret(second["password"]))
    assert machine.settings_path.exists()


def test_another_name_or_another_central_starts_over_with_new_keys(
    machine: Machine, client: ConsoleClient
) -> None:
    first = client.do("provision g-1 gate", TRUST)
    other = TrustBundle(URL, b'{"root": 2}', BUNDLE.central_key_pem)
    second = client.do("provision g-1 gate", Replies(offer=("t", other.dump().encode())))
    assert first["public_key"] == second["public_key"]
    third = client.do("provision g-2 gate", TRUST)
    assert third["public_key"] != second["public_key"]
    client.do("provision done", secret(third["password"]))
    settings = load_settings(machine.settings_path)
    assert (settings.device.name, trust(settings).root) == ("g-2", BUNDLE.root)


def test_nothing_is_finished_that_was_not_begun(client: ConsoleClient) -> None:
    with pytest.raises(ConsoleRefused, match="`provision NAME PLACE` first"):
        client.do("provision done")


@pytest.mark.parametrize(
    ("words", "offered", "why"),
    [
        ("G-1 gate", None, "device.name: 'G-1' is not allowed"),
        ("g-1 ../x", None, r"device.place: '../x' is not allowed"),
        ("g-1 gate", "{}", "is not what `campusgate central trust` writes"),
        ("g-1 gate", "x" * 70_000, "at most 65536"),
        ("g-1", BUNDLE.dump(), "PLACE is missing"),
    ],
)
def test_what_is_wrong_is_named_and_leaves_a_blank_machine(
    machine: Machine, client: ConsoleClient, words: str, offered: str | None, why: str
) -> None:
    before = sorted(machine.settings_path.parent.rglob("*"))
    with pytest.raises((ConsoleRefused, ValueError), match=why):
        client.do(f"provision {words}", Replies(offer=("trust.json", offered.encode()) if offered else None))
    assert sorted(machine.settings_path.parent.rglob("*")) == before
    provisioned(client)


def test_a_terminal_is_not_provisioned_again(machine: Machine, client: ConsoleClient) -> None:
    logged_in(client, provisioned(client))
    before = machine.settings_path.read_bytes()
    for line in ("provision g-2 gate", "provision done"):
        with pytest.raises(ConsoleRefused, match="`factory reset NAME`"):
            client.do(line, TRUST)
    assert machine.settings_path.read_bytes() == before


def test_the_keys_of_a_terminal_whose_settings_are_lost_are_not_taken_over(
    machine: Machine, client: ConsoleClient
) -> None:
    provisioned(client)
    keys = load_settings(machine.settings_path).keys
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    machine.settings_path.unlink()
    with pytest.raises(ConsoleRefused, match="the keys of a terminal are here"):
        client.do("provision g-2 gate")  # refused before it asks for a file
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_who_gives_it_up_and_uses_the_shell_gets_a_password_that_counts(
    machine: Machine, client: ConsoleClient, tmp_path: Path
) -> None:
    first = client.do("provision g-1 gate", TRUST)
    (tmp_path / "trust.json").write_text(BUNDLE.dump(), "utf-8")
    state = machine.settings_path.parent / "state"
    options = ["--settings", str(machine.settings_path), "--trust", str(tmp_path / "trust.json")]
    named = ["--name", "g-1", "--place", "gate", "--state", str(state)]
    done = CliRunner().invoke(init, [*options, *named])
    assert done.exit_code == 0, done.output
    password = done.stderr.partition("password: ")[2].split()[0]
    staff = Accounts(load_settings(machine.settings_path).keys / accounts.FILE)
    assert staff.verify("admin", password)
    assert staff.verify("admin", first["password"]) is None
    assert sorted(path.name for path in machine.settings_path.parent.glob("campusgate.*")) == [
        "campusgate.toml"
    ]


class Stop(BaseException):
    """A power failure."""


class PowerFailure:
    """Stops the process' work just before the `nth` change of a file below `directory` from now on.

    An audit hook of the interpreter (PEP 578) sees every change; it stays and is harmless once it was used.
    """

    EVENTS = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "shutil.rmtree")

    def __init__(self, directory: Path, nth: int) -> None:
        self._directory, self._left, self.struck = str(directory), nth, False
        self._armed = True
        sys.addaudithook(self._hook)

    def end(self) -> None:
        """From now on the power stays."""
        self._armed = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed or threading.current_thread() is not threading.main_thread():
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 1
        if not (event in self.EVENTS or writes):
            return
        self._left -= 1
        if self._left < 0:
            self._armed, self.struck = False, True
            raise Stop


def until_it_went_through(act: Callable[[int], bool]) -> int:
    """Call `act` with 0, 1, 2 ... until it says that no power failure came; how many came."""
    nth = 0
    while act(nth):
        nth += 1
        assert nth < 500
    return nth


def made(directory: Path) -> tuple[Path, Settings]:
    """A terminal as it is after a while, without the time it takes."""
    path = directory / "campusgate.toml"
    directory.mkdir()
    trust_file = directory / "trust.json"
    trust_file.write_text(BUNDLE.dump(), "utf-8")
    extra = '\n[storage]\nstate = "state"\nrun = "run"\n'
    install(path, name="g-1", place="gate", trust_file=trust_file, extra=extra)
    settings = load_settings(path)
    (directory / "factory.toml").write_text(extra, "utf-8")
    (directory / "campusgate.history").mkdir()
    for name in ("000001.toml", "unconfirmed.json"):
        (directory / "campusgate.history" / name).write_text("", "utf-8")
    (settings.roster / "targets").mkdir(parents=True)
    (settings.roster / "targets" / "shard").write_bytes(b"people")
    for name in ("journal.db", "journal.db-wal", "receipt.json", "terminal.lock", "sync.lock"):
        (settings.state / name).write_bytes(b"")
    return path, settings


def left_over(path: Path) -> list[str]:
    """What a reset must not leave, by path."""
    kept = {"factory.toml", "trust.json", "state", "state/terminal.lock", "state/sync.lock"}
    files = (str(file.relative_to(path.parent)) for file in path.parent.rglob("*"))
    return [file for file in files if file not in kept]


def test_a_reset_that_a_power_failure_cut_off_goes_on_when_the_console_starts(tmp_path: Path) -> None:
    def cut_off(nth: int) -> bool:
        path, _ = made(tmp_path / str(nth))
        failure = PowerFailure(path.parent, nth)
        try:
            begin_reset(path)
            finish_reset(path)
        except Stop:
            pass
        finally:
            failure.end()
        if path.exists():  # before the settings went aside: nothing happened
            assert not finish_reset(path)
            assert load_settings(path).keys.exists()
            begin_reset(path)
        finish_reset(path)
        assert left_over(path) == []
        assert not finish_reset(path)
        return failure.struck

    assert until_it_went_through(cut_off) > 10


def test_a_setup_that_a_power_failure_cut_off_may_be_done_again(tmp_path: Path) -> None:
    from terminal.console.setup_draft import SetupDraft

    def cut_off(nth: int) -> bool:
        directory = tmp_path / str(nth)
        machine = Machine(directory, COMMANDS)
        trust_file = tmp_path / "trust.json"
        trust_file.write_text(BUNDLE.dump(), "utf-8")
        known: list[str | None] = []
        failure = PowerFailure(directory, nth)
        try:
            known = [SetupDraft(machine.settings_path).begin("g-1", "gate", trust_file).password]
            SetupDraft(machine.settings_path).finish()
        except Stop:
            pass
        finally:
            failure.end()
        if not machine.settings_path.exists():
            known = [SetupDraft(machine.settings_path).begin("g-1", "gate", trust_file).password]
            SetupDraft(machine.settings_path).finish()
        settings = load_settings(machine.settings_path)
        assert Accounts(settings.keys / accounts.FILE).verify("admin", known[0] or "")
        return failure.struck

    assert until_it_went_through(cut_off) > 10


def with_records(settings: Settings, records: int, *, through: int) -> None:
    """A journal of `records` records, of which central has the first `through`."""
    (settings.state / "journal.db").unlink(missing_ok=True)
    held = trust(settings)
    journal = Journal(
        settings.journal, device="g-1", central_key=held.central_key, state_key=held.state_key, place="gate"
    )
    journal.close()
    import sqlite3

    db = sqlite3.connect(settings.journal)
    db.execute("update head set sequence = ?", [records])
    db.commit()
    db.close()
    Receipt(through).save(settings.receipt)


def typed(name: str) -> Replies:
    return Replies(ask=lambda _question, _answers: name)


def test_a_reset_makes_a_blank_machine_that_can_be_another_terminal(
    machine: Machine, client: ConsoleClient
) -> None:
    logged_in(client, provisioned(client))
    settings = load_settings(machine.settings_path)
    answer = client.do("factory reset g-1 discard-records", typed("g-1"))
    assert answer["was"] == "g-1"
    assert "NEW name" in answer["next"]
    assert machine.recorded[-1] == ("factory reset", {"device": "g-1", "discard_records": True})
    assert {path.name for path in settings.state.iterdir()} == {"terminal.lock", "sync.lock"}
    client.exit()
    assert not client.synchronise().provisioned
    provisioned(client, "g-2")


@pytest.mark.parametrize(
    ("line", "reply", "why"),
    [
        ("factory reset g-2 discard-records", "g-2", "this terminal is g-1"),
        ("factory reset g-1 discard-records", "no", "nothing was done"),
        ("factory reset g-1 everything", "g-1", "discard-records or nothing"),
        ("factory reset", "g-1", "NAME is missing"),
    ],
)
def test_a_reset_is_guarded(machine: Machine, client: ConsoleClient, line: str, reply: str, why: str) -> None:
    logged_in(client, provisioned(client))
    with pytest.raises(ConsoleRefused, match=why):
        client.do(line, typed(reply))
    assert machine.settings_path.exists()
    assert [action for action, _ in machine.recorded] == ["provision"]


def test_records_that_central_lacks_are_not_given_up_unasked(machine: Machine, client: ConsoleClient) -> None:
    logged_in(client, provisioned(client))
    with_records(load_settings(machine.settings_path), 5, through=3)
    with pytest.raises(ConsoleRefused, match="2 records wait that central lacks"):
        client.do("factory reset g-1", typed("g-1"))
    assert machine.settings_path.exists()
    Receipt(9, "ab" * 32).save(load_settings(machine.settings_path).receipt)  # of a journal that is gone
    with pytest.raises(ConsoleRefused, match="5 records wait that central lacks"):
        client.do("factory reset g-1", typed("g-1"))
    client.do("factory reset g-1 discard-records", typed("g-1"))
    assert not machine.settings_path.exists()


def test_central_has_the_record_of_the_reset_before_it_is_done(
    machine: Machine, client: ConsoleClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_in(client, provisioned(client))
    settings = load_settings(machine.settings_path)
    with_records(settings, 3, through=3)
    with pytest.raises(ConsoleRefused, match="central does not have the record of this reset"):
        client.do("factory reset g-1", typed("g-1"))
    assert machine.settings_path.exists()

    def recorded_and_sent(action: str) -> None:
        if action == "factory reset":
            with_records(settings, 4, through=4)

    monkeypatch.setattr(machine, "on_record", recorded_and_sent)
    client.do("factory reset g-1", typed("g-1"))
    assert not machine.settings_path.exists()


def test_a_running_terminal_is_made_to_end_before_its_state_is_wiped(tmp_path: Path) -> None:
    path, settings = made(tmp_path / "m")
    held = [Single(settings.state, process) for process in ("terminal", "sync")]
    ended: list[str] = []

    def restart(process: str, lock: Single) -> Callable[[Any], dict[str, Any]]:
        def handler(_request: Any) -> dict[str, Any]:
            assert not path.exists()  # or it would come again
            assert settings.keys.exists()
            threading.Timer(0.05, lock.close).start()
            ended.append(process)
            return {}

        return handler

    servers = [
        ControlServer(settings.socket(process), {"restart": restart(process, lock)}, Events())
        for process, lock in zip(("terminal", "sync"), held, strict=True)
    ]
    begin_reset(path)
    assert finish_reset(path)
    for server in servers:
        server.close()
    assert ended == ["terminal", "sync"]
    assert not settings.keys.exists()


def test_nothing_is_wiped_under_a_terminal_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset, "_STOPPED_WITHIN", 0.0)
    path, settings = made(tmp_path / "m")
    held = Single(settings.state, "sync")
    begin_reset(path)
    with pytest.raises(ResetUnfinished, match="goes on by itself"):
        finish_reset(path)
    assert settings.keys.exists()
    assert reset_path(path).exists()
    Single(settings.state, "terminal").close()  # the other lock was given back
    held.close()
    assert finish_reset(path)


def test_a_line_that_is_lost_after_the_name_was_typed_keeps_no_reset_from_ending(machine: Machine) -> None:
    with machine.plug() as console:
        client = ConsoleClient(console.port)
        client.synchronise()
        answer = provisioned(client)
        client.close()
    settings = load_settings(machine.settings_path)
    # greeting, login, its answer, the command, what it says, the question, the name: the answer finds no line
    with machine.plug(cut_after=7) as console:
        client = ConsoleClient(console.port)
        client.synchronise()
        client.login_with_password(answer["account"], answer["password"])
        with pytest.raises(LineError):
            client.do("factory reset g-1 discard-records", typed("g-1"))
        client.close()
    assert not machine.settings_path.exists()
    assert left_over(machine.settings_path) == []
    assert not settings.keys.exists()


def test_an_unfinished_reset_is_finished_before_the_machine_is_anything_else(
    machine: Machine, client: ConsoleClient
) -> None:
    first = provisioned(client)
    begin_reset(machine.settings_path)
    second = provisioned(client, "g-2")
    assert first["public_key"] != second["public_key"]
    assert json.dumps(second).count("g-2") >= 1
    assert not reset_path(machine.settings_path).exists()
