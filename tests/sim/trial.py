"""One run of a schedule: terminal, sync daemon and central as processes, faults, healing, and the audit.

While faults come, whoever dies is started again at once. Then the network heals, disks have space and clocks
are right: the terminal must write again, everything must be acknowledged, and the audit compares the oath
(what the journal said is durable), the journal and central.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from config.settings import load_settings
from sync.central.site import Site
from terminal.journal import JournalError, JournalReader
from terminal.receipt import Receipt
from tests.sim.campus import Campus, Installed, build
from tests.sim.clockwork import set_clock
from tests.sim.die_at import Step
from tests.sim.exactly_once import Outcome, examine, faults_named
from tests.sim.faulty_network import EXCHANGES, OUTAGES, FaultyNetwork
from tests.sim.film import Film
from tests.sim.schedule import CLOCKS, FULL_DISKS, STEPS, VICTIMS, Fault, Schedule
from tests.sim.writer import sworn
from tests.sim.zygote import Call, Fork, Zygote

_NOBODY = "http://127.0.0.1:9"
_DISK = 16_777_216  # bytes
_STARTS_WITHIN = 60.0  # seconds
_HEALS_WITHIN = 60.0  # seconds; what takes longer is reported as not acknowledged
_LINGER = 10.0  # seconds for the last faults to be met
_LOOK = 0.05  # seconds
_HASTE = {  # so that a schedule takes a second or two
    "poll_seconds = 0.2": "poll_seconds = 0.15",
    "backoff_seconds = 2.0": "backoff_seconds = 0.5\nbatch_records = 25",
    "roster_seconds = 5.0": "roster_seconds = 3.0",
}


def make_template(directory: Path) -> Path:
    """The campus that every trial starts as a copy of, its roster fetched already; its directory."""
    campus = build(directory, seed=1, link_url=_NOBODY)
    shutil.copytree(campus.site.repository.directory, campus.settings.roster, dirs_exist_ok=True)
    campus.settings.path("thermal.txt").write_text("36.5")
    return directory


class Disk:
    """A small file system of its own at `directory`, where this process may mount one."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "campusgate-trial", str(directory)]
        self.small = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """Take all the space there is."""
        with suppress(OSError), (self.directory / "hog").open("ab", buffering=0) as hog:
            while True:
                hog.write(bytes(65_536))
        with suppress(OSError), (self.directory / "hog").open("ab", buffering=0) as hog:
            while True:
                hog.write(bytes(512))

    def free(self) -> None:
        """Give it back."""
        (self.directory / "hog").unlink(missing_ok=True)

    def close(self) -> None:
        """Take the file system away with all that is on it."""
        if self.small:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=True)


