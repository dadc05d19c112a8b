"""Settings that nobody confirmed come back where no console runs any more: the terminal sees to it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.control import ControlServer, Events
from config.settings import load_settings
from config.settings_history import SettingsHistory
from terminal.console.reverting import Reverting
from terminal.console.staff import Station
from terminal.events import MAINTENANCE
from terminal.journal_reader import JournalReader
from terminal.records import unseal
from tests.sim.processes import wait_until
from tests.terminal.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.end(signal.SIGTERM)


def history(desk: Desk) -> SettingsHistory:
    return SettingsHistory(desk.campus.settings_file)


def commits(desk: Desk, new: str, old: str = "") -> bytes:
    """Commit the settings with `new` for `old` or at their end, to be confirmed; what they were before."""
    before = desk.campus.settings_file.read_text("utf-8")
    after = before.replace(old, new) if old else before + new
    history(desk).commit_confirmed(after, "li.wei", 5)
    return before.encode()


def time_passes(desk: Desk) -> None:
    """The time to confirm is over."""
    marker = history(desk).directory / "unconfirmed.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"deadline": 0.0}))


def reverts(desk: Desk) -> list[dict[str, object]]:
    """The records of it in the journal."""
    key = desk.campus.site.record_key()
    events = JournalReader(desk.settings.journal).after(0, records=10_000, size=10**8)
    found = [unseal(event, key) for event in events if event.type == MAINTENANCE]
    return [one for one in found if one["action"] == "revert"]


def test_a_running_terminal_brings_them_back_begins_anew_with_them_and_records_it(desk: Desk) -> None:
    desk.start()
    before = commits(desk, "\n[indicators]\ngreen = 5\n")
    assert not wait_until(lambda: desk.campus.settings_file.read_bytes() == before, 2.5)
    begun = desk.status()
    time_passes(desk)
    assert wait_until(lambda: desk.campus.settings_file.read_bytes() == before, 30)
    assert wait_until(lambda: history(desk).unconfirmed() is None, 30)
    assert begun
    assert wait_until(lambda: len(reverts(desk)) == 1, 30), desk.log
    [record] = reverts(desk)
    assert (record["user"], record["details"]) == ("campusgate", {"line": "terminal", "version": 3})
    assert desk.process
    assert desk.process.poll() is None  # the same process, which has become itself again
    assert desk.log.count("is running") == 2


def test_settings_with_which_it_does_not_start_are_brought_back_when_it_is_started_again(desk: Desk) -> None:
    before = commits(desk, 'driver = "none-such"', 'driver = "simulated"')
    desk.start(expected=False)
    assert desk.process
    assert desk.process.wait(30) != 0
    assert "none-such" in desk.log
    time_passes(desk)
    desk.start()
    assert desk.campus.settings_file.read_bytes() == before
    assert wait_until(lambda: len(reverts(desk)) == 1, 30), desk.log


def test_what_cannot_be_brought_back_is_said_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    commits(desk, "\n[indicators]\ngreen = 5\n")
    (history(desk).directory / "unconfirmed.json").write_text("{")
    reverting = Reverting(Station(desk.campus.settings_file, None, "test"))
    for _ in range(3):
        reverting.look()
    assert caplog.text.count("cannot be brought back") == 1
    assert "`confirm` keeps what is in force" in caplog.text


def test_nothing_that_goes_wrong_ends_what_brings_settings_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = commits(desk, "\n[indicators]\ngreen = 5\n")
    time_passes(desk)
    reverting = Reverting(Station(desk.campus.settings_file, None, "test"))

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("something that nobody thought of")

    with monkeypatch.context() as patched:
        patched.setattr(SettingsHistory, "revert_if_due", fails)
        reverting.look()
    reverting.look()
    assert desk.campus.settings_file.read_bytes() == before


def test_processes_whose_sockets_moved_with_the_settings_are_told_where_they_are(desk: Desk) -> None:
    """Else they would go on by settings that are no longer in force."""
    text = desk.campus.settings_file.read_text("utf-8")
    before = commits(desk, text.replace('run = "."', 'run = "elsewhere"'), text)
    elsewhere = load_settings(desk.campus.settings_file).socket("terminal")
    assert elsewhere.parent.name == "elsewhere"
    told: list[str] = []

    def restart(_: object) -> dict[str, object]:
        told.append("restart")
        return {}

    with closing(ControlServer(elsewhere, {"restart": restart}, Events())):
        time_passes(desk)
        Reverting(Station(desk.campus.settings_file, None, "test")).look()
    assert desk.campus.settings_file.read_bytes() == before
    assert told == ["restart"]
