"""The terminal process under maintenance: asked while it serves, while it hangs, after it was killed."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.control import ask, follow
from config.errors import ControlError, Hung, NotRunning
from config.process_log import last_words, log_file
from sync.central.store import Store
from terminal.events import MAINTENANCE
from terminal.journal import JournalReader
from terminal.orders import Do
from terminal.records import unseal
from tests.sim.die_at import Step
from tests.sim.processes import wait_until
from tests.terminal.console.scripted import ScriptedSession
from tests.terminal.control_document import documented, known_ops
from tests.terminal.desk import Desk

BY = {"user": "li.wei", "role": "maintain", "via": "password", "session": "s-1"}
HANGS = """
import time
from pathlib import Path
from config.cli import main
from terminal.journal import Journal

append = Journal._append  # it is called under the journal's lock

def hang(*arguments):
    if Path({file!r}).exists():
        while True:
            time.sleep(1)
    return append(*arguments)

Journal._append = hang
main()
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


def entry() -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "at": at, "trusted": True, **BY, "action": "commit", "details": {}}


def maintained(desk: Desk) -> list[tuple[str, str]]:
    """Id and action of every record of maintenance."""
    events = JournalReader(desk.settings.journal).after(0, records=1000, size=10**8)
    key = desk.campus.site.record_key()
    found = [unseal(event, key) for event in events if event.type == MAINTENANCE]
    return [(one["record"], one["action"]) for one in found]


