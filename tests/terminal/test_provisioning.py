"""A laptop sets up terminals alike, whatever breaks between any two steps; run again it changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.candidate import with_value
from config.candidate_file import CandidateFile
from config.control import ControlServer, Events
from config.keys import parse_public, public_pem, save_private
from config.settings import load_settings
from config.settings_history import SettingsHistory
from terminal.console import accounts, provision_cli
from terminal.console.accounts import Accounts, Cost
from terminal.console.client import ConsoleClient, ConsoleRefused
from terminal.console.client_line import LineError
from terminal.console.provision_cli import provision
from terminal.console.provision_commands import COMMANDS
from terminal.console.provisioning import Outcome, Provisioning, ProvisioningError, Staff
from terminal.console.settings_commands import COMMANDS as SETTINGS_COMMANDS
from terminal.console.site_file import Site, read_site
from terminal.console.site_ledger import Progress, SiteLedger
from terminal.install import TrustBundle
from terminal.provision import device_key
from tests.terminal.console_peer import Machine

URL = "https://c.example"
SITE = """
trust = "trust.json"
settings.camera.width = 1920
[[terminal]]
name = "a-1"
place = "north"
settings.relay.pin = 22
[[terminal]]
name = "b-1"
place = "south"
"""


def commits(machine: Machine) -> list[str]:
    """The comments of the versions that its settings have, but for the first, which is no commit."""
    return [version.comment for version in SettingsHistory(machine.settings_path).versions()[1:]]


class School:
    """A site.toml with two terminals, a directory for its ledger, and machines to become them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        record_key = public_pem(X25519PrivateKey.generate().public_key())
        self.maintenance = Ed25519PrivateKey.generate()
        bundle = TrustBundle(URL, b"root", record_key, public_pem(self.maintenance.public_key()))
        (directory / "trust.json").write_text(bundle.dump(), "utf-8")
        self.write(SITE)
        self.said: list[str] = []

    def write(self, text: str) -> None:
        """Make this the site.toml."""
        (self.directory / "site.toml").write_text(text, "utf-8")

    @property
    def site(self) -> Site:
        """What site.toml says now."""
        return read_site(self.directory / "site.toml")

    @property
    def ledger(self) -> SiteLedger:
        """What is on disk now."""
        return SiteLedger(self.directory / "out")

    def machine(self, name: str = "machine") -> Machine:
        """A blank machine."""
        machine = Machine(self.directory / name, (*COMMANDS, *SETTINGS_COMMANDS))
        machine.maintenance_key = self.maintenance.public_key()
        return machine

    def serve(
        self,
        machine: Machine,
        only: str | None = None,
        staff: Staff | None = None,
        *,
        cut_after: int = 10_000,
    ) -> Outcome:
        """Plug `machine` in and set it up."""
        with machine.plug(cut_after=cut_after) as console:
            client = ConsoleClient(console.port)
            try:
                greeting = client.synchronise()
                return Provisioning(self.site, self.ledger, staff, self.said.append).serve(
                    client, greeting, only
                )
            finally:
                client.close()

    def agrees_with(self, machine: Machine, name: str) -> None:
        """The machine is `name`, and what the laptop has of it is true."""
        settings = load_settings(machine.settings_path)
        account, password = self.ledger.password(name) or ("", "")
        assert settings.device.name == name
        assert Accounts(settings.keys / accounts.FILE).verify(account, password)
        pem = self.ledger.public_key(name) or ""
        ours = parse_public(pem, Ed25519PublicKey, source=name).public_bytes_raw()
        assert ours == device_key(settings).public_key().public_bytes_raw()


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """scrypt with the least memory: what is tested here is not how slow it is."""
    monkeypatch.setattr(Accounts.__init__, "__defaults__", (Cost(2, 1, 1),))


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path / "school")


def test_blank_machines_become_the_terminals_of_the_site_one_after_the_other(school: School) -> None:
    first, second = school.machine("1"), school.machine("2")
    assert school.serve(first) == Outcome(
        "a-1", True, ("camera.width = 1920, was 1280", "relay.pin = 22, was 17")
    )
    assert school.serve(second).name == "b-1"
    school.agrees_with(first, "a-1")
    school.agrees_with(second, "b-1")
    found = load_settings(first.settings_path)
    assert (found.device.place, found.camera.width, found.relay.pin) == ("north", 1920, 22)
    assert commits(first) == ["provision site.toml"]
    assert [school.ledger.progress(one) for one in school.site.terminals] == [Progress.DONE] * 2


