"""What carrying at the console needs: work that says how far it is, its record, a place for files."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from config.files import private_directory
from config.settings import Settings
from config.single import AlreadyRunning, Single
from terminal.console.command import Refused
from terminal.console.session import Session

_SAY_EVERY = 2.0  # seconds
_LOOK_EVERY = 0.05
_STOP_WITHIN = 30.0  # seconds for work to leave what is whole behind
_PLACE = "console-files"

Tell = Callable[[str], None]
"""Takes how far the work is; raises KeyboardInterrupt once it is to stop."""


_T = TypeVar("_T")


def watched(session: Session, work: Callable[[Tell], _T]) -> _T:
    """What `work` returns or raises, in a thread, while the client is told how far it is and may stop it."""
    stop, far, done = threading.Event(), ["at work"], queue.Queue[Callable[[], _T]]()

    def tell(how_far: str) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        far[0] = how_far

    def run() -> None:
        try:
            result = work(tell)
            done.put(lambda: result)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.put(partial(_again, error))

    thread = threading.Thread(target=run, name="carrying", daemon=True)
    thread.start()
    say_at = time.monotonic() + _SAY_EVERY
    try:
        while thread.is_alive():
            session.line.wait(_LOOK_EVERY)
            if time.monotonic() >= say_at:
                session.line.say(far[0])
                say_at = time.monotonic() + _SAY_EVERY
    except BaseException:
        stop.set()
        thread.join(_STOP_WITHIN)
        raise
    return done.get()()


def _again(error: BaseException) -> NoReturn:
    raise error


@contextmanager
def recorded(session: Session, action: str, **details: Any) -> Iterator[dict[str, Any]]:
    """Make what is done in here a record, with what is put into the details given, also when it fails."""
    found = dict(details)
    try:
        yield found
    except Exception as error:
        session.record(action, {**found, "failed": str(error)[:500]})
        raise
    session.record(action, found)


@contextmanager
def place(settings: Settings) -> Iterator[Path]:
    """A directory for files on their way over a line, empty, for one session at a time, gone afterwards.

    Raises: Refused while another session has it; OSError.
    """
    try:
        single = Single(settings.state, _PLACE)
    except AlreadyRunning as error:
        raise Refused("another session is carrying a file over a line; wait until it is done") from error
    directory = settings.state / _PLACE
    try:
        shutil.rmtree(directory, ignore_errors=True)  # of a console that was killed
        yield private_directory(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        single.close()
