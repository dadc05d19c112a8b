"""The control ops "sensors", "camera" and "test": what a running terminal's devices say, and if they work.

Each part of a test answers {"part", "passed", "found"}: passed is true, false, or null where nothing here can
tell; "asks" is then what to ask the person who stands there. No temperature of a person is answered: health
data leaves the terminal only sealed.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from config.control import Handler
from config.settings import Settings
from hw.camera import described
from hw.camera_feed import FeedState
from hw.indicators import BUZZER, LIGHTS, PinLevel
from hw.relay import on_gpio_machine
from hw.thermal import Reading, Thermal, ThermalState, Watched, degrees
from terminal.command_desk import locked_down
from terminal.devices import Devices
from terminal.journal import JournalError
from terminal.maintenance_desk import MaintenanceDesk
from terminal.portal import PortalState
from terminal.records import MaintenanceRecord
from terminal.screen.view import Mode, View
from terminal.screen.window import Window
from terminal.sight import Contrast, Focus, Light

PULSE = 1.0  # seconds that the relay test releases the gate
_CARD = 8.0  # seconds that the test card stays
_DRAWN_WITHIN = 8.0  # seconds; somebody may be being answered, which takes three
_SETTLES = 3.0  # seconds after a pulse until which the gate must be locked again
_LOOK = 0.05  # seconds between two looks at it
_BY = ("user", "role", "via", "session")
_ANSWERED = frozenset({Mode.ALLOW, Mode.DENY, Mode.REFER})

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Pulse:
    """A relay test that has begun: its record, what the pin said then, and how often the gate had opened."""

    sequence: int
    released: bool
    opened: int


class DeviceTests:
    """Answers the ops. desk: brings work to the gate's thread. The screen's thread draws with `draw`."""

    def __init__(self, settings: Settings, devices: Devices, desk: MaintenanceDesk, window: Window) -> None:
        self._settings, self._devices, self._desk = settings, devices, desk
        self._window = window  # in threads of the control socket only for what never changes
        self._one = threading.Lock()
        self._card_until = float("-inf")
        self._card_drawn = threading.Event()
        self._card_held_off = False
        self._parts: Mapping[str, Callable[[Mapping[str, Any]], Result]] = {
            "relay": self._relay,
            "buzzer": lambda _: self._buzzer(),
            "lights": lambda _: self._lights(),
            "screen": lambda _: self._screen(),
            "camera": lambda _: self._camera(),
            "thermal": lambda _: self._thermal(),
        }

    def handlers(self) -> dict[str, Handler]:
        """The ops by name."""
        return {
            "sensors": lambda _: self.sensors(),
            "camera": lambda _: self.camera(),
            "test": self.test,
        }

    def draw(self, view: View) -> None:
        """Show the test card while it is asked for, unless somebody is being answered; else `view`.

        For the screen's thread.
        """
        wanted = time.monotonic() < self._card_until
        if wanted and view.mode in _ANSWERED:
            self._card_held_off, wanted = True, False
        if wanted and self._window.show_testcard(self._settings.device.name):
            self._card_drawn.set()
        else:
            self._window.show(view)

    def sensors(self) -> Result:
        """The op "sensors". Raises: TimeoutError when the gate's thread hangs."""
        return self._desk.run(self._sensors_now)

    def camera(self) -> Result:
        """The op "camera"."""
        status = self._devices.feed.status
        return {
            "driver": described(self._settings.camera),
            "state": str(status.state),
            "detail": status.sentence,
            "remarks": list(status.remarks),
            "frames": status.frames,
            **self._devices.sight.document(),
        }

    def test(self, request: Mapping[str, Any]) -> Result:
        """The op "test" {"part", "by"}; by: {"user", "role", "via", "session"}, needed for the relay alone.

        Raises: ValueError for an unknown part, and while another test runs; TimeoutError.
        """
        part = self._parts.get(str(request.get("part")))
        if part is None:
            raise ValueError(f"part must be one of {', '.join(self._parts)}")
        if not self._one.acquire(blocking=False):
            raise ValueError("another test is running; try again in a moment")
        try:
            return {"part": request["part"], **part(request)}
        finally:
            self._one.release()

    def _sensors_now(self) -> Result:
        devices, settings = self._devices, self._settings
        tamper = settings.inputs.tamper
        pins = [PinLevel("relay", settings.relay.pin, devices.portal.level), *devices.indicators.levels()]
        if tamper is not None:
            pins.append(PinLevel("inputs.tamper", tamper, devices.case.level))
        return {
            "thermal": _thermal_document(settings.thermal.driver, devices.thermal, devices.thermal.read()),
            "tamper": None if tamper is None else {"open": devices.case.open},
            "portal": str(devices.portal.state),
            "pins": [asdict(pin) for pin in pins],
            "pins_simulated": not on_gpio_machine(),
        }

    def _relay(self, request: Mapping[str, Any]) -> Result:
        by, portal, pin = request.get("by"), self._devices.portal, self._settings.relay.pin
        if not isinstance(by, dict) or any(not isinstance(by.get(key), str) for key in _BY):
            raise ValueError(f'"by" must say who moves the gate: {", ".join(_BY)}')
        try:
            pulse = self._desk.run(lambda: self._pulse(by))
        except JournalError as error:
            return {"passed": False, "found": f"the gate moves only for a record, none is written: {error}"}
        if pulse is None:
            return {"passed": None, "found": "the gate is locked down and stays so; release it first"}
        if not pulse.released:
            return {"passed": False, "found": f"GPIO {pin} does not follow: the gate was not released"}
        time.sleep(PULSE)
        if not self._locks() and portal.opened == pulse.opened:  # else it was opened for somebody meanwhile
            return {"passed": False, "found": f"GPIO {pin}: the gate was released and is not locked again"}
        found = f"GPIO {pin} released for {PULSE:g} s, record {pulse.sequence}{_simulated()}"
        return {"passed": None, "found": found, "asks": "Did the gate unlock and lock again?"}

    def _pulse(self, by: Mapping[str, Any]) -> _Pulse | None:
        """Record, then release the gate; None while it is locked down. Raises: JournalError."""
        journal, now, portal = self._devices.journal(), self._devices.clock.now(), self._devices.portal
        if journal is None:
            raise JournalError("the journal is not open")
        if locked_down(journal):
            return None
        record = MaintenanceRecord(
            identity=str(uuid.uuid4()),
            happened_at=now.wall,
            clock_trusted=now.trusted,
            action="test relay",
            basis=now.basis,
            **{key: by[key] for key in _BY},
        )
        entry = journal.append(record)
        portal.open_for(entry, PULSE)
        return _Pulse(entry.sequence, portal.state is PortalState.RELEASED, portal.opened)

    def _locks(self) -> bool:
        """Whether the gate comes to be locked."""
        until = time.monotonic() + _SETTLES
        while self._desk.run(lambda: self._devices.portal.state) is not PortalState.LOCKED:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK)
        return True

    def _lights(self) -> Result:
        pins = {name: pin for name, pin in self._devices.indicators.pins.items() if name != "buzzer"}
        if not pins:
            return {"passed": None, "found": "no light is fitted (indicators.green, indicators.red)"}
        self._desk.run(lambda: self._devices.indicators.show(LIGHTS, time.monotonic()))
        time.sleep(LIGHTS.seconds)
        named = " then ".join(f"{name} (GPIO {pin})" for name, pin in pins.items())
        asks = f"Did the lights shine: {' then '.join(pins)}?"
        return {"passed": None, "found": f"switched on: {named}{_simulated()}", "asks": asks}

    def _buzzer(self) -> Result:
        pin = self._devices.indicators.pins.get("buzzer")
        if pin is None:
            return {"passed": None, "found": "no buzzer is fitted (indicators.buzzer)"}
        self._desk.run(lambda: self._devices.indicators.show(BUZZER, time.monotonic()))
        time.sleep(BUZZER.seconds)
        found = f"GPIO {pin}: short, short, long{_simulated()}"
        return {"passed": None, "found": found, "asks": "Did it buzz short, short, long?"}

    def _screen(self) -> Result:
        self._card_drawn.clear()
        self._card_held_off = False
        self._card_until = time.monotonic() + _DRAWN_WITHIN
        if not self._card_drawn.wait(_DRAWN_WITHIN):
            if self._card_held_off:
                return {"passed": None, "found": "people are being served; try again when nobody comes"}
            return {"passed": False, "found": f"nothing was drawn within {_DRAWN_WITHIN:g} s"}
        self._card_until = time.monotonic() + _CARD
        width, height = self._window.size
        found = f"{width}x{height}, {self._window.driver}: test card for {_CARD:g} s"
        if missing := self._window.fonts.missing:
            found += f"; {missing.notice}"
        if self._window.fallback:
            return {"passed": False, "found": f"{found}; {self._window.fallback}"}
        if self._window.offscreen:
            return {"passed": None, "found": f"{found}; this machine has no display, it is kept in memory"}
        asks = "Does the screen show eight colour bars, a grid to all edges, and text in both languages?"
        return {"passed": None, "found": found, "asks": asks}

    def _camera(self) -> Result:
        seen = self.camera()
        picture = seen["picture"]
        if seen["state"] != FeedState.LIVE or picture is None:
            said = seen["detail"] or "no picture"
            return {"passed": False, "found": f"{seen['driver']}: {seen['state']}: {said}"}
        found = (
            f"{picture['width']}x{picture['height']}, {picture['frames_a_second']} frames a second,"
            f" light {picture['light']}, contrast {picture['contrast']}, focus {picture['focus']}"
        )
        if picture["light"] != Light.GOOD or picture["focus"] == Focus.BLURRED:
            return {"passed": False, "found": found}
        return {"passed": None if picture["contrast"] == Contrast.FLAT else True, "found": found}

    def _thermal(self) -> Result:
        said = self.sensors()["thermal"]
        if said["state"] == ThermalState.NONE:
            return {"passed": None, "found": "no thermal sensor is fitted (thermal.driver)"}
        found = f"{said['driver']}: {said['state']}"
        if said["ambient"]:
            found += f", ambient {said['ambient']} °C"
        found = "; ".join(filter(None, (found, said["sentence"], *said["remarks"])))
        passed = said["answers"] and said["state"] != ThermalState.DRIFTING
        return {"passed": passed, "found": found}


def _thermal_document(driver: str, thermal: Thermal, reading: Reading) -> Result:
    """What the sensor says of itself and of its surroundings. answers: null without a sensor."""
    watched = thermal if isinstance(thermal, Watched) else None
    silent = reading.state in (ThermalState.ABSENT, ThermalState.STALE)
    return {
        "driver": driver,
        "state": str(reading.state),
        "answers": None if reading.state is ThermalState.NONE else not silent,
        "ambient": degrees(reading.ambient),
        "distance_mm": reading.distance_mm,
        "samples": reading.samples,
        "sentence": watched.sentence if watched else "",
        "remarks": list(watched.remarks) if watched else [],
    }


def _simulated() -> str:
    return "" if on_gpio_machine() else "; pins are simulated on this machine"
