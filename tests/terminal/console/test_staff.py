"""Whose a machine is, and who is in: with settings gone, accounts removed, and a stranger who never stops."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings_history import SettingsHistory
from terminal.console import accounts, staff
from terminal.console.accounts import Accounts
from terminal.console.audit import Audit
from terminal.console.catalogue import Catalogue
from terminal.console.command import Refused, installed
from terminal.console.reset import begin_reset
from terminal.console.roles import Role
from terminal.console.session import User
from terminal.console.setup_draft import SetupDraft
from terminal.console.staff import StaffSession, Station
from tests.sim.campus import Campus, build
from tests.terminal.console.scripted import ScriptedLine


@pytest.fixture
def campus(tmp_path: Path) -> Campus:
    return build(tmp_path, seed=2, link_url="http://127.0.0.1:9")


def console_of(path: Path) -> Station:
    """What a console that begins now is."""
    return Station(path, Catalogue(installed()), "near")


@pytest.fixture
def station(campus: Campus) -> Station:
    return console_of(campus.settings_file)


def recorded(campus: Campus, action: str) -> list[dict[str, Any]]:
    """The details of what waits for the journal."""
    files = sorted((campus.settings.state / "console").glob("[0-9]*.json"))
    entries = [json.loads(file.read_bytes()) for file in files]
    return [entry["details"] for entry in entries if entry["action"] == action]


def test_settings_that_go_while_a_console_runs_make_no_machine_anybodys(
    campus: Campus, station: Station
) -> None:
    station.settings()
    campus.settings_file.unlink()
    assert station.provisioned


def test_settings_that_were_gone_before_make_no_machine_anybodys_while_it_has_versions_of_them(
    campus: Campus,
) -> None:
    SettingsHistory(campus.settings_file).commit(campus.settings_file.read_text() + "\n# newer\n", "li")
    campus.settings_file.unlink()
    assert console_of(campus.settings_file).provisioned
    assert console_of(campus.settings_file).settings().device.name == "north-gate-1"


def test_settings_that_lead_nowhere_are_broken_and_not_missing(campus: Campus) -> None:
    campus.settings_file.rename(campus.settings_file.with_name("elsewhere.toml"))
    campus.settings_file.symlink_to("a-disk-that-is-not-there/campusgate.toml")
    assert console_of(campus.settings_file).provisioned


def test_a_machine_without_settings_keys_or_versions_is_blank(tmp_path: Path) -> None:
    assert not console_of(tmp_path / "campusgate.toml").provisioned


def test_a_machine_that_is_being_reset_is_blank(campus: Campus, station: Station) -> None:
    station.settings()
    begin_reset(campus.settings_file)
    assert not station.provisioned


def test_a_machine_whose_setting_up_was_not_finished_is_blank(
    tmp_path: Path, campus: Campus, station: Station
) -> None:
    station.settings()
    campus.settings_file.unlink()
    assert station.provisioned
    marker = campus.settings_file.with_name(f"{campus.settings_file.name}.setup")
    marker.write_text("{}")
    assert SetupDraft(campus.settings_file).begun
    assert not station.provisioned


def session_of(station: Station, user: User) -> StaffSession:
    return StaffSession(station, user, ScriptedLine())


def test_whoever_is_removed_gives_no_further_command(campus: Campus, station: Station) -> None:
    staff_here = Accounts(campus.settings.keys / accounts.FILE)
    staff_here.add("wang.fang", Role.ADMIN)
    staff_here.add("li.wei", Role.ADMIN)
    session = session_of(station, User("li.wei", Role.ADMIN, "password"))
    session.run("show uptime")
    staff_here.remove("li.wei")
    with pytest.raises(Refused, match=r"li\.wei: was removed or has another role now; log in again"):
        session.run("account add li.wei2 admin")
    assert [account.name for account in staff_here.all()] == ["admin", "wang.fang"]


def test_whoever_has_another_role_now_logs_in_again(campus: Campus, station: Station) -> None:
    staff_here = Accounts(campus.settings.keys / accounts.FILE)
    for name in ("li.wei", "wang.fang"):
        staff_here.add(name, Role.ADMIN)
    session = session_of(station, User("li.wei", Role.ADMIN, "password"))
    staff_here.set_role("li.wei", Role.OBSERVE)
    with pytest.raises(Refused, match="another role"):
        session.run("show uptime")


def test_whoever_came_in_by_key_needs_no_account(station: Station) -> None:
    assert session_of(station, User("zhao", Role.MAINTAIN, "key")).run("show uptime")


def test_accounts_that_are_damaged_keep_nobody_from_mending_them(campus: Campus, station: Station) -> None:
    (campus.settings.keys / accounts.FILE).write_text("[")
    assert session_of(station, User("li.wei", Role.ADMIN, "password")).run("show uptime")


def test_a_stranger_who_never_stops_fills_no_journal(
    campus: Campus, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(staff, "time", SimpleNamespace(monotonic=lambda: clock.now))
    attempts = 3600
    for _ in range(attempts):
        station.denied("name or password is wrong")
        clock.now += 1.0
    found = recorded(campus, "denied")
    assert 10 <= len(found) <= 10 + attempts / 60 + 1
    clock.now += 3600.0
    station.hand_over()
    assert sum(details.get("times", 1) for details in recorded(campus, "denied")) == attempts


def test_two_who_mistype_are_two_records(campus: Campus, station: Station) -> None:
    for why in ("name or password is wrong", "the response is too old"):
        station.denied(why)
    assert [details["why"] for details in recorded(campus, "denied")] == [
        "name or password is wrong",
        "the response is too old",
    ]


def test_a_card_that_fails_does_not_end_the_thread_that_hands_over(
    campus: Campus, station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> list[str]:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Audit, "_names", fails)
        for _ in range(3):
            station.hand_over()
    assert caplog.text.count("Input/output error") == 1
    station.hand_over()