def status_command(desk: Desk) -> tuple[int, str]:
    """Exit status and output of `campusgate status`."""
    command = [sys.executable, "-c", "from config.cli import main; main()", "status", "--settings"]
    done = subprocess.run(
        [*command, str(desk.campus.settings_file)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_answers_what_is_documented_says_what_it_logs_and_begins_anew(
    desk: Desk,
) -> None:
    group = grp.getgrgid((os.getgroups() or [os.getgid()])[-1])
    desk.campus.settings_file.write_text(
        desk.campus.settings_file.read_text("utf-8") + f'\n[console]\ngroup = "{group.gr_name}"\n', "utf-8"
    )
    desk.start()
    for file, mode in ((desk.socket, 0o660), (log_file(desk.socket), 0o640),
                       (desk.socket.with_suffix(".alive"), 0o640)):  # fmt: skip
        assert (file.stat().st_mode & 0o777, file.stat().st_gid) == (mode, group.gr_gid)
    assert known_ops(desk.socket) == documented("Ops of both") | documented("Ops of the terminal")
    assert ask(desk.socket, "version", timeout=30)["python"] == ".".join(map(str, sys.version_info[:3]))
    lines = ask(desk.socket, "log", timeout=30, most=500)["lines"]
    assert any("is running; stop with" in line for line in lines)
    assert last_words(desk.socket, 500)[: len(lines)] == lines
    assert desk.screen().shape == (480, 800, 3)
    with contextlib.closing(follow(desk.socket, timeout=30)) as events:
        next(events)
        ask(desk.socket, "lockdown", timeout=30, by=BY, reason="glass")
        logged = (event["line"] for event in events if event["event"] == "log")
        assert any(line.endswith("lockdown by maintenance staff (li.wei)") for line in logged)
    assert wait_until(lambda: ask(desk.socket, "health", timeout=30)["uptime"] >= 1, 30)
    desk.campus.settings_file.write_text(
        desk.campus.settings_file.read_text("utf-8") + "\n[screen]\nwidth = 640\n", "utf-8"
    )
    assert ask(desk.socket, "restart", timeout=30)["restarting"]
    anew = wait_until(lambda: bool(desk.status()) and desk.screen().shape == (480, 640, 3), 30)
    assert anew, desk.log
    assert desk.process.poll() is None, "it is the same process"
    assert maintained(desk)[0][1] == "lockdown"
    assert desk.says(fault="gate.lockdown", seconds=30)


def test_a_gate_that_hangs_in_the_journal_says_so_and_begins_anew_when_told(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "hang"
    desk.start(HANGS.format(file=str(file)))
    pid, session = desk.process.pid, ScriptedSession(desk.campus.settings_file)
    assert wait_until(lambda: desk.status()["journal"] != {}, 30)
    file.touch()
    asked = threading.Thread(target=_try_to_record, args=(desk.socket,))
    asked.start()
    assert wait_until(lambda: ask(desk.socket, "health", timeout=30)["state"] == "hung", 30)
    health = ask(desk.socket, "health", timeout=30)
    assert health["loops"]["gate"] > 5 > health["loops"]["screen"]
    assert ask(desk.socket, "status", timeout=30)["device"] == "north-gate-1"
    with pytest.raises(
        ControlError, match=r"gate's loop is hung since \d\d:\d\d:\d\d UTC \(\d+ s\); nothing"
    ):
        ask(desk.socket, "lockdown", timeout=60, by=BY, reason="glass")
    number, said = status_command(desk)
    assert number == 1
    assert re.search(r"terminal +hung since \S+ \(\d+ s\): its gate loop does not go round", said)
    assert "hung since" in session.give("show status")["processes"]["terminal"]
    file.unlink()
    assert ask(desk.socket, "restart", timeout=30)["restarting"]
    assert wait_until(lambda: _well(desk), 30)
    asked.join()
    assert desk.process.pid == pid
    assert desk.process.poll() is None
    assert any("hangs" in line for line in last_words(desk.socket, 500))
    assert maintained(desk) == []


def _try_to_record(socket: Path) -> None:
    with contextlib.suppress(ControlError):
        ask(socket, "record", timeout=60, entries=[entry()])


def _well(desk: Desk) -> bool:
    with contextlib.suppress(ControlError):
        return bool(ask(desk.socket, "health")["state"] == "well")
    return False


def test_a_stopped_process_is_hung_and_a_killed_one_was_alive_then(desk: Desk) -> None:
    desk.start()
    session = ScriptedSession(desk.campus.settings_file, patience=0)  # nothing is to come
    os.kill(desk.process.pid, signal.SIGSTOP)
    with pytest.raises(Hung, match=r"hung since \d\d:\d\d:\d\d UTC \(\d+ s\): no answer to 'health'"):
        ask(desk.socket, "health", timeout=0.5)
    number, said = status_command(desk)
    assert number == 1
    assert re.search(r"hung since \d\d:\d\d:\d\d UTC \(\d+ s\): it answers nothing", said)
    assert session.give("show queue")["terminal"].startswith("hung since ")
    with pytest.raises(Hung, match="hung since "):
        session.give("show roster")
    os.kill(desk.process.pid, signal.SIGCONT)
    assert wait_until(lambda: _well(desk), 30)
    desk.process.kill()
    desk.process.wait()
    with pytest.raises(NotRunning, match=r"it was alive at \d\d:\d\d:\d\d UTC"):
        ask(desk.socket, "health")
    number, said = status_command(desk)
    assert number == 1
    assert re.search(r"terminal +not running, alive at \d\d:\d\d:\d\d UTC \(\d+ s\)", said)
    assert re.search(r"sync +not running$", said, re.MULTILINE)
    assert session.give("show status")["processes"]["terminal"].startswith("not running, alive at ")


def test_killed_between_record_and_answer_an_entry_is_there_once(desk: Desk) -> None:
    one = entry()
    step = Step("terminal.staff_desk:StaffDesk._record", after=True)
    arguments = ["terminal", "run", "--settings", str(desk.campus.settings_file)]
    dying = subprocess.Popen([sys.executable, *step.command(arguments)], stderr=subprocess.DEVNULL)
    assert wait_until(lambda: desk.status().get("journal"), 30)
    with pytest.raises(ControlError, match="ended before it answered"):
        ask(desk.socket, "record", timeout=30, entries=[one])
    assert dying.wait(30) == -signal.SIGKILL
    assert maintained(desk) == [(one["id"], "commit")]
    desk.start()
    assert wait_until(lambda: desk.status()["journal"] != {}, 30)
    assert ask(desk.socket, "record", timeout=30, entries=[one])["recorded"] == [one["id"]]
    with pytest.raises(ControlError, match="entries: a list of 1 to 100"):
        ask(desk.socket, "record", timeout=30, entries="none")
    assert maintained(desk) == [(one["id"], "commit")]


def test_a_gate_that_staff_closed_stays_closed_over_a_kill_until_staff_opens_it(desk: Desk) -> None:
    desk.deliver_roster()
    desk.plug_camera()
    desk.start()
    assert desk.says(camera="live", fault="", seconds=30)
    assert ask(desk.socket, "lockdown", timeout=30, by=BY, reason="glass")["closed_by"] == [
        "maintenance staff"
    ]
    assert desk.says(fault="gate.lockdown", seconds=30)
    assert desk.status()["fault_detail"] == "closed by maintenance staff, until released by the same"
    _order(desk, Do.LOCKDOWN)
    both = "closed by central and maintenance staff, until released by the same"
    assert wait_until(lambda: desk.status()["fault_detail"] == both, 30)
    desk.process.kill()
    desk.process.wait()
    desk.start()
    assert desk.says(camera="live", fault="gate.lockdown", seconds=30)
    assert desk.present()["reasons"] == ["gate.lockdown"]
    moved = ask(desk.socket, "test", timeout=30, part="relay", by=BY)
    assert (moved["passed"], "locked down" in moved["found"]) == (None, True)
    assert ask(desk.socket, "release", timeout=30, by=BY)["closed_by"] == ["central"]
    assert wait_until(lambda: desk.status()["fault_detail"].startswith("closed by central,"), 30)
    _order(desk, Do.RELEASE)
    assert desk.says(fault="", seconds=30)
    assert desk.present()["verdict"] == "allow"
    assert [action for _, action in maintained(desk)] == ["lockdown", "release"]


def _order(desk: Desk, do: Do) -> None:
    store = Store(desk.campus.site.database_url)
    store.orders.issue("north-gate-1", do, 600)
    desk.campus.site.publish_orders(store)
    store.close()
    desk.deliver_roster()


def test_why_it_could_not_begin_is_in_its_log(desk: Desk) -> None:
    shutil.rmtree(desk.settings.keys)
    command = [sys.executable, "-c", "from config.cli import main; main()", "terminal", "run", "--settings"]
    ended = subprocess.run(
        [*command, str(desk.campus.settings_file)], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "campusgate terminal init" in last_words(desk.socket, 1)[0]
