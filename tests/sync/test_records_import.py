"""Central takes records from sticks and over the network, in any order, and has each exactly once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from config.keys import public_pem
from sync.central.ingest import Lane
from sync.central.records_import import ImportRefused, import_records
from sync.central.store import Store
from sync.frames import FrameWriter, first_line
from terminal.journal import JournalReader
from terminal.provision import device_key
from terminal.statement import StatementKind, verify_statement
from tests.sim.audit import reckon
from tests.sim.campus import Campus
from tests.sync.batches import event
from tests.sync.stick import export_to, files_on, import_from
from tests.sync.world import DEVICE, arrived, at, campusgate, deliver, uplink_to, write_records


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    stick = tmp_path / "usb"
    stick.mkdir()
    return stick


def test_importing_twice_changes_nothing(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 8)
    (file,) = export_to(usb, campus.settings).files
    first, second = import_from(file, campus), import_from(file, campus)
    assert (first.new, first.known, first.through, first.fault) == (8, 0, 8, "")
    assert (second.new, second.known, second.through, second.fault) == (0, 8, 8, "")
    assert arrived(campus) == list(range(1, 9))


def test_a_file_that_overlaps_with_the_network_adds_only_what_is_missing(
    campus: Campus, central: str, usb: Path
) -> None:
    write_records(campus.settings, 5)
    with uplink_to(at(campus.settings, central, batch_records=2)) as uplink:
        assert uplink.step() == 2
        campus.settings.receipt.unlink()
        (file,) = export_to(usb, campus.settings).files
        assert uplink.step() == 2
    done = import_from(file, campus)
    assert (done.new, done.known, done.through) == (1, 4, 5)
    write_records(campus.settings, 2)
    deliver(campus.settings, central)
    assert arrived(campus) == list(range(1, 8))


def test_what_the_live_lane_brought_ahead_of_a_file_counts_as_known(campus: Campus, usb: Path) -> None:
    events = write_records(campus.settings, 8)
    store = Store(campus.site.database_url)
    store.ingest(DEVICE, events[4:6], Lane.LIVE)
    store.close()
    done = import_from(export_to(usb, campus.settings).files[0], campus)
    assert (done.new, done.known, done.through, done.fault) == (6, 2, 8, "")


def test_an_alarm_over_another_terminal_is_none_over_the_file(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 2)
    (file,) = export_to(usb, campus.settings).files
    store = Store(campus.site.database_url)
    store.register("south-gate-1", public_pem(Ed25519PrivateKey.generate().public_key()))
    fork = [event(1, device="south-gate-1"), event(1, device="south-gate-1", salt="another")]

    def meanwhile(_: int) -> None:
        store.ingest("south-gate-1", fork)

    done = import_records(store, file, progress=meanwhile)
    assert store.counts()["alarm"] == 1
    store.close()
    assert (done.new, done.alarms) == (2, 0)


def test_records_missing_before_a_file_are_named(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 9)
    (file,) = export_to(usb, campus.settings, after=4).files
    done = import_from(file, campus)
    assert (done.new, done.through) == (0, 0)
    assert "record 1 and those after it are missing" in done.fault
    assert arrived(campus) == []


def test_an_unknown_a_revoked_and_an_impostors_file_are_refused(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 3)
    (file,) = export_to(usb, campus.settings).files
    store = Store(campus.site.database_url)
    try:
        other = usb / "other.records"
        other.write_bytes(file.read_bytes().replace(b"north-gate-1", b"nowhere-gate", 1))
        with pytest.raises(ImportRefused, match="no device is registered as 'nowhere-gate'"):
            import_records(store, other)
        store.register("south-gate-1", public_pem(Ed25519PrivateKey.generate().public_key()))
        other.write_bytes(file.read_bytes().replace(b"north-gate-1", b"south-gate-1", 1))
        assert "altered, moved" in import_records(store, other).fault
        line, link = first_line("south-gate-1", 1)
        writer = FrameWriter("south-gate-1", device_key(campus.settings), link)
        other.write_bytes(line + writer.frame([event(1, device="south-gate-1")]))
        assert "not signed by south-gate-1" in import_records(store, other).fault
        other.write_bytes(b"\x00" * 100)
        with pytest.raises(ImportRefused, match="cut off within the header"):
            import_records(store, other)
        store.devices.revoke(DEVICE)
        with pytest.raises(ImportRefused, match="is revoked"):
            import_records(store, file)
    finally:
        store.close()
    assert arrived(campus) == []


def test_a_fork_on_a_stick_is_an_alarm_and_refused(campus: Campus, usb: Path) -> None:
    events = write_records(campus.settings, 2)
    import_from(export_to(usb, campus.settings).files[0], campus)
    line, link = first_line(DEVICE, 2)
    writer = FrameWriter(DEVICE, device_key(campus.settings), link)
    fork = event(2, events[0].digest, salt="another")
    (usb / "fork.records").write_bytes(line + writer.frame([fork]) + writer.frame([]))
    done = import_from(usb / "fork.records", campus)
    assert (done.new, done.known, done.refused, done.alarms) == (0, 0, 1, 1)


@settings(max_examples=25)
@given(data=st.data())
def test_an_altered_file_gives_central_nothing_false(campus: Campus, usb: Path, data: st.DataObject) -> None:
    whole = usb / "whole.records"
    if not whole.exists():
        write_records(campus.settings, 6)
        export_to(whole, campus.settings)
    text = bytearray(whole.read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    altered = usb / "altered.records"
    altered.write_bytes(text)
    store = Store(campus.site.database_url)
    try:
        assert import_records(store, altered).fault
    except ImportRefused:
        pass
    finally:
        store.close()
    ledger = reckon(campus)
    assert (ledger.duplicated, ledger.alarms) == (0, 0)
    assert ledger.at_central in (0, 6)


def test_the_command_sums_up_each_file_and_its_exit_status_tells(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 4)
    (file,) = export_to(usb, campus.settings).files
    receipts = usb / "receipts"
    receipts.mkdir()
    command = ["central", "import", "--dir", str(campus.site.directory), "--receipt-to", str(receipts)]
    done = campusgate(*command, str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 new, 0 known, 0 refused, 0 alarms" in done.stdout
    assert "up to 4" in done.stdout
    assert [path.name for path in receipts.iterdir()] == ["campusgate-north-gate-1.receipt"]
    file.write_bytes(file.read_bytes()[:-5])
    torn = campusgate(*command, str(file))
    assert torn.returncode == 1
    assert "is cut off within frame 2" in torn.stderr
    assert "0 new, 4 known" in torn.stdout
    (usb / "no.records").write_bytes(b"hello\n")
    refused = campusgate(*command, str(usb / "no.records"), str(file))
    assert refused.returncode == 1
    assert "does not begin with the header" in refused.stderr


def test_a_receipt_that_cannot_be_written_keeps_no_file_from_being_taken(campus: Campus, usb: Path) -> None:
    for _ in range(2):
        write_records(campus.settings, 3)
        export_to(usb, campus.settings)
    files = files_on(usb)
    assert len(files) == 2
    (usb / "campusgate-north-gate-1.receipt").mkdir()
    done = campusgate("central", "import", "--dir", str(campus.site.directory), *map(str, files))
    assert done.returncode == 1
    assert f"{usb}: cannot take the receipt (Is a directory); the records are taken" in done.stderr
    assert arrived(campus) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("seed", range(6))
def test_sticks_and_network_in_any_order_bring_everything_exactly_once(
    campus: Campus, central: str, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    sticks = [tmp_path / name for name in ("red", "blue")]
    for stick in sticks:
        stick.mkdir()
    receipts: list[Path] = []
    write_records(campus.settings, 5)

    def online() -> None:
        with uplink_to(at(campus.settings, central, batch_records=rng.randint(1, 5))) as uplink:
            uplink.step()

    def take() -> None:
        stick = rng.choice(sticks)
        for file in files_on(stick):
            import_from(file, campus)
            receipts.append(file.parent / f"campusgate-{DEVICE}.receipt")

    def back() -> None:
        with uplink_to(at(campus.settings, central)) as uplink:
            for file in receipts[-1:]:
                statement = file.read_bytes()
                key = campus.site.statements.public_key()
                said = verify_statement(statement, [key], kind=StatementKind.RECEIPT, device=DEVICE)
                if JournalReader(campus.settings.journal).fits(said.receipt.through, said.receipt.digest):
                    uplink.offer(said.receipt)
                    uplink.step()

    def torn() -> None:
        for file in files_on(rng.choice(sticks))[-1:]:
            with file.open("rb+") as opened:
                opened.truncate(rng.randrange(file.stat().st_size + 1))

    moves = [
        online,
        take,
        back,
        torn,
        lambda: export_to(rng.choice(sticks), campus.settings),
        lambda: write_records(campus.settings, rng.randint(1, 4)),
    ]
    for _ in range(20):
        rng.choice(moves)()
        assert reckon(campus).alarms == 0
        assert reckon(campus).duplicated == 0
    if rng.random() < 0.5:
        deliver(campus.settings, central)
    else:
        export_to(sticks[0], campus.settings)
        take_all = [import_from(file, campus) for stick in sticks for file in files_on(stick)]
        assert any(done.through == JournalReader(campus.settings.journal).newest() for done in take_all)
    written = JournalReader(campus.settings.journal).newest()
    assert arrived(campus) == list(range(1, written + 1))
