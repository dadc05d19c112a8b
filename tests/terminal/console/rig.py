"""A provisioned gate, its console as a process of its own at one end of a cable, clients at the other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pexpect
import pexpect.fdpexpect
import pytest
import serial

from config.settings import Settings
from terminal.console import accounts
from terminal.console.accounts import Accounts
from terminal.console.roles import Role
from tests.sim.campus import Campus, build
from tests.terminal.console.null_modem import NullModem

_PROGRAMS = ".venv/test-programs/usr/bin"
_PATIENCE = 60  # seconds for a client to see what it waits for


def program(name: str) -> str:
    """The path of a program that .ci/test-programs unpacks where there is none; "" where it could not."""
    found = shutil.which(name) or shutil.which(name, path=_PROGRAMS)
    return str(Path(found).absolute()) if found else ""


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips a test of exactly these programs where one is missing."""
    missing = [name for name in names if not program(name)]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} here")


class ConsoleRig:
    """A gate in `directory`: its settings, an account of each role, a cable, and its console once started.

    campus: whose gate it is, when there is one already.
    """

    def __init__(self, directory: Path, campus: Campus | None = None) -> None:
        campus = campus or build(directory, seed=2, link_url="http://127.0.0.1:9")
        self.campus, self.settings_file = campus, campus.settings_file
        self.settings: Settings = campus.settings
        staff = Accounts(self.settings.keys / accounts.FILE)
        self.passwords = {"admin": staff.reset("admin")}
        for role in (Role.OBSERVE, Role.MAINTAIN):
            self.passwords[role] = staff.add(str(role), role)
        self.cable = NullModem(directory)
        self.log = directory / "console.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, program_text: str = "from config.cli import main; main()") -> None:
        """Start the console on the cable."""
        command = [sys.executable, "-X", "faulthandler", "-c", program_text, "console"]
        where = ["--settings", str(self.settings_file), "--port", str(self.cable.near)]
        # What a password's check takes goes back to the system at once, so that growth can be seen.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1048576"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *where, *options], stdout=log, stderr=log, env=environment
            )

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Stop it; it ends well, or this fails."""
        try:
            if self.process and self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                try:
                    assert self.process.wait(30) == 0, self.log.read_text()
                except subprocess.TimeoutExpired as error:
                    self.process.send_signal(signal.SIGABRT)  # faulthandler tells where it stands
                    self.process.wait()
                    raise AssertionError(f"it does not end: {self.log.read_text()}") from error
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            self.cable.close()

    @contextmanager
    def picocom(
        self, rows: int = 40, columns: int = 120, *, where: Path | None = None
    ) -> Iterator[pexpect.spawn]:
        """A person with picocom at the far end, not logged in. where: the directory of what they receive.

        Where there is no picocom, somebody who types as well as it does.
        """
        if program("picocom"):
            child = self._picocom(rows, columns, where)
        else:
            far = os.open(self.cable.far, os.O_RDWR | os.O_NOCTTY)
            child = pexpect.fdpexpect.fdspawn(
                far, encoding="utf-8", codec_errors="replace", timeout=_PATIENCE
            )
        child.delaybeforesend = None
        self.cable.screen = (rows, columns)  # pexpect is no terminal that would say so
        try:
            yield child
        finally:
            child.close(force=True) if program("picocom") else child.close()
            self.cable.screen = None

    def _picocom(self, rows: int, columns: int, where: Path | None) -> pexpect.spawn:
        return pexpect.spawn(
            program("picocom"),
            ["--quiet", "--nolock", "--baud", "115200", "--send-cmd", f"{program('sb')} -q",
             "--receive-cmd", f"{program('rb')} -q", str(self.cable.far)],
            dimensions=(rows, columns), encoding="utf-8", codec_errors="replace", timeout=_PATIENCE,
            cwd=where,
        )  # fmt: skip

    def log_in(self, child: pexpect.spawn, name: str = "admin", password: str | None = None) -> None:
        """Until the prompt of a session."""
        self.knock(child)
        child.send(f"{name}\r")
        child.expect("password:")
        child.send(f"{password or self.passwords[name]}\r")
        child.expect(r"help` lists the commands")
        child.expect(r"north-gate-1[#>]")

    @staticmethod
    def knock(child: pexpect.spawn) -> None:
        """Press Return until asked to log in: a console that just begins, or gets its line back, is deaf."""
        for _ in range(_PATIENCE):
            child.send("\r")
            if child.expect(["login:", pexpect.TIMEOUT], timeout=1) == 0:
                return
        raise AssertionError(f"no login: {child.before!r}")

    @staticmethod
    def does(child: pexpect.spawn, command: str, *seen: str) -> None:
        """Give a command at the prompt, and see all of that in turn (regular expressions)."""
        child.send(f"{command}\r")
        child.expect_exact(command)
        for text in seen:
            child.expect(text)

    @staticmethod
    def upload(child: pexpect.spawn, file: Path) -> None:
        """C-a C-s, and the file's name."""
        child.send("\x01\x13")
        child.expect(r"\*\*\* file: ")
        child.send(f"{file}\r")

    @staticmethod
    def download(child: pexpect.spawn) -> None:
        """C-a C-r; the name comes from the other end."""
        child.send("\x01\x12")
        child.expect(r"\*\*\* file: ")
        child.send("\r")

    def entries(self) -> list[dict[str, Any]]:
        """What staff did that no journal has taken yet, in order."""
        found = []
        for file in sorted((self.settings.state / "console").glob("[0-9]*.json")):
            with suppress(FileNotFoundError):  # it was taken just now
                found.append(json.loads(file.read_bytes()))
        return found

    def tool(self) -> serial.Serial:
        """The far end for a tool that speaks itself."""
        return serial.Serial(str(self.cable.far), 115_200, timeout=_PATIENCE)


@contextmanager
def console_rig(directory: Path, *options: str) -> Iterator[ConsoleRig]:
    """A rig whose console runs."""
    rig = ConsoleRig(directory)
    try:
        rig.start(*options)
        yield rig
    finally:
        rig.close()
