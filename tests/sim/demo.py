"""The demo: a whole campus on one machine, with simulated hardware only where hardware would be.

Central, sync daemon and terminal run as processes of their own, as on a real site; this process plays the
people, the camera's view, the network between terminal and central, and the power that sometimes fails.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from config.settings import Settings
from hw.camera_simulated import Stage
from terminal.journal import JournalReader
from terminal.reasons import Reason
from terminal.receipt import Receipt
from tests.sim.audit import Tally, reckon
from tests.sim.campus import Campus, build
from tests.sim.footage import FRAMES_PER_SECOND, Presentation
from tests.sim.network import Link, free_port
from tests.sim.optics import FRAME_SHAPE, empty
from tests.sim.processes import Supervised, stop_all, uninterrupted, wait_until
from tests.sim.props import Image
from tests.sim.scenario import COUNTS_AS, EXPECTED, Guest, guests
from tests.sim.watcher import Watcher

_PATIENCE = 4.0  # seconds without an answer before a person takes the phone away and shows it again
_GIVE_UP = 40.0  # seconds
DRAIN = 60.0  # seconds for the last records to reach central
_OUTAGE = 20  # scans between cutting and mending the network in a demo without end


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the live table."""

    guest: Guest
    answer: dict[str, Any]
    as_expected: bool
    at_central: int
    network: bool
    waiting: int  # records on all terminals that central lacks


@dataclass(frozen=True, slots=True)
class Door:
    """One terminal: what its camera films, what it says, and where its sensor and keypad are."""

    stage: Stage
    watcher: Watcher
    settings: Settings


