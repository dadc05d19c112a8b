"""Work that maintenance asks for and that only the gate's thread may do: it is done between two frames."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from config.heartbeat import HUNG_AFTER, ago

T = TypeVar("T")

_WITHIN = HUNG_AFTER  # seconds for the gate's thread to come to it


class MaintenanceDesk:
    """Takes work from any thread; the gate's thread calls `serve` in each of its rounds."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._served = time.monotonic()

    def run(self, function: Callable[[], T]) -> T:
        """What `function` gives, called by the gate's thread; raises what it raises.

        Raises: TimeoutError when the gate's thread does not come to it; it is then never called.
        """
        future: Future[T] = Future()
        self._asked.put((future, function))
        try:
            return future.result(_WITHIN)
        except TimeoutError:
            if future.cancel():
                raise TimeoutError(f"the gate's loop {self._trouble()}; nothing was done") from None
            return future.result()  # it has begun

    def serve(self, then: Callable[[], None] = lambda: None) -> None:
        """Do what was asked for since the last call. For the gate's thread; raises what `then` raises.

        then: called after each piece of work, before whoever asked for it hears that it is done.
        """
        self._served = time.monotonic()
        while not self._asked.empty():
            future, function = self._asked.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                done = function()
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                future.set_exception(error)
                continue
            try:
                then()
            finally:
                future.set_result(done)

    def _trouble(self) -> str:
        since = time.monotonic() - self._served
        return f"is hung since {ago(since)}" if since >= _WITHIN else "is busy"
