"""What staff did waits durably until a terminal takes it, each entry once, whatever happens between."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.control import ControlServer, Events
from config.settings import Settings, parse_settings
from hw.clock import SystemClock
from terminal.console.audit import Audit
from terminal.console.roles import Role
from terminal.console.session import User

LI = User("li", Role.ADMIN, "password")
CLOCK = SystemClock(trust="system")
TEXT = """
device = { name = "g1", place = "gate" }
central = { url = "https://c.example" }
storage = { state = "state", run = "." }
"""


class Journal:
    """Answers the op "record" as a terminal does."""

    def __init__(self) -> None:
        self.entries: list[Mapping[str, Any]] = []
        self.refuse: set[str] = set()
        self.lose_answer = False

    def record(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        known = {entry["id"] for entry in self.entries}
        good = [entry for entry in request["entries"] if entry["action"] not in self.refuse]
        self.entries += [entry for entry in good if entry["id"] not in known]
        if self.lose_answer:
            raise OSError("the power fails before the answer is sent")
        bad = [entry["id"] for entry in request["entries"] if entry["action"] in self.refuse]
        return {
            "recorded": [entry["id"] for entry in good],
            "refused": [{"id": one, "error": "no such action"} for one in bad],
        }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse_settings(TEXT, source="test", base=tmp_path)


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    made = Journal()
    server = ControlServer(settings.socket("terminal"), {"record": made.record}, Events())
    yield made
    server.close()


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "state" / "console")


def actions(journal: Journal) -> list[str]:
    return [entry["action"] for entry in journal.entries]


def test_entries_reach_the_journal_in_order(audit: Audit, settings: Settings, journal: Journal) -> None:
    for number in range(120):
        audit.add(LI, "s1", f"step {number}", {"n": number}, CLOCK)
    assert audit.hand_over(settings) == 0
    assert actions(journal) == [f"step {number}" for number in range(120)]
    first = journal.entries[0]
    assert (first["user"], first["role"], first["via"], first["session"]) == ("li", "admin", "password", "s1")
    assert first["trusted"] is True


def test_without_a_terminal_they_wait_for_the_next_console(tmp_path: Path, settings: Settings) -> None:
    directory = tmp_path / "state" / "console"
    Audit(directory).add(LI, "s1", "login", {}, CLOCK)
    assert Audit(directory).hand_over(settings) == 1
    assert [oct(file.stat().st_mode)[-3:] for file in directory.iterdir()] == ["600"]


def test_an_answer_that_is_lost_costs_nothing(audit: Audit, settings: Settings, journal: Journal) -> None:
    audit.add(LI, "s1", "login", {}, CLOCK)
    journal.lose_answer = True
    assert audit.hand_over(settings) == 1
    journal.lose_answer = False
    assert audit.hand_over(settings) == 0
    assert actions(journal) == ["login"]


def test_what_is_refused_holds_nothing_up(audit: Audit, settings: Settings, journal: Journal) -> None:
    journal.refuse = {"dance"}
    for action in ("login", "dance", "logout"):
        audit.add(LI, "s1", action, {}, CLOCK)
    assert audit.hand_over(settings) == 0
    assert actions(journal) == ["login", "logout"]


def test_a_damaged_file_is_set_aside(
    tmp_path: Path, audit: Audit, settings: Settings, journal: Journal
) -> None:
    audit.add(LI, "s1", "login", {}, CLOCK)
    (tmp_path / "state" / "console" / "0-x.json").write_bytes(b'{"id": "')
    assert audit.hand_over(settings) == 0
    assert actions(journal) == ["login"]
    assert [file.name for file in (tmp_path / "state" / "console").iterdir()] == ["0-x.json.damaged"]


def test_a_disk_that_takes_nothing_keeps_no_entry_from_the_journal(
    tmp_path: Path, settings: Settings, journal: Journal
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "console").write_text("a file in the directory's place")
    audit = Audit(tmp_path / "state" / "console")
    audit.add(LI, "s1", "login", {}, CLOCK)
    assert audit.hand_over(settings) == 0
    assert actions(journal) == ["login"]


def test_failed_logins_do_not_fill_the_disk(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.console.audit._MOST_DENIED", 3)
    for _ in range(10):
        audit.add(LI, "", "denied", {}, CLOCK)
    audit.add(LI, "s1", "login", {}, CLOCK)
    kept = [json.loads(file.read_bytes()) for file in (tmp_path / "state" / "console").iterdir()]
    assert sorted(entry["action"] for entry in kept) == ["denied", "denied", "denied", "login"]


def test_the_name_of_a_file_that_is_no_text_keeps_no_entry_away(
    tmp_path: Path, settings: Settings, journal: Journal
) -> None:
    audit = Audit(tmp_path / "console")
    audit.add(LI, "s1", "roster import", {"file": os.fsdecode(b"\xb1\xb1.roster")}, CLOCK)
    (file,) = (tmp_path / "console").glob("*.json")
    assert file.read_bytes().decode("utf-8")
    assert audit.hand_over(settings) == 0
    assert journal.entries[0]["details"] == {"file": "??.roster"}
