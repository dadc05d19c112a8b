"""The README's console chapter, typed at a real console beside a real terminal and sync daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.control import ask
from config.errors import ControlError
from tests.sim.processes import wait_until
from tests.terminal.console.rig import ConsoleRig, console_rig

_BLOCK = re.compile(r"^<!-- console -->\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWERED = re.compile(r"(.*\([a-z/]+\)) (\w+)")


def test_the_transcript_is_what_happens(tmp_path: Path) -> None:
    lines = _BLOCK.findall(Path("README.md").read_text("utf-8"))[0].splitlines()
    assert len(lines) > 20
    with ExitStack() as stack:
        rig = stack.enter_context(console_rig(tmp_path))
        for process in ("terminal", "sync"):
            stack.enter_context(running(rig, process))
        person = stack.enter_context(rig.picocom(rows=60, columns=160))
        rig.knock(person)
        for line in lines:
            prompt, _, typed = line.partition("# ")
            if line.startswith("login: "):
                person.send(line.removeprefix("login: ") + "\r")
            elif line == "password:":
                person.expect_exact(line)
                person.send(rig.passwords["admin"] + "\r")
            elif prompt == "north-gate-1":
                person.expect_exact(f"{prompt}#")
                rig.does(person, typed)
            elif answered := _ANSWERED.fullmatch(line):
                person.expect_exact(answered[1])
                person.send(answered[2] + "\r")
            else:
                person.expect(re.escape(line).replace(r"\.\.\.", ".*?"))
        rig.knock(person)  # it was logged out


@contextmanager
def running(rig: ConsoleRig, process: str) -> Iterator[None]:
    """`campusgate PROCESS run` while it lasts, from when it answers."""
    command = [sys.executable, "-c", "from config.cli import main; main()", process, "run"]
    with (rig.log.parent / f"{process}.log").open("ab") as log:
        started = subprocess.Popen(
            [*command, "--settings", str(rig.settings_file)],
            stdout=log,
            stderr=log,
            env=os.environ | {"SDL_VIDEODRIVER": "dummy"},
        )

    def answers() -> bool:
        try:
            return ask(rig.settings.socket(process), "health")["state"] == "well"
        except ControlError:
            return False

    try:
        assert wait_until(answers, 60)
        yield
    finally:
        started.terminate()
        assert started.wait(60) in (0, -15)
