"""What a process logs, kept for whoever maintains it: the newest lines in memory, and in a file if it dies.

The file is NAME.log beside NAME.sock, on a tmpfs: it outlives the process, not the boot, and wears no card.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections import deque
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from config.control import Events
from config.files import give_to_group

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
KEPT = 500  # lines in memory
_FILE_BYTES = 131_072  # twice: the present file and the one before


class ProcessLog(logging.Handler):
    """Keeps what is logged until the process ends, publishes it as events, and logs what ends a thread.

    A crash in a library in C, which logs nothing, leaves in the file where each thread stood.

    group: may read the file.
    Raises: OSError when it cannot be made, SettingsError when the group cannot have it.
    """

    def __init__(self, socket: Path, events: Events, *, group: str | None = None) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(FORMAT))
        self._events = events
        self._lines: deque[str] = deque(maxlen=KEPT)
        path = log_file(socket)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _File(path, group)
        self._file.setFormatter(logging.Formatter(FORMAT))
        root = logging.getLogger()
        root.setLevel(min(root.level, logging.INFO))
        root.addHandler(self)
        root.addHandler(self._file)
        sys.excepthook, threading.excepthook = self._main_died, self._thread_died

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a line that is worded wrongly must not end what logs it
            self.handleError(record)
            return
        for line in text.splitlines():
            self._lines.append(line)
            self._events.publish({"event": "log", "line": line})

    def lines(self, most: int) -> list[str]:
        """The newest lines, the oldest of them first."""
        self.acquire()  # others log meanwhile
        try:
            return list(self._lines)[-most:]
        finally:
            self.release()

    def close(self) -> None:
        """Keep nothing any more."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.removeHandler(self._file)
        self._file.close()
        sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
        super().close()

    @staticmethod
    def _main_died(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logging.getLogger().critical("the process ends", exc_info=(kind, error, trace))

    @staticmethod
    def _thread_died(died: threading.ExceptHookArgs) -> None:
        if died.exc_value is not None and not isinstance(died.exc_value, SystemExit):
            name = died.thread.name if died.thread else "?"
            error = (died.exc_type, died.exc_value, died.exc_traceback)
            logging.getLogger().critical("thread %s ends", name, exc_info=error)


class _File(RotatingFileHandler):
    """The file; where it cannot be written, as on a full tmpfs, the lines are in memory all the same."""

    def __init__(self, path: Path, group: str | None) -> None:
        self._group = group
        super().__init__(
            path, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace"
        )

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.fchmod(stream.fileno(), 0o640)
        give_to_group(Path(self.baseFilename), self._group)
        faulthandler.enable(stream)
        return stream

    def doRollover(self) -> None:
        """See `RotatingFileHandler.doRollover`."""
        faulthandler.disable()  # a crash must not write to what has the descriptor next
        super().doRollover()

    def close(self) -> None:
        """See `logging.FileHandler.close`."""
        faulthandler.disable()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.handleError`: a complaint for each line would only fill the next log."""


def log_file(socket: Path) -> Path:
    """Where the process behind `socket` leaves what it logs."""
    return socket.with_suffix(".log")


def last_words(socket: Path, most: int) -> list[str]:
    """The newest lines that the process behind `socket` logged, whether it lives or not."""
    lines: list[str] = []
    for path in (log_file(socket).with_suffix(".log.1"), log_file(socket)):
        try:
            lines += path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
    return lines[-most:]
