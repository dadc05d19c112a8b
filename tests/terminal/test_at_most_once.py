"""At most once: whatever is delivered, however the clock jumps and the power goes, on a real journal."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from terminal.command_desk import CommandDesk, locked_down
from terminal.events import COMMAND
from terminal.journal import Entry, Journal, JournalReader
from terminal.orders import Command, Do, dump_orders
from terminal.policy import Policy
from terminal.records import unseal
from tests.terminal.command_rig import SetDiagnosis, command
from tests.terminal.world import DEVICE, NOW, POLICY, RECORD_KEY, SetClock, open_journal, scan_record


class PowerCut(BaseException):
    """The power goes: nothing after this instant happens."""


@dataclass
class Delivered:
    """What the terminal has verified: the newest list it was given. Both a shelf and the roster on it."""

    data: bytes = b""

    def current(self, _now: Any) -> Delivered:
        return self

    def orders(self) -> bytes:
        return self.data

    def policy(self) -> Policy:
        return POLICY


@dataclass
class Door:
    """The portal: counts, and may lose its power just before it moves."""

    cut: bool = False
    opened: Counter[int] = field(default_factory=Counter)

    def open_for(self, entry: Entry, _seconds: float) -> float:
        if self.cut:
            raise PowerCut
        self.opened[entry.sequence] += 1
        return 0.0


class AtMostOnce(RuleBasedStateMachine):
    """Central's list grows and drops what has truly expired; the terminal's clock may say anything."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name, "journal.db")
        self.true_time = 0  # seconds after NOW
        self.listed: list[Command] = []
        self.issued: list[Command] = []
        self.said: dict[int, dict[str, Any]] = {}  # the records of commands, by sequence
        self.read = 0  # up to this record
        self.clock, self.roster, self.door = SetClock(), Delivered(), Door()
        self.sets_clock(0)
        self.start()

    def start(self) -> None:
        self.journal: Journal = open_journal(self.path)
        self.desk = CommandDesk(
            device=DEVICE, place="north-gate", shelf=self.roster, journal=self.journal,
            portal=self.door, clock=self.clock, diagnose=lambda: SetDiagnosis({}),
        )  # fmt: skip

    @rule(do=st.sampled_from([Do.UNLOCK, Do.UNLOCK, Do.UNLOCK, *Do, "dance"]), seconds=st.integers(1, 300))
    def issues(self, do: str, seconds: int) -> None:
        issued = command(
            f"c{len(self.issued)}", str(do), issued=self.true_time, expires=self.true_time + seconds
        )
        self.issued.append(issued)
        self.listed.append(issued)
        self.delivers()

    @rule()
    def delivers(self) -> None:
        now = NOW + timedelta(seconds=self.true_time)
        self.listed = [one for one in self.listed if one.expires_at > now]
        self.roster.data = dump_orders(DEVICE, self.listed, {})

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.true_time += seconds
        self.sets_clock(0)

    @rule(
        error=st.sampled_from([0, 0, 0, -(10**6), -100, 100, 10**6, 10**8]),
        trusted=st.sampled_from([True, True, False]),
    )
    def sets_clock(self, error: int, trusted: bool = True) -> None:
        self.clock.wall, self.clock.trusted = NOW + timedelta(seconds=self.true_time + error), trusted

    @rule()
    def looks(self) -> None:
        self.desk.look()

    @rule()
    def looks_and_the_power_goes_before_the_gate_moves(self) -> None:
        self.door.cut = True
        try:
            self.desk.look()
        except PowerCut:
            self.restarts()
        self.door.cut = False

    @rule()
    def restarts(self) -> None:
        self.journal.close()
        self.start()

    @rule()
    def scans(self) -> None:
        self.journal.append(scan_record(happened_at=self.clock.wall))

    @invariant()
    def nothing_is_done_twice_or_without_its_record(self) -> None:
        events = JournalReader(self.path).after(self.read, records=10_000, size=10**8)
        self.read = events[-1].sequence if events else self.read
        self.said |= {e.sequence: unseal(e, RECORD_KEY) for e in events if e.type == COMMAND}
        said = self.said
        assert all(times == 1 for times in Counter(one["command"] for one in said.values()).values())
        for sequence, times in self.door.opened.items():
            assert times == 1
            assert (said[sequence]["do"], said[sequence]["outcome"]) == ("unlock", "done")
        done = [one["do"] for one in said.values() if one["outcome"] == "done"]
        last = next((do for do in reversed(done) if do in ("lockdown", "release")), "release")
        assert locked_down(self.journal) == (last == "lockdown")

    def teardown(self) -> None:
        self.journal.close()
        self.directory.cleanup()


TestAtMostOnce = AtMostOnce.TestCase
TestAtMostOnce.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
