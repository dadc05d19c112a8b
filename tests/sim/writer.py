"""The gate process of most schedules: the real gate, journal, roster and portal; no camera and no screen.

Codes come to the gate as the scanner would give them, one every few milliseconds, and the relay's pin is
gpiozero's mock. One schedule in twenty runs the whole `campusgate terminal run` instead, before a simulated
camera (see film.py).

In either, what `Journal.append` acknowledged is noted at once in a file that no fault touches, the oath: one
line a record, "sequence digest identity".
"""

from __future__ import annotations

import functools
import logging
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from gpiozero.pins.mock import MockFactory

from config.settings import Settings, load_settings
from hw.clock import SystemClock
from hw.frame import Frame
from hw.relay import Relay
from hw.thermal import open_thermal
from sync.central.mint import personal_code
from terminal.gate import Gate
from terminal.journal import Journal, JournalError
from terminal.portal import Portal
from terminal.provision import trust
from terminal.roster_shelf import RosterShelf
from terminal.scanner import Sighting
from tests.sim.campus import Citizen, people

log = logging.getLogger(__name__)

_OUTLINE = np.zeros((8, 8), np.uint8)


@dataclass(frozen=True, slots=True)
class Sworn:
    """One record that the journal said is durable."""

    sequence: int
    digest: str
    identity: str


def swear(oath: str) -> None:
    """Note in the file `oath` whatever `Journal.append` acknowledges from now on in this process."""
    whole = Journal.append
    descriptor = os.open(oath, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    @functools.wraps(whole)
    def append(journal: Journal, record: Any, *more: Any, **named: Any) -> Any:
        entry = whole(journal, record, *more, **named)
        lines = [f"{entry.sequence} {entry.digest} {record.identity}\n"]
        if more:
            lines.append(f"{journal.head.sequence} {journal.head.digest} {more[-1].identity}\n")
        os.write(descriptor, "".join(lines).encode())
        return entry

    Journal.append = append  # type: ignore[method-assign, assignment]


def sworn(oath: Path) -> list[Sworn]:
    """What is noted in `oath`, in order."""
    if not oath.exists():
        return []
    lines = [line.split() for line in oath.read_text("ascii").splitlines()]
    return [Sworn(int(sequence), digest, identity) for sequence, digest, identity in lines]


def write(settings_file: str, seed: int, pause: float) -> None:
    """Serve people until SIGTERM, one every `pause` seconds. seed: of who comes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()

    def on_term(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    settings = load_settings(Path(settings_file))
    trusted = trust(settings)
    shelf = RosterShelf(settings.roster, settings.state / "roster-trust", trusted.root)
    shelf.refresh()
    journal = _opened(settings, stop)
    if journal is None:
        return
    clock = SystemClock(trust=settings.clock.trust)
    if newest := journal.newest_time():
        clock.raise_floor(newest)
    portal = Portal(Relay(settings.relay, MockFactory()))
    gate = Gate(
        place=settings.device.place,
        shelf=shelf,
        journal=journal,
        portal=portal,
        thermal=open_thermal(settings),
        clock=clock,
    )
    rng = random.Random(f"{seed} {os.getpid()}")
    crowd = people(seed=1)
    while not stop.is_set():
        gate.handle(_shown(rng.choice(crowd)))
        portal.tick(time.monotonic())
        stop.wait(pause)
    portal.close()
    journal.close()


def _opened(settings: Settings, stop: threading.Event) -> Journal | None:
    """The journal, as soon as it can be opened; None when told to stop before."""
    trusted = trust(settings)
    while not stop.is_set():
        try:
            return Journal(
                settings.journal,
                device=settings.device.name,
                central_key=trusted.central_key,
                state_key=trusted.state_key,
            )
        except JournalError as error:
            log.error("%s", error)
            stop.wait(0.05)
    return None


def _shown(citizen: Citizen) -> Sighting:
    """A fresh code; the phone's clock is right, whatever this process believes."""
    text = personal_code(citizen.phone, citizen.person.subject, int(time.clock_gettime(time.CLOCK_REALTIME)))
    return Sighting(text=text, frame=Frame(_OUTLINE, time.monotonic(), 0), centre=(4.0, 4.0), size=4.0)
