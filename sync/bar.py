"""A progress bar on a person's terminal, for what takes over two seconds; elsewhere nothing is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

_AFTER = 2.0  # seconds


@contextmanager
def bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """Shows how much of `total` is done, which the function given is told."""
    progress = Progress(console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = progress.add_task(what, total=total)
    begun = time.monotonic()

    def show(done: float) -> None:
        if (
            progress.console.is_terminal
            and not progress.live.is_started
            and time.monotonic() - begun > _AFTER
        ):
            progress.start()
        progress.update(task, completed=done)

    try:
        yield show
    finally:
        if progress.live.is_started:  # else it would end a line that was never begun
            progress.stop()
