"""Random bytes at line rate at two consoles: one where nobody is logged in, one where an observer is.

    make fuzz-console ARGS='--seconds 60 --seed 7'

Neither may crash, grow, let anybody in, or change anything; both must serve a person afterwards. Among the
bytes are words, keys and escape sequences that mean something here, so that more is reached than by chance.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import pexpect

from config.settings_history import SettingsHistory
from terminal.console import attempts
from tests.terminal.console.rig import ConsoleRig

RATE = 11_520  # bytes a second: 115200 baud, 8N1
_STEP = 0.05  # seconds
_GROWTH = 8_000_000  # bytes that a process may grow by, once it has warmed up
_WORDS = [
    b"admin\r", b"observe\r", b"json\r", b"key\r", b"help\r", b"?", b"\t", b"\t\t", b"exit\r",
    b"show status\r", b"set relay.pin 4\r", b"commit\r", b"account add x admin\r", b"reboot\r",
    b"factory reset north-gate-1\r", b'{"id": 1, "do": "show status"}\n',
    b'{"id": 1, "login": {"name": "admin", "password": "admin"}}\n', b'{"id": 1, "login": {"response": "',
    b'{"do": "exit"}\n', b"\x03", b"\x04", b"\x1b[A", b"\x1b[200~", b"\x1b[201~", b"\x1b9999999x",
    b"\x18\x05", b"\x1a", b"\x1b!", b"\x12", b"\x1bx", b"\x15", b"\x19" * 50, b"\x1b[6n",
    b"\x1b[40;120R", b"\x18\x18\x18", b"\x01\x01\x00\xff", b"C" * 20, b";id\r", b"$(reboot)\r",
    b"`id`\r", b"|sh\r", b"\r" * 20,
]  # fmt: skip


@dataclass
class Fuzzed:
    """One console under fire."""

    name: str
    rig: ConsoleRig
    rng: random.Random
    sizes: list[int] = field(default_factory=list)
    sent: int = 0

    def piece(self, size: int) -> bytes:
        """About `size` bytes."""
        kind = self.rng.random()
        if kind < 0.4:
            return self._kept(self.rng.randbytes(size))
        if kind < 0.5:
            return bytes(self.rng.choices(range(32, 127), k=size))
        out = b""
        while len(out) < size:
            out += self.rng.choice(_WORDS)
            if self.rng.random() < 0.3:
                out += self.rng.randbytes(self.rng.randrange(1, 20))
        return self._kept(out)

    def _kept(self, data: bytes) -> bytes:
        """An observer who logs out by chance could not be let in again."""
        return data.replace(b"\x04", b"").replace(b"exit", b"") if self.name == "observer" else data

    def resident(self) -> int:
        """Bytes of memory that the console has now. Raises: FileNotFoundError when it is gone."""
        assert self.rig.process
        text = Path(f"/proc/{self.rig.process.pid}/statm").read_text("ascii")
        return int(text.split()[1]) * 4096

    def faults(self) -> list[str]:
        """What went wrong."""
        found = []
        assert self.rig.process
        if (status := self.rig.process.poll()) is not None:
            return [f"{self.name}: ended with {status}: {self.rig.log.read_text()[-2000:]}"]
        log = self.rig.log.read_text()
        if "Traceback" in log:
            found.append(
                f"{self.name}: an exception that is not foreseen: {log[log.index('Traceback') :][:3000]}"
            )
        return found

    def growth(self) -> int:
        """Bytes it grew by between the second and the last quarter; the least of each, beside what passes."""
        quarter = max(1, len(self.sizes) // 4)
        return min(self.sizes[-quarter:]) - min(self.sizes[quarter : 2 * quarter] or self.sizes)


def run(seconds: float, seed: int) -> list[str]:
    """Fire for `seconds`; what went wrong."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as aside:
        both = []
        for number, name in enumerate(("stranger", "observer")):
            (Path(aside) / name).mkdir()
            both.append(Fuzzed(name, ConsoleRig(Path(aside) / name), random.Random(seed * 2 + number)))
        try:
            for fuzzed in both:
                fuzzed.rig.start()
                with fuzzed.rig.picocom() as person:
                    person.send("\r")
                    person.expect("login:")
                    if fuzzed.name == "observer":
                        fuzzed.rig.log_in(person, "observe")
            _fire(both, seconds)
            for fuzzed in both:
                faults += fuzzed.faults() or _served(fuzzed)
                click.echo(f"{fuzzed.name}: grew by {fuzzed.growth() / 1e6:.1f} MB")
                if fuzzed.growth() > _GROWTH:
                    faults.append(f"{fuzzed.name}: its memory grows")
        finally:
            for fuzzed in both:
                fuzzed.rig.close()
    return faults


def _fire(both: list[Fuzzed], seconds: float) -> None:
    begun = time.monotonic()
    shown = 0.0
    while (passed := time.monotonic() - begun) < seconds:
        for fuzzed in both:
            data = fuzzed.piece(int(RATE * _STEP))
            fuzzed.rig.cable.send(data)
            fuzzed.sent += len(data)
        if passed - shown > max(1.0, seconds / 60):
            shown = passed
            for fuzzed in both:
                if fuzzed.faults():
                    return
                fuzzed.sizes.append(fuzzed.resident())
                # Else all but the first guesses would be thrown away unread.
                (fuzzed.rig.settings.keys / attempts.FILE).unlink(missing_ok=True)
            sizes = ", ".join(f"{f.name} {f.sent:,} bytes, {f.sizes[-1] / 1e6:.1f} MB" for f in both)
            click.echo(f"{passed:5.0f} s  {sizes}")
        time.sleep(max(0.0, begun + both[0].sent / RATE - time.monotonic()))


def _served(fuzzed: Fuzzed) -> list[str]:
    """Nobody was let in, nothing was changed, and a person is served as if nothing had been."""
    rig, found = fuzzed.rig, []
    logins = [entry for entry in rig.entries() if entry["action"] == "login"]
    expected = 1 if fuzzed.name == "observer" else 0
    if len(logins) != expected:
        found.append(f"{fuzzed.name}: {len(logins)} logins, not {expected}: {logins[-1:]}")
    if len(SettingsHistory(rig.settings_file).versions()) > 1:
        found.append(f"{fuzzed.name}: the settings were changed")
    (rig.settings.keys / attempts.FILE).unlink(missing_ok=True)
    rig.cable.unplug()
    rig.cable.plug()
    try:
        with rig.picocom() as person:
            rig.log_in(person)
    except (pexpect.ExceptionPexpect, AssertionError) as error:
        found.append(
            f"{fuzzed.name}: does not serve a person afterwards: {error}\n{rig.log.read_text()[-3000:]}"
        )
    return found


def main() -> None:
    """Exit status 1 when anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    click.echo(
        f"seed {given.seed}: {given.seconds:g} s of random bytes at {RATE} bytes a second, at two consoles"
    )
    faults = run(given.seconds, given.seed)
    for fault in faults:
        click.echo(fault)
    click.echo("no crash, no growth, no login" if not faults else f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
