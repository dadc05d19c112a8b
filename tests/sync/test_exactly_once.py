"""Journal, uplink and ingest in memory, in whatever order of accidents hypothesis thinks of.

All three are the real code; between uplink and central there is no socket (see in_process.py). Whatever was
done, at the end every record that the journal acknowledged is at central exactly once.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from config.settings import load_settings
from sync.central.app import create_app
from sync.central.site import Site
from sync.central.store import Store
from sync.faults import SyncFault
from sync.http import session
from sync.uplink import Uplink
from terminal.journal import Journal, JournalReader
from terminal.provision import device_key, trust
from terminal.receipt import Receipt
from tests.sim.campus import build
from tests.sim.exactly_once import chain_breaks
from tests.sync.in_process import InProcess
from tests.terminal.world import scan_record

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory
FATES = ("", "", "lose-request", "lose-response", "duplicate", "portal")


def scratch() -> Path:
    """A new directory, in memory where there is a file system for that."""
    return Path(tempfile.mkdtemp(prefix="exactly-once-", dir=_MEMORY if _MEMORY.is_dir() else None))


@functools.cache
def template() -> Path:
    """The campus that every example begins with, without its roster."""
    with tempfile.TemporaryDirectory() as made:
        build(Path(made), seed=1, link_url="http://127.0.0.1:9")
        kept = scratch()
        shutil.copytree(made, kept, dirs_exist_ok=True)
        return kept


class ExactlyOnce(RuleBasedStateMachine):
    """One terminal's journal and uplink, and central."""

    @initialize()
    def begin(self) -> None:
        self.directory = scratch()
        shutil.copytree(template(), self.directory, dirs_exist_ok=True)
        self.settings = load_settings(self.directory / "terminal" / "campusgate.toml")
        self.site = Site(self.directory / "central")
        self.sworn: dict[int, str] = {}  # what the journal acknowledged: digest by sequence
        self.receipts: list[bytes] = []
        self.backups: list[Path] = []
        self.restored = False  # whether central forgot what it had acknowledged
        self.network = InProcess(None)
        self.open_central()
        self.open_journal()
        self.open_uplink()

    def open_central(self) -> None:
        self.store = Store(self.site.database_url)
        self.network.app = create_app(self.site, self.store)

    def open_journal(self) -> None:
        trusted = trust(self.settings)
        self.journal = Journal(
            self.settings.journal,
            device=self.settings.device.name,
            central_key=trusted.central_key,
            state_key=trusted.state_key,
        )

    def open_uplink(self) -> None:
        http = session(self.settings)
        http.mount("http://", self.network)
        paced = self.settings.sync.model_copy(update={"batch_records": 3})
        settings_ = self.settings.model_copy(update={"sync": paced})
        self.uplink = Uplink(settings_, device_key(self.settings), http)

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        for _ in range(count):
            number = self.journal.head.sequence + 1
            entry = self.journal.append(scan_record(number))
            self.sworn[entry.sequence] = entry.digest

    @rule(fate=st.sampled_from(FATES))
    def step(self, fate: str) -> None:
        self.network.fates = [fate]
        with contextlib.suppress(SyncFault):
            self.uplink.step()
        self.network.fates = []
        if self.settings.receipt.exists():
            self.receipts.append(self.settings.receipt.read_bytes())

    @rule(which=st.integers(0, 99))
    def an_old_request_arrives_again(self, which: int) -> None:
        if self.network.sent:
            self.network.deliver(self.network.sent[which % len(self.network.sent)])

    @rule(receipt=st.sampled_from(("kept", "lost", "old", "garbage")), which=st.integers(0, 99))
    def restart_uplink(self, receipt: str, which: int) -> None:
        file = self.settings.receipt
        if receipt == "lost":
            file.unlink(missing_ok=True)
        elif receipt == "old" and self.receipts:
            file.write_bytes(self.receipts[which % len(self.receipts)])
        elif receipt == "garbage":
            file.write_bytes(b'{"through": 9, "dig')
        self.open_uplink()

    @rule()
    def restart_journal(self) -> None:
        self.journal.close()
        self.open_journal()

    @rule()
    def back_up_central(self) -> None:
        self.store.close()
        copy = self.directory / f"backup-{len(self.backups)}"
        shutil.copytree(self.site.directory, copy)
        self.backups.append(copy)
        self.open_central()

    @rule(which=st.integers(0, 99))
    def restore_central(self, which: int) -> None:
        if not self.backups:
            return
        self.store.close()
        shutil.rmtree(self.site.directory)
        shutil.copytree(self.backups[which % len(self.backups)], self.site.directory)
        self.restored = True
        self.open_central()

    @invariant()
    def what_is_at_central_is_there_once_in_order_and_as_it_was_written(self) -> None:
        if not hasattr(self, "store"):
            return
        arrived = [one.event for one in self.store.records(limit=10_000)]
        assert self.store.counts()["alarm"] == 0
        assert len({event.sequence for event in arrived}) == len(arrived)
        assert all(self.sworn[event.sequence] == event.digest for event in arrived)
        events = {event.sequence: event for event in arrived}
        through = Receipt.load(self.settings.receipt).through
        if not self.restored:
            assert all(number in events for number in range(1, through + 1))
        for number, event in events.items():  # with the live lane there may be holes, but no false seam
            before = events.get(number - 1)
            assert before is None or event.previous == before.chained

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        # A central that was set back is noticed with the next record.
        self.append(1)
        newest = self.journal.head.sequence
        for _ in range(20 + 4 * newest):
            with contextlib.suppress(SyncFault):
                self.uplink.step()
            if self.uplink.receipt.through == newest:
                break
        arrived = {one.event.sequence: one.event.digest for one in self.store.records(limit=10_000)}
        written = {
            e.sequence: e.digest
            for e in JournalReader(self.settings.journal).after(0, records=10_000, size=10**9)
        }
        assert arrived == self.sworn == written
        in_order = sorted((one.event for one in self.store.records(limit=10_000)), key=lambda e: e.sequence)
        assert chain_breaks(in_order) == 0
        self.what_is_at_central_is_there_once_in_order_and_as_it_was_written()
        self.journal.close()
        self.store.close()
        shutil.rmtree(self.directory)


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(max_examples=30, stateful_step_count=20)
