"""Runs `campusgate` so that it dies of SIGKILL at one exact step: what a power cut at that instant leaves.

python -m tests.sim.die_at TARGET before|after NTH ARGUMENT campusgate-arguments...

TARGET: a function as module:qualified.name. Its NTH call is the last: the process kills itself just before
or just after it. ARGUMENT: only calls that have this positional argument count; "" counts every call.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One instant in the life of a process. after: false for just before the call of `target`."""

    target: str
    after: bool
    nth: int = 1
    argument: str = ""

    def command(self, campusgate: list[str]) -> list[str]:
        """The interpreter's arguments that run `campusgate` with these arguments until the step."""
        when = "after" if self.after else "before"
        return ["-m", "tests.sim.die_at", self.target, when, str(self.nth), self.argument, *campusgate]


def arm(step: Step) -> None:
    """Replace the step's function by one that dies when its time has come."""
    module_name, _, path = step.target.partition(":")
    owner_path, _, name = path.rpartition(".")
    module = importlib.import_module(module_name)
    owner: Any = attrgetter(owner_path)(module) if owner_path else module
    setattr(owner, name, _deadly(getattr(owner, name), step))


def _deadly(whole: Callable[..., Any], step: Step) -> Callable[..., Any]:
    calls = 0

    @functools.wraps(whole)
    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += not step.argument or step.argument in arguments
        last = calls == step.nth
        if last and not step.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments, **named)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return deadly


if __name__ == "__main__":
    target, when, nth, argument, *campusgate = sys.argv[1:]
    arm(Step(target, when == "after", int(nth), argument))
    sys.argv = ["campusgate", *campusgate]

    from config.cli import main

    main()