@dataclass(slots=True)
class Demo:
    """One run. scans: None for ever. kills: how many times a process is killed at a seeded moment."""

    directory: Path
    scans: int | None
    seed: int
    kills: int = 0
    rows: deque[Row] = field(default_factory=lambda: deque(maxlen=200))
    tally: Tally = field(default_factory=Tally)
    camera_view: Image | None = None
    watcher: Watcher | None = None
    link: Link = field(default_factory=Link)
    _campus: Campus | None = None
    _doors: dict[str, Door] = field(default_factory=dict)  # by place
    _processes: dict[str, Supervised] = field(default_factory=dict)
    _killed: int = 0
    _killers: list[threading.Timer] = field(default_factory=list)

    def run(self, say: Callable[[str], None], on_row: Callable[[Row], None]) -> dict[str, Any]:
        """Play it to the end; the summary. say: gets one line about each stage. on_row: gets each answer.

        Ctrl-C while people come ends it early. Raises: KeyboardInterrupt when it comes before that. Either
        way every process has been stopped.
        """
        stopped = False
        try:
            say("building central, 500 people and three terminals")
            link_url = f"http://127.0.0.1:{self.link.port}"
            self._campus = campus = build(self.directory, seed=self.seed, link_url=link_url, busy=True)
            say("starting central, and sync daemon and terminal of gate, classroom and hall")
            say(f"central is {self._start(campus)}, its directory {campus.site.directory}")
            try:
                self._play(campus, on_row)
                say("waiting for the last records to reach central")
                self._drain()
            except KeyboardInterrupt:
                stopped = True
        finally:
            for door in self._doors.values():
                door.watcher.close()
            # Terminals first: they may write until the end; central last: it is to hear of all.
            order = ("terminal", "sync", "central")
            stop_all(sorted(self._processes.values(), key=lambda one: order.index(one.name.split()[0])))
            self.link.close()
        ledger = reckon(campus, self.tally.answered)
        return self.tally.summary(ledger, self._killed, stopped=stopped)

    def _start(self, campus: Campus) -> str:
        """Start everything; central's URL."""
        port = free_port()
        self.link.target = port
        commands = {"central": ["central", "run", "--dir", str(campus.site.directory), "--port", str(port)]}
        for number, one in enumerate(campus.terminals):
            which = f" {one.name}" if number else ""
            stage = Stage(one.settings.path("stage.frames"), FRAME_SHAPE[:2])
            stage.show(np.zeros((*FRAME_SHAPE[:2], 3), np.uint8))
            place = one.settings.device.place
            self._doors[place] = Door(stage, Watcher(one.settings, port), one.settings)
            commands[f"sync{which}"] = ["sync", "run", "--settings", str(one.settings_file)]
            commands[f"terminal{which}"] = ["terminal", "run", "--settings", str(one.settings_file)]
        self.watcher = self._doors[campus.settings.device.place].watcher
        for name, arguments in commands.items():
            with uninterrupted():  # a process started but not yet noted would be left behind
                self._processes[name] = Supervised(name, arguments, self.directory / f"{name}.log")
        if not wait_until(self._ready, 60):
            logs = ", ".join(str(self.directory / f"{name}.log") for name in commands)
            raise RuntimeError(f"the processes did not get ready within a minute; see {logs}")
        return f"http://127.0.0.1:{port}"

    def _ready(self) -> bool:
        said = [door.watcher.status() for door in self._doors.values()]
        # Not "live": the stage stands still by now, and when the others start slowly the camera is frozen.
        served = all(one and not one["fault"] and one["camera"]["frames"] > 0 for one in said)
        return served and all(door.watcher.following for door in self._doors.values())

    def _play(self, campus: Campus, on_row: Callable[[Row], None]) -> None:
        plan = _kill_plan(random.Random(self.seed + 2), self.scans or 0, self.kills)
        rng = np.random.default_rng(self.seed)
        coming = guests(campus, self.seed)
        for number, guest in enumerate(
            coming if self.scans is None else itertools.islice(coming, self.scans)
        ):
            self._switch_network(number)
            for victim, delay in plan.get(number, ()):
                killer = threading.Timer(delay, self._kill, (victim,))
                killer.start()
                self._killers.append(killer)
            answer = self._present(guest, rng)
            as_expected = self._expected(guest, answer)
            self.tally.verdicts[answer.get("verdict", "none")] += 1
            if answer:
                self.tally.answered.append((campus.terminal_at(guest.place).name, answer["sequence"]))
            if not as_expected:
                said = f"{answer.get('verdict', 'no answer')} {' '.join(answer.get('reasons', []))}"
                said += f" ({', '.join(answer.get('marks', [])) or 'counts as nothing'})"
                self.tally.wrong.append(f"scan {number + 1}, {guest.visit}: {said}")
            elif answer["verdict"] == "allow":
                self.tally.milliseconds.append(answer["ms"])
            assert self.watcher
            waiting = sum(_waiting(door.settings) for door in self._doors.values())
            row = Row(guest, answer, as_expected, self.watcher.at_central, self.link.up, waiting)
            self.rows.append(row)
            on_row(row)

    def _expected(self, guest: Guest, answer: dict[str, Any]) -> bool:
        """Whether `guest` was answered as the scenario says, and the scan counted as what it must."""
        verdict, reason = EXPECTED[guest.visit]
        if (answer.get("verdict"), answer.get("reasons")) != (str(verdict), [str(reason)]):
            return False
        marks = [str(mark) for mark in COUNTS_AS.get(guest.visit, ())]
        # Killed between record and answer, a terminal has counted the scan before already.
        return answer["marks"] == marks or (self._killed > 0 and set(answer["marks"]) <= set(marks))

    def screen_at(self, place: str) -> bytes:
        """What the terminal there shows, as PNG; b"" while it does not answer."""
        return self._doors[place].watcher.screen()

    def _present(self, guest: Guest, rng: np.random.Generator) -> dict[str, Any]:
        """Let `guest` hold up the code until the terminal answers; the answer, or {} after giving up."""
        door = self._doors[guest.place]
        answers, stage = door.watcher.answers, door.stage
        door.settings.path("thermal.txt").write_text(guest.celsius, "ascii")
        with contextlib.suppress(queue.Empty):
            while True:
                answers.get_nowait()
        begun, killed, tries = time.monotonic(), self._killed, 0
        while time.monotonic() - begun < _GIVE_UP:
            tries += 1
            name = guest.citizen.person.subject if guest.holder != "paper" else ""
            presentation = Presentation(rng, guest.holder, guest.text(), name=name)
            answer: dict[str, Any] = {}
            if guest.registers:
                _press(door, "\x1b*")
            for number, picture in enumerate(_frames(presentation, _PATIENCE)):
                self.camera_view = picture
                stage.show(picture)
                if guest.registers and number % 5 == 4 and _asks_for_a_number(door):
                    _press(door, f"{guest.registers}\r\x1b")
                with contextlib.suppress(queue.Empty):
                    answer = answers.get_nowait()
                    break
            # Killed between record and answer, or started again and not followed yet when it answered: that
            # code is used up, the phone shows its next one.
            unheard = self._killed > killed or (self._killed > 0 and tries > 1)
            if unheard and answer.get("reasons") == [str(Reason.CODE_REPLAYED)]:
                answer = {}
            for _ in range(self._pause if answer else 15):  # the next steps up, or this one tries again
                stage.show(empty(presentation.background, presentation.weather, rng))
                time.sleep(1 / FRAMES_PER_SECOND)
            if answer:
                return answer
        return {}

    @property
    def _pause(self) -> int:
        """Empty frames between two people: next to none in a counted run, time to look in an endless one."""
        return 2 if self.scans else FRAMES_PER_SECOND

    def _switch_network(self, number: int) -> None:
        """The network is down in the middle third of a run, or every other twenty scans of an endless one."""
        if self.scans is None:
            down = number // _OUTAGE % 2 == 1
        else:
            down = self.scans // 3 <= number < 2 * self.scans // 3
        if down and self.link.up:
            self.link.cut()
        elif not down and not self.link.up:
            self.link.mend()

    def _kill(self, victim: str) -> None:
        self._processes[victim].kill()
        self._killed += 1

    def _drain(self) -> None:
        for killer in self._killers:
            killer.join()
        wait_until(lambda: not any(_waiting(door.settings) for door in self._doors.values()), DRAIN)


def _waiting(settings: Settings) -> int:
    """How many records of a terminal central lacks, as far as the terminal knows."""
    return JournalReader(settings.journal).newest() - Receipt.load(settings.receipt).through


def _press(door: Door, keys: str) -> None:
    with door.settings.path("keys").open("a", encoding="ascii") as keypad:
        keypad.write(keys)


def _asks_for_a_number(door: Door) -> bool:
    return bool(door.watcher.status().get("asks") == str(Reason.MANUAL_NUMBER))


def _frames(presentation: Presentation, seconds: float) -> Iterator[Image]:
    """The presentation's frames at their own pace; a slow machine skips some rather than falling behind."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        number = int(elapsed * FRAMES_PER_SECOND)
        yield presentation.frame(number)
        wait = (number + 1) / FRAMES_PER_SECOND - (time.monotonic() - start)
        if wait > 0:
            time.sleep(wait)


def _kill_plan(rng: random.Random, scans: int, kills: int) -> dict[int, list[tuple[str, float]]]:
    """Which process dies when: by number of the scan, the victim and the seconds into that scan."""
    plan: dict[int, list[tuple[str, float]]] = {}
    for kill in range(kills):
        victim = ("terminal", "sync", "central")[kill % 3]
        plan.setdefault(rng.randrange(max(scans, 1)), []).append((victim, rng.uniform(0.0, 1.2)))
    return plan
