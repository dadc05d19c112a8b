"""The terminal process under command: what it does, shows and remembers, killed at the worst instant too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sync.central.store import Store
from terminal.events import COMMAND
from terminal.journal import JournalReader
from terminal.orders import Command, Do
from terminal.records import unseal
from tests.sim.die_at import Step
from tests.sim.processes import wait_until
from tests.terminal.desk import Desk

DEVICE = "north-gate-1"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


def order(desk: Desk, do: Do) -> Command:
    """Issue a command and let it reach the terminal's disk."""
    store = Store(desk.campus.site.database_url)
    issued = store.orders.issue(DEVICE, do, 600)
    desk.campus.site.publish_orders(store)
    store.close()
    desk.deliver_roster()
    return issued


def told(desk: Desk) -> list[tuple[str, str]]:
    """What to do and outcome of every command's record."""
    events = JournalReader(desk.settings.journal).after(0, records=1000, size=10**8)
    key = desk.campus.site.record_key()
    said: list[dict[str, Any]] = [unseal(event, key) for event in events if event.type == COMMAND]
    return [(one["do"], one["outcome"]) for one in said]


def test_a_lockdown_is_on_the_screen_and_holds_through_a_kill_until_it_is_released(desk: Desk) -> None:
    desk.deliver_roster()
    desk.plug_camera()
    desk.start()
    assert desk.says(camera="live", fault="")
    before = desk.screen()
    order(desk, Do.LOCKDOWN)
    assert desk.says(fault="gate.lockdown")
    assert wait_until(lambda: not np.array_equal(desk.screen(), before), 30)
    assert desk.present()["reasons"] == ["gate.lockdown"]
    desk.process.kill()
    desk.process.wait()
    desk.start()
    assert desk.says(camera="live", fault="gate.lockdown")
    assert desk.present()["reasons"] == ["gate.lockdown"]
    order(desk, Do.RELEASE)
    assert desk.says(fault="")
    assert desk.present()["verdict"] == "allow"
    assert told(desk) == [("lockdown", "done"), ("release", "done")]


@pytest.mark.parametrize(
    ("step", "recorded", "opened"),
    [
        (Step("terminal.journal:Journal.append", after=False), 0, True),
        (Step("terminal.portal:Portal.open_for", after=False), 1, False),
        (Step("terminal.portal:Portal.open_for", after=True), 1, False),
    ],
    ids=["before the record", "between record and relay", "after the relay"],
)
def test_killed_between_record_and_relay_an_unlock_is_never_done(
    desk: Desk, step: Step, recorded: int, opened: bool
) -> None:
    """Killed before the record it is done at the next start, and never twice."""
    order(desk, Do.UNLOCK)
    settings = ["terminal", "run", "--settings", str(desk.campus.settings_file)]
    dying = subprocess.run([sys.executable, *step.command(settings)], timeout=60, check=False)
    assert dying.returncode == -9
    assert told(desk) == [("unlock", "done")] * recorded
    desk.start()
    # Commands are looked at in order: when this one's record is there, the unlock was looked at again.
    order(desk, Do.DIAGNOSTICS)
    assert wait_until(lambda: len(told(desk)) == 2, 30)
    assert told(desk) == [("unlock", "done"), ("diagnostics", "done")]
    assert (": unlock: done" in desk.log) == opened
