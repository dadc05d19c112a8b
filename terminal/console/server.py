"""The console's loop: open the line, let somebody log in, carry out what they say, for ever.

A line that is lost is opened again as soon as it is there; a session never outlives its line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from config.errors import CampusgateError
from hw.serial_line import Line, LineLost
from terminal.console.people import People
from terminal.console.prompt import Ended
from terminal.console.reset import finish_reset
from terminal.console.reverting import Reverting
from terminal.console.staff import Station
from terminal.console.tools import Tools
from terminal.console.wire import Wire

log = logging.getLogger(__name__)

_AGAIN_AFTER = 1.0  # seconds until a line that is not there is tried again
_CHORES_EVERY = 1.0  # seconds


class Console:
    """Serves the lines that `open_line` gives until `stop` is called; once: only the first.

    as_json: begin with JSON lines; otherwise a client asks for them by the word `json`.
    """

    def __init__(self, station: Station, open_line: Callable[[], Line], *, as_json: bool, once: bool) -> None:
        self._station, self._open, self._as_json, self._once = station, open_line, as_json, once
        self._stop = threading.Event()

    def run(self) -> None:
        """Serve. Raises: LineLost when the only line cannot be opened."""
        chores = threading.Thread(target=self._chores, name="chores", daemon=True)
        chores.start()
        said = ""
        while not self._stop.is_set():
            try:
                line = self._open()
            except LineLost as lost:
                if self._once:
                    raise
                if str(lost) != said:
                    log.warning("%s; trying again", lost)
                said = str(lost)
                self._stop.wait(_AGAIN_AFTER)
                continue
            said = ""
            self._serve(line)
            if self._once:
                break
        self._stop.set()
        chores.join()
        self._station.hand_over()

    def stop(self) -> None:
        """Make `run` end soon; may be called from a signal handler."""
        self._stop.set()

    def _serve(self, line: Line) -> None:
        wire = Wire(line)
        try:
            people = None if self._as_json else People(self._station, wire, self._ending)
            tools = Tools(self._station, wire, self._ending)
            while not self._stop.is_set():
                if people:
                    if not people.serve():
                        tools.serve()
                else:
                    tools.serve()
                if self._once:
                    return
        except (LineLost, Ended) as ended:
            log.info("%s", ended)
        except Exception:  # the next client gets a fresh start
            log.exception("console")
            self._stop.wait(_AGAIN_AFTER)
        finally:
            wire.close()
            line.close()

    def _ending(self) -> str:
        return "the console stops" if self._stop.is_set() else ""

    def _chores(self) -> None:
        """What must go on whether anybody is at the line or not."""
        self._finish_reset()
        reverting = Reverting(self._station)
        while True:
            reverting.look()
            self._station.hand_over()
            if self._stop.wait(_CHORES_EVERY):
                return

    def _finish_reset(self) -> None:
        try:
            finish_reset(self._station.settings_path)
        except (CampusgateError, OSError) as error:
            log.error("a factory reset that was cut off cannot go on: %s", error)
