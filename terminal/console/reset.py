"""Making a terminal a blank machine again: the settings aside first, then the others stopped, then all wiped.

One rename decides: the settings file becomes NAME.reset, durably. From then on no process can start as the
old terminal, and whatever a power failure cuts off goes on when the console starts next (`finish_reset`),
because NAME.reset still says where the state is. It is the last to go.

Nothing is overwritten before it is deleted: flash writes elsewhere and keeps the old pages until it needs
them, so that overwriting would only promise. What makes the keys worth nothing is that central revokes the
device; records are sealed to central's key and reveal nothing; passwords are kept as scrypt only.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from config.control import ask
from config.errors import CampusgateError, ControlError
from config.files import sync_directory
from config.settings import Settings, load_settings
from config.settings_history import SettingsHistory
from config.single import AlreadyRunning, Single

PROCESSES = ("terminal", "sync")
_STOPPED_WITHIN = 45.0  # seconds; a terminal closes camera and journal first
_LOOK_EVERY = 0.1  # seconds
_FINISHING = threading.Lock()  # the console begins with it, and a client may ask for it meanwhile

Wait = Callable[[float], None]


class ResetUnfinished(CampusgateError, RuntimeError):
    """Raised when a process of the old terminal does not end, so that its state cannot be wiped yet."""


def reset_path(settings_path: Path) -> Path:
    """Where the settings of a terminal stand while it is wiped."""
    return settings_path.with_name(f"{settings_path.name}.reset")


def begin_reset(settings_path: Path) -> None:
    """Take the settings away, durably; then only `finish_reset` goes on. Raises: CommitRefused, OSError."""
    history = SettingsHistory(settings_path)
    with history.alone():
        history.forget_unconfirmed()  # or its settings would come back
        settings_path.replace(reset_path(settings_path))
        sync_directory(settings_path.parent)


def finish_reset(settings_path: Path, wait: Wait = time.sleep) -> bool:
    """Wipe what is left of a terminal whose reset was begun; False when there is none.

    The console calls it whenever it starts. wait: how to do nothing for some seconds.
    Raises: ResetUnfinished when a process of the old terminal still runs; OSError.
    """
    with _FINISHING:
        return _finish(settings_path, reset_path(settings_path), wait)


def _finish(settings_path: Path, aside: Path, wait: Wait) -> bool:
    if not aside.exists():
        return False
    settings = load_settings(aside)
    if settings.state.exists():
        with _stopped(settings, wait):
            _wipe(settings.state, keep={f"{process}.lock" for process in PROCESSES} | {aside.name})
    beside = settings_path.parent.glob(f"{settings_path.name}.*")
    for path in (*beside, SettingsHistory(settings_path).directory):
        if path != aside and path.exists():
            _delete(path)
    sync_directory(aside.parent)
    aside.unlink()
    sync_directory(aside.parent)
    return True


@contextlib.contextmanager
def _stopped(settings: Settings, wait: Wait) -> Iterator[None]:
    """While the terminal and the sync daemon do not run: they end when they restart without settings."""
    with contextlib.ExitStack() as held:
        for process in PROCESSES:
            with contextlib.suppress(ControlError):
                ask(settings.socket(process), "restart")
        deadline = time.monotonic() + _STOPPED_WITHIN
        for process in PROCESSES:
            held.callback(_lock(settings.state, process, deadline, wait).close)
        yield


def _lock(state: Path, process: str, deadline: float, wait: Wait) -> Single:
    while True:
        try:
            return Single(state, process)
        except AlreadyRunning as error:
            if time.monotonic() >= deadline:
                raise ResetUnfinished(
                    f"{error}; it does not end. Nothing is wiped yet: turn the power off and on, and the "
                    "reset goes on by itself"
                ) from error
        wait(_LOOK_EVERY)


def _wipe(directory: Path, keep: set[str]) -> None:
    for path in sorted(directory.iterdir()):
        if path.name not in keep:
            _delete(path)
    sync_directory(directory)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