class Trial:
    """One schedule in `directory`, a copy of `template`. prepared: calls that a victim makes first."""

    def __init__(
        self,
        plan: Schedule,
        directory: Path,
        template: Path,
        zygote: Zygote,
        prepared: Mapping[str, Sequence[Call]] | None = None,
    ) -> None:
        self.directory, self._plan, self._zygote = directory, plan, zygote
        self._prepared: Mapping[str, Sequence[Call]] = prepared or {}
        self.disks = {name: Disk(directory / name) for name in ("terminal", "central")}
        for name in self.disks:
            shutil.copytree(template / name, directory / name, dirs_exist_ok=True)
        self._port = _port(random.Random(f"{directory} {time.monotonic_ns()}"))
        self.network = FaultyNetwork(self._port, plan.seed)
        self.campus = _moved(template, directory, self.network.port)
        self.oath, self._clock = directory / "oath", directory / "clock"
        set_clock(self._clock, 0.0)
        self.injected: Counter[str] = Counter()
        self._processes: dict[str, Fork] = {}
        self._armed: dict[str, str] = {}  # victim: the exact step that it is to die at
        self._stopped: set[str] = set()
        self._film = Film(directory / "stage.frames") if plan.whole else None

    def run(self) -> Outcome:
        """Go through the schedule, heal, and examine what is left."""
        trouble = ""
        try:
            for victim in VICTIMS:
                self.start(victim)
            if not self.until(lambda: self.receipt().through > 0, _STARTS_WITHIN):
                trouble = "nothing arrived before the first fault"
            self._suffer()
            trouble = trouble or self._heal()
            for victim in VICTIMS:
                self.stop(victim)
            return self.outcome(trouble)
        finally:
            self.close()

    def outcome(self, trouble: str = "") -> Outcome:
        """The audit. trouble: what went wrong besides."""
        return examine(
            self.campus,
            sworn(self.oath),
            seed=self._plan.seed,
            injected=self.injected + self.network.injected,
            named=faults_named(self.directory / "sync.log"),
            trouble=trouble,
        )

    def close(self) -> None:
        """End every process and take the disks away."""
        for process in self._processes.values():
            if process.status() is None:
                process.signal(signal.SIGKILL)
        self.network.close()
        if self._film:
            self._film.close()
        for disk in self.disks.values():
            disk.close()

    def receipt(self) -> Receipt:
        """What the sync daemon knows to have arrived."""
        return Receipt.load(self.campus.settings.receipt)

    def settled(self) -> bool:
        """Whether all that is in the journal is acknowledged."""
        try:
            return JournalReader(self.campus.settings.journal).newest() == self.receipt().through
        except JournalError:
            return False

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Keep the processes running until `condition`, at most `seconds`; whether it came."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._revive()
            time.sleep(_LOOK)
        return True

    def start(self, victim: str, step: Step | None = None) -> None:
        """Start `victim`. step: where it is to die."""
        settings = str(self.campus.settings_file)
        clock: Call = ("tests.sim.clockwork:follow", str(self._clock))
        calls: dict[str, list[Call]] = {
            "terminal": [
                ("tests.sim.writer:swear", str(self.oath)),
                clock,
                ("tests.sim.zygote:campusgate", "terminal", "run", "--settings", settings)
                if self._plan.whole
                else ("tests.sim.writer:write", settings, self._plan.seed, self._plan.pause),
            ],
            "sync": [clock, ("tests.sim.zygote:campusgate", "sync", "run", "--settings", settings)],
            "central": [
                (
                    *("tests.sim.zygote:campusgate", "central", "run", "--publish-every", "0"),
                    *("--dir", str(self.campus.site.directory), "--port", str(self._port)),
                )
            ],
        }
        *before, program = calls[victim]
        before += self._prepared.get(victim, ())
        if step:
            before.append(("tests.sim.zygote:die_at", step.target, step.after, step.nth, step.argument))
        self._stopped.discard(victim)
        self._processes[victim] = self._zygote.fork([*before, program], self.directory / f"{victim}.log")

    def kill(self, victim: str) -> bool:
        """SIGKILL `victim`; whether it was alive."""
        self._armed.pop(victim, None)
        alive = self._processes[victim].status() is None
        self._processes[victim].signal(signal.SIGKILL)
        return alive

    def stop(self, victim: str) -> int:
        """Ask `victim` to end, for good; its exit status."""
        self._stopped.add(victim)
        return self._processes[victim].stop()

    def _revive(self) -> None:
        statuses = self._zygote.statuses(self._processes.values())
        for victim, status in zip(self._processes, statuses, strict=True):
            if victim not in self._stopped and status is not None:
                armed = self._armed.pop(victim, "")
                if armed and status == -signal.SIGKILL:
                    self.injected[armed] += 1
                self.start(victim)

    def _suffer(self) -> None:
        begun = time.monotonic()
        moments: list[tuple[float, Callable[[], None]]] = []
        for fault in self._plan.faults:
            moments.append((fault.at, lambda fault=fault: self._inject(fault)))  # type: ignore[misc]
            if fault.kind in OUTAGES:
                moments.append((fault.at + fault.lasts, self.network.well))
            elif fault.kind in FULL_DISKS:
                moments.append((fault.at + fault.lasts, self.disks[FULL_DISKS[fault.kind]].free))
        for at, act in sorted(moments, key=lambda moment: moment[0]):
            self.until(lambda at=at: time.monotonic() - begun >= at, 60)  # type: ignore[misc]
            act()
        # What is planned for a batch or a step happens when it comes to that.
        self.until(lambda: not (self.network.planned or self._armed), _LINGER)
        self._armed.clear()

    def _inject(self, fault: Fault) -> None:
        kind = fault.kind
        if kind in EXCHANGES:
            self.network.plan(kind)
        elif kind in OUTAGES:
            self.network.out(kind)
        elif kind in STEPS:
            victim = STEPS[kind][0]
            self.kill(victim)
            self.start(victim, fault.step)
            self._armed[victim] = kind
        elif kind in FULL_DISKS:
            disk = self.disks[FULL_DISKS[kind]]
            if disk.small:
                disk.fill()
                self.injected[kind] += 1
        elif kind in CLOCKS:
            set_clock(self._clock, CLOCKS[kind])
            self.injected[kind] += 1
        else:
            self.injected[kind] += self.kill(kind.removeprefix("kill-"))

    def _heal(self) -> str:
        """Everything is well again; "", or what is not."""
        self.network.well()
        for disk in self.disks.values():
            disk.free()
        set_clock(self._clock, 0.0)
        before = len(sworn(self.oath))
        if not self.until(lambda: len(sworn(self.oath)) > before, _HEALS_WITHIN):
            return "the terminal writes no more records"
        self.stop("terminal")
        if not self.until(self.settled, _HEALS_WITHIN):
            return f"acknowledged up to {self.receipt().through} only"
        return ""


def _moved(template: Path, directory: Path, port: int) -> Campus:
    """The campus in `directory`, a copy of `template`, whose terminal finds central on `port`."""
    file = directory / "terminal" / "campusgate.toml"
    text = file.read_text("utf-8")
    for slow, fast in _HASTE.items():
        text = text.replace(slow, fast)
    text = text.replace(f'url = "{_NOBODY}"', f'url = "http://127.0.0.1:{port}"\ntimeout = 1.0')
    text = text.replace('path = "stage.frames"', f'path = "{directory / "stage.frames"}"')
    file.write_text(text, "utf-8")
    installed = Installed("north-gate-1", file, load_settings(file))
    return Campus(Site(directory / "central"), (), (installed,))


def _port(rng: random.Random) -> int:
    """A port on loopback below those that outgoing connections are given, so that it stays free."""
    while True:
        port = rng.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
