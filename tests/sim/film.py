"""What the whole terminal's camera sees in a fault schedule: one person after the other holds up a code."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import segno

from hw.camera_simulated import Stage
from sync.central.mint import personal_code
from tests.sim.blemishes import grain
from tests.sim.campus import Citizen, people

_SIZE = (360, 640)  # pixels, high and wide
_FRAME = 0.1  # seconds
_SHOWN, _GONE = 4, 2  # frames that a code is held up, and that nobody is there


class Film:
    """Plays on the stage `file` until closed."""

    def __init__(self, file: Path) -> None:
        self._stage, self._over = Stage(file, _SIZE), threading.Event()
        self._rng = np.random.default_rng(1)
        self._show(_blank())
        threading.Thread(target=self._play, name="film", daemon=True).start()

    def close(self) -> None:
        """Show nothing new any more."""
        self._over.set()

    def _play(self) -> None:
        for citizen in itertools.cycle(people(seed=1)):
            for picture in [_held_up(citizen)] * _SHOWN + [_blank()] * _GONE:
                if self._over.wait(_FRAME):
                    return
                self._show(picture)

    def _show(self, picture: npt.NDArray[np.uint8]) -> None:
        picture = picture.copy()
        grain(picture, self._rng)
        self._stage.show(picture)


def _blank() -> npt.NDArray[np.uint8]:
    return np.full((*_SIZE, 3), 90, np.uint8)


def _held_up(citizen: Citizen) -> npt.NDArray[np.uint8]:
    text = personal_code(citizen.phone, citizen.person.subject, int(time.time()))
    code = np.array(list(segno.make(text, error="m").matrix_iter(scale=4, border=4)), np.uint8)
    picture = _blank()
    picture[40 : 40 + len(code), 200 : 200 + len(code)] = np.where(code, 0, 255)[:, :, None]
    return picture
