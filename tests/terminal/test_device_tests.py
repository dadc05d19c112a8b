"""The ops "sensors" and "test" where something is wrong: what the answer says, and that nothing moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from config.settings import IndicatorSettings, InputSettings, Settings, parse_settings
from hw.camera import open_camera
from hw.camera_feed import CameraFeed
from hw.indicators import Indicators
from hw.thermal import Reading, ThermalState
from terminal.case import Case
from terminal.commands import LOCKDOWN, OWN
from terminal.device_tests import DeviceTests
from terminal.devices import Devices
from terminal.events import MAINTENANCE
from terminal.journal import JournalReader
from terminal.journal_memos import FOR_GOOD, Memo
from terminal.maintenance_desk import MaintenanceDesk
from terminal.screen.view import Mode, View
from terminal.screen.window import Window
from terminal.sight import Sight
from tests.terminal.world import PIN, Rig, level

BY = {"user": "li.wei", "role": "maintain", "via": "key", "session": "s-1"}
SETTINGS = """
[device]
name = "gate-1"
place = "north-gate"
[central]
url = "http://localhost"
[camera]
driver = "simulated"
path = "stage"
retry_seconds = 60
"""


class Bench:
    """A terminal's devices on a bench: a gate's thread serves them while `serving`."""

    def __init__(self, rig: Rig, directory: Path, window: Window) -> None:
        self.rig, self.journal = rig, rig.journal
        self.desk = MaintenanceDesk()
        self.factory = MockFactory()
        self.indicators = Indicators(IndicatorSettings(), self.factory)
        settings: Settings = parse_settings(SETTINGS, source="test", base=directory)
        self.feed = CameraFeed(lambda: open_camera(settings), retry=60)
        self.case = Case(InputSettings())
        devices = Devices(
            portal=rig.portal,
            thermal=rig.thermal,
            case=self.case,
            indicators=self.indicators,
            feed=self.feed,
            sight=Sight(),
            clock=rig.clock,
            journal=lambda: self.journal,
        )
        self.tests = DeviceTests(settings, devices, self.desk, window)
        self._over = threading.Event()
        self._gate = threading.Thread(target=self._serve)
        self._gate.start()

    def _serve(self) -> None:
        while not self._over.wait(0.002):
            self.rig.portal.tick(time.monotonic())
            self.desk.serve()

    def test(self, part: str) -> dict[str, object]:
        return self.tests.test({"part": part, "by": BY})

    def recorded(self) -> int:
        events = JournalReader(self.rig.directory / "journal.db").after(0, records=99, size=10**8)
        return [event.type for event in events].count(MAINTENANCE)

    def close(self) -> None:
        self._over.set()
        self._gate.join()
        self.feed.close()
        self.indicators.close()


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    with Window((480, 320)) as made:
        yield made


@pytest.fixture
def bench(rig: Rig, tmp_path: Path, window: Window, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("terminal.device_tests.PULSE", 0.1)
    monkeypatch.setattr("terminal.device_tests._SETTLES", 0.1)
    made = Bench(rig, tmp_path, window)
    yield made
    made.close()


def test_the_gate_is_released_after_the_record_and_locked_again(bench: Bench) -> None:
    said = bench.test("relay")
    assert (said["passed"], said["asks"]) == (None, "Did the gate unlock and lock again?")
    assert "simulated on this machine" in str(said["found"])
    [record] = [one for one in bench.rig.records() if "user" in one]
    assert {key: record[key] for key in BY} == BY
    assert record["action"] == "test relay"
    assert [int(state.state) for state in bench.rig.factory.pin(PIN).states] == [0, 1, 0]


def test_a_gate_that_is_locked_down_stays_so(bench: Bench) -> None:
    bench.journal.remember(*OWN, [Memo(LOCKDOWN, 1, FOR_GOOD)], now=1)
    said = bench.test("relay")
    assert (said["passed"], said["found"]) == (None, "the gate is locked down and stays so; release it first")
    assert (level(bench.rig.factory), bench.rig.portal.opened, bench.recorded()) == (0, 0, 0)


def test_without_a_record_nothing_moves(bench: Bench) -> None:
    bench.journal = None
    said = bench.test("relay")
    assert said["passed"] is False
    assert "none is written: the journal is not open" in str(said["found"])
    bench.journal = bench.rig.journal
    bench.journal.close()
    assert bench.test("relay")["passed"] is False
    assert bench.rig.portal.opened == 0


def test_a_wire_that_does_not_follow_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stuck:
        stuck.setattr(MockPin, "_set_state", lambda *_: None)
        said = bench.test("relay")
        assert (said["passed"], said["found"]) == (
            False,
            "GPIO 17 does not follow: the gate was not released",
        )
    pulse = bench.rig.portal.open_for

    def sticks(*arguments: object) -> float:
        moved = pulse(*arguments)
        monkeypatch.setattr(MockPin, "_set_state", lambda *_: None)
        return moved

    monkeypatch.setattr(bench.rig.portal, "open_for", sticks)
    assert "released and is not locked again" in str(bench.test("relay")["found"])


def test_what_is_not_fitted_is_neither_passed_nor_failed(bench: Bench) -> None:
    for part, key in (("lights", "indicators.green"), ("buzzer", "indicators.buzzer")):
        said = bench.test(part)
        assert said["passed"] is None
        assert key in str(said["found"])
        assert "asks" not in said
    assert bench.tests.sensors()["tamper"] is None


def test_a_gate_without_a_thermal_sensor_says_that_none_is_fitted(bench: Bench) -> None:
    bench.rig.thermal.reading = Reading(ThermalState.NONE)
    said = bench.test("thermal")
    assert (said["passed"], said["found"]) == (None, "no thermal sensor is fitted (thermal.driver)")


def test_a_camera_that_is_not_there_has_failed(bench: Bench) -> None:
    said = bench.test("camera")
    assert said["passed"] is False
    assert "simulated stage" in str(said["found"])


def test_one_test_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(_: float) -> None:
        began.set()
        assert goes_on.wait(30)

    monkeypatch.setattr("terminal.device_tests.time.sleep", slow)
    first = threading.Thread(target=lambda: bench.test("relay"))
    first.start()
    assert began.wait(30)
    with pytest.raises(ValueError, match="another test is running"):
        bench.test("buzzer")
    goes_on.set()
    first.join()
    assert bench.test("buzzer")["passed"] is None


def test_a_gate_that_hangs_is_said_and_holds_nothing_for_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.maintenance_desk._WITHIN", 0.05)
    monkeypatch.setattr(bench.desk, "serve", lambda: None)
    with pytest.raises(TimeoutError, match=r"the gate's loop is (busy|hung since .*); nothing was done"):
        bench.test("relay")
    monkeypatch.undo()
    bench.tests.sensors()
    assert bench.rig.portal.opened == 0


IDLE, ANSWER = View(Mode.IDLE, "", "Ready"), View(Mode.ALLOW, "", "Go")


@pytest.mark.parametrize(
    ("view", "passed", "found"),
    [
        (IDLE, None, "test card for"),
        (ANSWER, None, "people are being served"),
        (None, False, "nothing was drawn"),
    ],
    ids=["idle", "busy", "hung"],
)
def test_the_test_card_waits_for_people_and_a_screen_that_hangs_has_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, view: View | None, passed: bool | None, found: str
) -> None:
    monkeypatch.setattr("terminal.device_tests._DRAWN_WITHIN", 30.0 if view is IDLE else 0.3)
    answers: list[dict[str, object]] = []
    asker = threading.Thread(target=lambda: answers.append(bench.test("screen")))
    asker.start()
    while asker.is_alive():
        if view:
            bench.tests.draw(view)
        time.sleep(0.01)
    assert answers[0]["passed"] is passed
    assert found in str(answers[0]["found"])