def test_the_second_run_changes_nothing(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    before = machine.settings_path.read_bytes()
    assert school.serve(machine) == Outcome("a-1", False, ())
    assert machine.settings_path.read_bytes() == before
    assert len(commits(machine)) == 1


def test_what_site_toml_changed_is_set_in_one_version(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    school.write(SITE.replace("1920", "640").replace('"north"', '"east"'))
    changes = school.serve(machine).changes
    assert changes == ("device.place = 'east', was 'north'", "camera.width = 640, was 1920")
    assert len(commits(machine)) == 2
    assert school.serve(machine).changes == ()


def test_what_somebody_else_began_to_change_is_not_committed(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    school.write(SITE.replace("1920", "640"))
    file = CandidateFile(SettingsHistory(machine.settings_path))
    file.edit(lambda text: with_value(text, "relay.active_high", "false", source="test"), "Li Wei")
    with pytest.raises(ConsoleRefused, match=r"somebody began to change relay.active_high"):
        school.serve(machine)
    assert len(commits(machine)) == 1


def test_what_central_sets_is_left_to_it(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    school.write(SITE.replace("settings.camera.width = 1920", "settings.sync.batch_records = 70"))
    status = {"settings_from_central": {"sync.batch_records": 50}}
    socket = load_settings(machine.settings_path).socket("sync")
    server = ControlServer(socket, {"status": lambda _request: status}, Events())
    assert school.serve(machine).changes == ()
    server.close()
    assert school.serve(machine).changes == ("sync.batch_records = 70, was 1000",)


def test_wherever_the_line_breaks_the_next_run_goes_on_and_the_password_is_known(tmp_path: Path) -> None:
    cuts = 0
    while True:
        school = School(tmp_path / str(cuts))
        machine = school.machine()
        try:
            school.serve(machine, cut_after=cuts)
        except LineError:
            pass
        else:
            break
        # A terminal that is final has a password that the laptop has already.
        if machine.settings_path.exists():
            school.agrees_with(machine, "a-1")
        assert school.serve(machine).name == "a-1"
        school.agrees_with(machine, "a-1")
        assert len(commits(machine)) == 1
        assert load_settings(machine.settings_path).relay.pin == 22
        cuts += 1
        assert cuts < 200
    assert cuts > 20


def test_wherever_the_laptop_dies_the_next_run_goes_on_and_the_password_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terminal.console import site_ledger

    whole: Callable[..., None] = site_ledger.write_atomic
    for at in range(3):  # NAME.pem, passwords.csv, progress.json
        for after in (False, True):
            school = School(tmp_path / f"{at}{after}")
            machine = school.machine()
            writes = 0

            def dying(*arguments: Any, at: int = at, after: bool = after, **named: Any) -> None:
                nonlocal writes
                writes += 1
                if writes == at + 1 and not after:
                    raise KeyboardInterrupt
                whole(*arguments, **named)
                if writes == at + 1:
                    raise KeyboardInterrupt

            monkeypatch.setattr(site_ledger, "write_atomic", dying)
            with pytest.raises(KeyboardInterrupt):
                school.serve(machine)
            monkeypatch.setattr(site_ledger, "write_atomic", whole)
            assert school.serve(machine).name == "a-1"
            school.agrees_with(machine, "a-1")


def begun(school: School, machine: Machine) -> None:
    """Cut the line so that the laptop has the password of a-1 and the terminal may be final or not."""
    for cut in range(100):
        try:
            school.serve(machine, cut_after=cut)
        except LineError:
            if school.ledger.password("a-1"):
                return
    raise AssertionError


def test_a_name_that_was_begun_is_not_given_to_another_machine(school: School) -> None:
    first, second = school.machine("1"), school.machine("2")
    begun(school, first)
    before = school.ledger.password("a-1")
    assert school.serve(second).name == "b-1"
    assert school.ledger.password("a-1") == before
    assert any("begun on another machine" in said for said in school.said)
    assert school.serve(first).name == "a-1"
    school.agrees_with(first, "a-1")
    school.agrees_with(second, "b-1")


def test_a_blank_machine_never_takes_a_name_that_is_another_machine(school: School) -> None:
    first, second, third = (school.machine(name) for name in "123")
    school.serve(first)
    school.serve(second)
    before = (school.ledger.password("a-1"), school.ledger.public_key("a-1"))
    for only in (None, "a-1"):
        with pytest.raises(ProvisioningError, match="this machine is blank"):
            school.serve(third, only)
    assert not third.settings_path.exists()
    assert (school.ledger.password("a-1"), school.ledger.public_key("a-1")) == before


def test_a_terminal_of_another_site_is_refused(school: School, tmp_path: Path) -> None:
    other = School(tmp_path / "other")
    other.write(SITE.replace("a-1", "x-1"))
    stranger = other.machine()
    other.serve(stranger)
    before = stranger.settings_path.read_bytes()
    with pytest.raises(ProvisioningError, match=r"is x-1, which is not in .*site.toml"):
        school.serve(stranger)
    assert stranger.settings_path.read_bytes() == before


def test_a_namesake_of_another_site_is_refused(school: School, tmp_path: Path) -> None:
    other = School(tmp_path / "other")
    namesake = other.machine()
    other.serve(namesake)
    with pytest.raises(ProvisioningError, match="has no password of it"):
        school.serve(namesake)
    school.serve(school.machine())
    with pytest.raises(ProvisioningError, match="another site's terminal of that name"):
        school.serve(namesake)
    text = namesake.settings_path.read_text("utf-8").replace(URL, "https://else.example")
    namesake.settings_path.write_text(text, "utf-8")
    with pytest.raises(ConsoleRefused, match=r"reports to https://else.example, not to https://c.example"):
        other.serve(namesake)


def test_the_wrong_terminal_at_the_line_is_named(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    with pytest.raises(ProvisioningError, match="is a-1, not b-1"):
        school.serve(machine, "b-1")


def test_staff_with_the_maintenance_key_need_no_password(school: School) -> None:
    machine = school.machine()
    school.serve(machine)
    settings = load_settings(machine.settings_path)
    Accounts(settings.keys / accounts.FILE).reset("admin")
    with pytest.raises(ProvisioningError, match="it was changed"):
        school.serve(machine)
    school.write(SITE.replace("1920", "640"))
    assert school.serve(machine, staff=Staff("Li Wei", school.maintenance)).changes
    with pytest.raises(ConsoleRefused, match="not signed by the school's maintenance key"):
        school.serve(machine, staff=Staff("Li Wei", Ed25519PrivateKey.generate()))
    machine.maintenance_key = None
    with pytest.raises(ProvisioningError, match="has no maintenance key"):
        school.serve(machine, staff=Staff("Li Wei", school.maintenance))


def run(school: School, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        provision, [*arguments, "--out", str(school.directory / "out"), str(school.directory / "site.toml")]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit | Exception)
    return done.exit_code, done.output + (str(done.exception) if done.exit_code else "")


def test_the_command_sets_up_one_and_then_has_nothing_to_do(school: School) -> None:
    with school.machine().plug() as console:
        status, output = run(school, "--port", console.port, "--once")
        assert status == 0, output
        assert "a-1: done" in output
        password = (school.ledger.password("a-1") or ("", ""))[1]
        assert password not in output
        status, output = run(school, "--port", console.port, "--name", "a-1")
        assert (status, "a-1: nothing to do" in output) == (0, True)
        assert [line.split() for line in output.splitlines()[:2]] == [
            ["a-1", "north", "done"],
            ["b-1", "south", "waiting"],
        ]


def test_the_command_waits_for_the_next_terminal(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision_cli, "_LOOK_EVERY", 0.01)
    first, second = school.machine("1"), school.machine("2")
    port = school.directory / "port"
    with first.plug() as one, second.plug() as two:
        port.symlink_to(one.port)

        def swap() -> None:
            while school.ledger.progress(school.site.terminals[0]) is not Progress.DONE:
                threading.Event().wait(0.01)
            replacement = school.directory / "next"
            replacement.symlink_to(two.port)
            replacement.replace(port)

        hand = threading.Thread(target=swap)
        hand.start()
        status, output = run(school, "--port", str(port))
        hand.join()
    assert status == 0, output
    assert "1 of 2 to go: unplug a-1 and plug in the next" in output
    assert output.rstrip().endswith("site.toml are done")
    school.agrees_with(first, "a-1")
    school.agrees_with(second, "b-1")
    assert run(school, "--port", "/dev/none")[0] == 0  # all are done: no port is needed


def test_a_dry_run_needs_no_port_and_touches_nothing(school: School) -> None:
    status, output = run(school, "--dry-run")
    assert status == 0
    assert "a-1  north  camera.width = 1920, relay.pin = 22" in output
    assert not (school.directory / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "--port is missing"),
        (("--port", "/dev/none", "--once"), "/dev/none: cannot be opened"),
        (("--port", "/dev/none", "--name", "c-1"), "there are a-1, b-1"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(
    school: School, arguments: tuple[str, ...], why: str
) -> None:
    status, output = run(school, *arguments)
    assert status != 0
    assert why in output


def test_a_key_file_logs_in(school: School) -> None:
    save_private(school.directory / "keys" / "maintenance.pem", school.maintenance)
    key = ("--key", str(school.directory / "keys" / "maintenance.pem"), "--as", "Li Wei")
    with school.machine().plug() as console:
        status, output = run(school, "--port", console.port, "--once", *key)
    assert status == 0, output
