"""The terminal process, real but for camera and sensor, asked through its control socket: what it says of
itself and to people when something fails, and that it recovers by itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from config.control import ask
from config.errors import ControlError
from sync.central import publish
from sync.central.store import Store
from tests.sim.processes import wait_until
from tests.terminal.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A terminal that is provisioned and not yet started."""
    made = Desk(tmp_path)
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def serving(desk: Desk) -> Desk:
    """A terminal that serves people."""
    desk.deliver_roster()
    desk.plug_camera()
    desk.start()
    assert desk.says(camera="live", fault="")
    return desk


def test_says_what_the_camera_does_from_absent_to_live_to_unplugged_and_back(desk: Desk):
    desk.deliver_roster()
    desk.start()
    assert desk.says(camera="absent", fault="")
    assert "no stage" in desk.status()["camera"]["detail"]
    without = desk.screen()
    for _ in range(2):
        desk.plug_camera()
        assert desk.says(camera="live")
        assert wait_until(lambda: not np.array_equal(desk.screen(), without), 30)
        assert desk.present()["verdict"] == "allow"
        desk.unplug_camera()
        assert desk.says(camera="absent")
    assert desk.status()["answers"] == 2


def test_screen_tells_idle_allow_deny_and_fault_apart(serving: Desk):
    screens = {"idle": serving.screen()}
    assert serving.present()["verdict"] == "allow"
    time.sleep(0.3)
    screens["allow"] = serving.screen()
    serving.settings.path("thermal.txt").write_text("38.4")
    assert serving.present()["reasons"] == ["health.fever"]
    time.sleep(0.3)
    screens["deny"] = serving.screen()
    serving.unplug_camera()
    assert serving.says(camera="absent")
    time.sleep(3.0)
    screens["fault"] = serving.screen()
    assert {screen.shape for screen in screens.values()} == {(480, 800, 3)}
    names = list(screens)
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            differing = np.mean(np.any(screens[name] != screens[other], axis=2))
            assert differing > 0.05, f"{name} looks like {other}"


def test_without_a_roster_it_says_so_denies_and_serves_once_it_is_there(desk: Desk):
    desk.plug_camera()
    desk.start()
    assert desk.says(camera="live", fault="roster.missing")
    refused = desk.present()
    assert (refused["verdict"], refused["reasons"]) == ("deny", ["roster.missing"])
    assert refused["sequence"] == 1, "a refusal is recorded too"
    desk.deliver_roster()
    assert desk.says(fault="")
    assert desk.present()["verdict"] == "allow"


def test_an_expired_roster_closes_the_gate_until_a_new_one_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    site = desk.campus.site
    store = Store(site.database_url)
    with monkeypatch.context() as short:
        short.setitem(publish._EXPIRES, "timestamp", 5 / 86_400)
        published = time.monotonic()
        site.publish(store)
    desk.deliver_roster()
    desk.plug_camera()
    desk.start()
    if time.monotonic() - published < 3:
        assert desk.present()["verdict"] == "allow"
    assert desk.says(fault="roster.expired", seconds=10)
    assert desk.present()["reasons"] == ["roster.expired"]
    site.publish(store)
    store.close()
    desk.deliver_roster()
    assert desk.says(fault="")
    assert desk.present()["verdict"] == "allow"


def _flip(path: Path) -> bytes:
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    return whole


def test_a_policy_altered_by_one_byte_is_noticed_at_once_and_healed_by_its_restoration(serving: Desk):
    assert serving.present()["verdict"] == "allow"
    (policy,) = (serving.settings.roster / "targets").glob("*.policy.json")
    whole = _flip(policy)
    answer = serving.present()
    assert (answer["verdict"], answer["reasons"]) == ("deny", ["roster.altered"])
    assert "is not what was signed" in serving.status()["roster"]["refused"]
    assert "lookup refused: roster.altered" in serving.log
    assert serving.says(fault="roster.altered")
    policy.write_bytes(whole)
    assert serving.says(fault="")
    assert serving.present()["verdict"] == "allow"


def test_a_shard_altered_by_one_byte_is_noticed_by_whoever_is_in_it(serving: Desk):
    people = serving.settings.roster / "targets" / "people"
    wholes = {shard: _flip(shard) for shard in people.iterdir()}
    answer = serving.present()
    assert (answer["verdict"], answer["reasons"]) == ("deny", ["roster.altered"])
    for shard, whole in wholes.items():
        shard.write_bytes(whole)
    assert serving.present()["verdict"] == "allow"
    assert serving.status()["roster"]["refused"] == ""


def test_a_journal_that_cannot_be_opened_keeps_the_gate_shut_until_it_can(desk: Desk):
    desk.deliver_roster()
    desk.plug_camera()
    desk.settings.journal.mkdir(parents=True)
    desk.start()
    assert desk.says(camera="live", fault="journal.unwritable")
    assert str(desk.settings.journal) in desk.status()["fault_detail"]
    assert desk.status()["portal"] == "locked"
    desk.settings.journal.rmdir()
    assert desk.says(fault="")
    assert desk.present()["sequence"] == 1


