"""The terminal process: camera, gate, screen and control socket, wired together and kept alive.

Three threads: the camera's own; the gate's, which takes the newest frame through to relay and record; and
the main one, which draws the screen (SDL wants that). The gate never waits for the screen.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from config.settings import Settings
from config.single import Single
from hw.clock import Moment, SystemClock
from hw.frame import Frame
from hw.indicators import ALLOW, REFUSE
from hw.keypad import open_keypad
from terminal.attention import Attention
from terminal.central_clock import CentralClock
from terminal.command_desk import CommandDesk
from terminal.control import GATE, SCREEN, TerminalControl
from terminal.device_code import DeviceCodes
from terminal.device_tests import DeviceTests
from terminal.devices import open_devices
from terminal.diagnostics import Diagnosis
from terminal.gate import Answer, Gate
from terminal.journal import Journal
from terminal.journal_keeping import JournalKeeping
from terminal.local_policy import LocalPolicy
from terminal.maintenance_desk import MaintenanceDesk
from terminal.manual import ManualDesk
from terminal.person import Person
from terminal.phone_clocks import PhoneClocks
from terminal.provision import trust
from terminal.reasons import Reason, Verdict
from terminal.roster_shelf import RosterShelf
from terminal.scanner import Scanner
from terminal.screen.window import Window
from terminal.staff_clock import StaffClock
from terminal.staff_desk import StaffDesk
from terminal.state import TerminalState, answer_event

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.5  # seconds between looks at what the sync daemon has written
_DRAW_EVERY = 0.1  # seconds; an answer is drawn at once. Drawing holds the interpreter, so not more often
_END_WITHIN = 3.0  # seconds for the gate's thread to end
_CROWD_SHOWN = 1.0  # seconds that "one at a time" stays on the screen


class Terminal:
    """One running terminal.

    Raises: AlreadyRunning; KeyFileError when it is not provisioned; UnknownDriver; RelayError; OSError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._draw = threading.Event()
        self._single = Single(settings.state, "terminal")  # first: another's log and heartbeat are left alone
        self._control = TerminalControl(settings, self._end)
        trusted, device = trust(settings), settings.device
        self._shelf = RosterShelf(settings.roster, settings.state / "roster-trust", trusted.root, device.name)
        self._keypad = open_keypad(settings)
        self._keys: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._desk = ManualDesk()
        self._gate: Gate | None = None
        self._commands: CommandDesk | None = None
        self._clock = SystemClock(trust=settings.clock.trust)
        self._central_clock = CentralClock(settings, self._clock)
        self._staff_clock = StaffClock(settings.staff_time, self._clock)
        self._keeping = JournalKeeping(settings, trusted, self._clock)
        self._devices = devices = open_devices(settings, self._clock, lambda: self._keeping.journal)
        self._portal, self._sight = devices.portal, devices.sight
        self._scanner = Scanner()
        self._attention = Attention()
        self._crowd_at = float("-inf")  # when several codes were last in view and none stood out
        self._policy = LocalPolicy(device.place, self._shelf, self._clock)
        self._fault = self._policy.fault
        self._answer: Answer | None = None
        self._answers = self._waiting = 0
        screen = settings.screen
        self._window = Window((screen.width, screen.height), fullscreen=screen.fullscreen)
        self._notices = (self._window.fallback,) if self._window.fallback else ()
        self._device_codes = DeviceCodes.of(settings)
        self._phone_clocks = PhoneClocks()
        self._maintenance = MaintenanceDesk()
        self._tests = DeviceTests(settings, devices, self._maintenance, self._window)
        staff = StaffDesk(lambda: self._keeping.journal, self._clock, self._maintenance)
        self._control.open(self._status, self._window.png, self._tests.handlers(), staff.handlers())

    def run(self) -> None:
        """Serve people until `stop` is called or the window is closed."""
        device = self._settings.device
        log.info("%s at %s is running; stop with Ctrl-C or SIGTERM", device.name, device.place)
        gate = threading.Thread(target=self._watch, name="gate", daemon=True)
        gate.start()
        try:
            while not self._stop.is_set() and not self._window.closed:
                self._control.heartbeat.beat(SCREEN)
                self._tests.draw(self._state().view())
                self._keys.put(self._window.keys())
                self._draw.wait(_DRAW_EVERY)
                self._draw.clear()
        finally:
            self._stop.set()
            gate.join(_END_WITHIN)
            self._close(hangs=gate.is_alive())

    def _close(self, *, hangs: bool) -> None:
        """Close all, whatever fails to: the portal first, since a camera that hangs must not hold the gate.

        hangs: the gate's thread does, with what it holds; to wait for it would keep the process.
        """
        if hangs:
            log.critical("the gate's thread hangs; the process ends without it")
        devices = self._devices
        held = () if hangs else (self._keeping, devices.case, self._keypad, devices.thermal)
        with ExitStack() as stack:  # the last is closed first
            for one in (self._single, self._window, *held, devices.indicators, devices.feed, self._control):
                stack.callback(one.close)
            stack.callback(self._portal.close)

    @property
    def restart(self) -> bool:
        """Whether the process is to begin anew once `run` has ended."""
        return self._control.restart

    def stop(self) -> None:
        """Make `run` end soon and for good; may be called from a signal handler or another thread."""
        self._control.call_off_restart()
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._draw.set()

    def _watch(self) -> None:
        look_at = 0.0
        while not self._stop.is_set():
            try:
                now = time.monotonic()
                self._control.heartbeat.beat(GATE)
                self._portal.tick(now)
                self._devices.indicators.tick(now)
                self._maintenance.serve(self._look)  # a lockdown is in the status that is asked for next
                if self._keeping.open(now):
                    self._equip(self._keeping.journal)
                if now >= look_at:
                    self._look()
                    look_at = now + _LOOK_EVERY
                if self._gate:
                    self._devices.case.watch(now, self._gate.violation)
                self._take_keys(now)
                frame = self._devices.feed.newest(0.02)
                if frame is not None:
                    self._serve(frame)
                answered = self._answer.at.monotonic if self._answer else float("-inf")
                self._keeping.step(now, answered)
            except Exception:  # the gate outlives any single fault
                log.exception("gate loop")
                self._stop.wait(0.1)

    def _equip(self, journal: Journal | None) -> None:
        """Make what needs the journal; without one a gate all the same, because an escape route opens."""
        settings = self._settings
        if journal is None:
            self._gate = self._gate or self._gate_with(None)
            return
        self._gate = self._gate_with(journal)
        self._commands = CommandDesk(
            device=settings.device.name,
            place=settings.device.place,
            shelf=self._shelf,
            journal=journal,
            portal=self._portal,
            clock=self._clock,
            diagnose=lambda: Diagnosis(settings, self._status),
        )

    def _gate_with(self, journal: Journal | None) -> Gate:
        return Gate(
            place=self._settings.device.place,
            shelf=self._shelf,
            journal=journal,
            portal=self._portal,
            thermal=self._devices.thermal,
            clock=self._clock,
            house=self._keeping.house,
        )

    def _look(self) -> None:
        """Take up a new roster and receipt, and say what keeps people from being served."""
        self._shelf.refresh()
        if self._commands:
            self._commands.look()
        self._central_clock.refresh(self._shelf)
        self._staff_clock.refresh()
        self._keeping.look()
        self._waiting = self._keeping.waiting()
        self._policy.look()
        fault = self._policy.fault
        if self._commands and self._commands.lockdown:
            fault = (Reason.LOCKDOWN, f"closed by {self._commands.lockdown}, until released by the same")
        if self._keeping.error:
            fault = (Reason.JOURNAL_UNWRITABLE, self._keeping.error)
        if self._fault[0] and not fault[0]:
            self._attention = Attention()  # whoever was told to wait and still holds a code up is served now
        self._fault = fault

    def _serve(self, frame: Frame) -> None:
        scan = self._scanner.scan(frame)
        self._sight.seen(frame, scan)
        if scan.codes > 1 and scan.sighting is None:
            self._crowd_at = frame.captured_at
        sighting = self._attention.new(scan, frame.captured_at) if self._gate else None
        if sighting is None or self._gate is None:
            return
        now = time.monotonic()
        if self._desk.wants_proof(now):
            proof = self._gate.attendant(sighting)
            if isinstance(proof, Person):
                self._desk.proved(proof, now)
                self._attention.answered(sighting, Verdict.ALLOW)  # the code held up still is no entry
                self._draw.set()
                return
            self._desk.end()
            answer = proof
        else:
            answer = self._gate.handle(sighting)
        self._attention.answered(sighting, answer.decision.verdict)
        self._tell(answer)

    def _take_keys(self, now: float) -> None:
        """Let the keys pressed since the last look do what they do."""
        pressed = self._keypad.read()
        while not self._keys.empty():
            pressed += self._keys.get()
        for key in pressed:
            attendant, number = self._desk.attendant(now), self._desk.press(key, now)
            if number and attendant and self._gate:
                self._tell(self._gate.register(number, attendant, now))
        if pressed:
            self._draw.set()

    def _tell(self, answer: Answer) -> None:
        """Show and publish an answer."""
        self._answers += 1
        self._answer = answer
        verdict, reason = answer.decision.verdict, answer.decision.reasons[0]
        self._devices.indicators.show(ALLOW if verdict is Verdict.ALLOW else REFUSE, time.monotonic())
        self._sight.answered(verdict, reason, answer.at.wall)
        self._phone_clocks = self._phone_clocks.after(answer.decision, answer.skew)
        # No name and no temperature: logs are read by more people than records are.
        log.info("scan %d: %s %s", self._answers, verdict, reason)
        self._draw.set()
        if answer.entry:
            self._waiting += 1
        self._control.events.publish(answer_event(answer, self._answers, self._waiting))

    def _state(self) -> TerminalState:
        now: Moment = self._clock.now()
        return TerminalState(
            now=now,
            device=self._settings.device.name,
            place=self._policy.place,
            camera=self._devices.feed.status,
            portal=self._portal.state,
            waiting=self._waiting,
            records=self._keeping.journal.head.sequence if self._keeping.journal else 0,
            answers=self._answers,
            fault=self._fault[0],
            fault_detail=self._fault[1],
            roster_version=self._policy.roster_version,
            roster_refused=str(self._shelf.refused or (self._gate.roster_refused if self._gate else "")),
            answer=self._answer,
            preview=self._sight.preview,
            crowded=now.monotonic - self._crowd_at < _CROWD_SHOWN,
            extra_notices=(*self._notices, *(self._keeping.house.notices() if self._keeping.house else ())),
            phone_clocks=self._phone_clocks,
            device_code=self._device_codes.current(now) if self._device_codes else "",
            prompt=self._desk.prompt(now.monotonic),
            languages=self._policy.languages,
            zone=self._policy.zone,
            case_open=self._devices.case.open,
            clock=self._clock.state(),
            clock_refused=self._central_clock.refused,
        )

    def _status(self) -> Mapping[str, Any]:
        # The journal's part looks at the disk: not for every picture that is drawn.
        return replace(self._state(), journal=self._keeping.status()).status()
