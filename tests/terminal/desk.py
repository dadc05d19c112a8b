"""A terminal process with a simulated camera and sensor, and whoever stands before it."""

from __future__ import annotations

import base64
import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import segno

from config.control import ask, follow
from config.errors import ControlError
from hw.camera_simulated import Stage
from sync.central.mint import personal_code
from tests.sim.blemishes import grain
from tests.sim.campus import Campus, build
from tests.sim.processes import wait_until

BLANK = np.full((720, 1280, 3), 90, np.uint8)


class Desk:
    """One terminal in a directory, its stage, and whoever stands before it. No daemon and no central run."""

    def __init__(self, directory: Path) -> None:
        self.campus: Campus = build(directory, seed=2, link_url="http://127.0.0.1:9")
        self.settings = self.campus.settings
        self.socket = self.settings.socket("terminal")
        self._people = iter(self.campus.citizens)
        self._log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.stage: Stage | None = None
        self.view = BLANK
        self._rng = np.random.default_rng(1)
        self._filming = threading.Lock()  # a stage has one painter
        self.settings.path("thermal.txt").write_text("36.5")

    def deliver_roster(self) -> None:
        """Put on disk what the sync daemon would have fetched."""
        shutil.copytree(self.campus.site.repository.directory, self.settings.roster, dirs_exist_ok=True)

    def plug_camera(self) -> None:
        self.stage = Stage(self.settings.path("stage.frames"), (720, 1280))
        self._film(BLANK)

    def _film(self, picture: np.ndarray) -> None:
        picture = picture.copy()
        with self._filming:
            grain(picture, self._rng)
            self.stage.show(picture)

    def unplug_camera(self) -> None:
        self.settings.path("stage.frames").unlink()
        self.stage = None

    def start(self, program: str = "from config.cli import main; main()", *, expected: bool = True) -> None:
        """Start it; until it answers, if that is `expected`."""
        command = [sys.executable, "-c", program, "terminal", "run"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--settings", str(self.campus.settings_file)], stdout=log, stderr=log
            )
        assert not expected or wait_until(self.status, 30), self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def status(self) -> dict[str, Any]:
        """What it says; {} while it says nothing. A live camera is kept live, and sees `view`."""
        if self.stage:
            self._film(self.view)
        try:
            return ask(self.socket, "status", timeout=30)
        except ControlError:
            return {}

    def says(self, seconds: float = 30.0, **expected: str) -> bool:
        """Whether status comes to say all of `expected`: camera (state), fault."""

        def so() -> bool:
            status = self.status()
            found = {"camera": status["camera"]["state"], "fault": status["fault"]} if status else {}
            return bool(found) and all(found[key] == value for key, value in expected.items())

        return wait_until(so, seconds)

    def screen(self) -> np.ndarray:
        png = base64.b64decode(ask(self.socket, "screen", timeout=30)["png"])
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)

    def next_picture(self) -> np.ndarray:
        """What the camera sees when the next person holds up a code."""
        citizen = next(self._people)
        text = personal_code(citizen.phone, citizen.person.subject, int(time.time()))
        code = np.array(list(segno.make(text, error="m").matrix_iter(scale=4, border=4)), np.uint8)
        picture = BLANK.copy()
        picture[60 : 60 + len(code), 300 : 300 + len(code)] = np.where(code, 0, 255)[:, :, None]
        return picture

    def present(self) -> dict[str, Any]:
        """Let the next person hold up a code until there is an answer; the answer."""
        picture = self.next_picture()
        with contextlib.closing(follow(self.socket)) as events:
            next(events)  # from now on nothing is missed
            self.view = picture
            self._film(picture)
            for event in events:  # "alive" among them
                if event["event"] == "answer":
                    self.view = BLANK
                    self._film(BLANK)
                    return event
                self._film(picture)
        raise AssertionError("the terminal ended")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)