def test_a_machine_that_is_not_provisioned_is_told_what_to_do(desk: Desk):
    shutil.rmtree(desk.settings.keys)
    command = [sys.executable, "-c", "from config.cli import main; main()", "terminal", "run", "--settings"]
    ended = subprocess.run(
        [*command, str(desk.campus.settings_file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert "CRITICAL campusgate: " in ended.stderr
    assert "campusgate terminal init" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_soon_when_asked_even_in_the_middle_of_a_pulse(serving: Desk, number: signal.Signals):
    assert serving.present()["verdict"] == "allow"
    assert serving.status()["portal"] == "released"
    begun = time.monotonic()
    assert serving.end(number) == 0, serving.log
    assert time.monotonic() - begun < 3
    assert not serving.socket.exists()
    assert "Traceback" not in serving.log


PINS = """
import time
from gpiozero.pins.mock import MockFactory
from config.cli import main
from hw import camera_simulated, relay
factory = MockFactory()
relay.pin_factory = lambda: factory
if {hangs}:
    whole = camera_simulated.SimulatedCamera.read
    def read(camera):
        pin = factory.pin(17)
        time.sleep(20 if pin.state else 0)
        return whole(camera)
    camera_simulated.SimulatedCamera.read = read
try:
    main()
finally:
    states = factory.pin(17).states
    print("levels", [int(state.state) for state in states], flush=True)
    print("released for", round(states[-1].timestamp, 2), flush=True)
"""


@pytest.mark.parametrize("hangs", [False, True], ids=["camera works", "camera hangs"])
def test_the_relay_is_locked_at_once_when_it_is_stopped_in_the_middle_of_a_pulse(desk: Desk, hangs: bool):
    policy = desk.campus.site.directory / "policy.toml"
    policy.write_text(
        policy.read_text("utf-8").replace("pulse_seconds = 0.8", "pulse_seconds = 50.0"), "utf-8"
    )
    store = Store(desk.campus.site.database_url)
    desk.campus.site.publish(store)
    store.close()
    desk.deliver_roster()
    desk.plug_camera()
    desk.start(PINS.format(hangs=hangs))
    assert desk.says(camera="live", fault="")
    assert desk.present()["verdict"] == "allow"
    assert desk.status()["portal"] == "released"
    assert desk.end(signal.SIGTERM) == 0
    assert "levels [0, 1, 0]" in desk.log
    assert float(desk.log.split("released for ")[1].split()[0]) < 1.0


def test_stops_soon_without_a_camera_and_without_a_roster(desk: Desk):
    desk.start()
    begun = time.monotonic()
    assert desk.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 3


def test_the_gate_is_locked_again_when_the_pulse_is_over(serving: Desk):
    serving.present()
    released = time.monotonic()
    assert serving.status()["portal"] == "released"
    assert wait_until(lambda: serving.status()["portal"] == "locked", 30)
    assert 0.5 < time.monotonic() - released < 1.5, "the policy says 0.8 s"


def test_starts_again_after_a_kill_with_its_records_and_a_stale_socket(serving: Desk):
    assert serving.present()["sequence"] == 1
    serving.process.send_signal(signal.SIGKILL)
    serving.process.wait()
    assert serving.socket.exists()
    serving.start()
    assert serving.says(camera="live", fault="")
    assert serving.status()["portal"] == "locked"
    assert serving.status()["records"] == 1
    assert serving.present()["sequence"] == 2


def test_answers_many_askers_while_it_serves(serving: Desk):
    for _ in range(30):
        assert serving.status()["device"] == "north-gate-1"
    with pytest.raises(ControlError, match=r"unknown op; known: .*follow, .*screen, .*status"):
        ask(serving.socket, "open")
    assert serving.socket.stat().st_mode & 0o777 == 0o660
    assert serving.present()["verdict"] == "allow"


def test_a_second_terminal_on_the_same_journal_is_refused_and_harms_nothing(serving: Desk):
    command = [sys.executable, "-c", "from config.cli import main; main()", "terminal", "run"]
    second = subprocess.run(
        [*command, "--settings", str(serving.campus.settings_file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert f"terminal is already running on {serving.settings.state}" in second.stderr
    assert str(serving.process.pid) in second.stderr
    assert serving.present()["verdict"] == "allow"


def test_whoever_held_a_code_up_too_early_is_served_when_the_roster_comes(desk: Desk):
    desk.plug_camera()
    desk.start()
    assert desk.says(camera="live", fault="roster.missing")
    desk.view = desk.next_picture()
    assert wait_until(lambda: (desk.status()["last"] or {}).get("reasons") == ["roster.missing"], 30)
    desk.deliver_roster()
    assert wait_until(lambda: desk.status()["last"]["verdict"] == "allow", 30)
