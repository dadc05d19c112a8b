"""A receipt that comes back on a stick: taken up with and without a running daemon, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.control import ask
from sync.carried import ReceiptRefused, carried, read_token
from sync.central.statements import Statements
from terminal.receipt import Receipt
from terminal.roster import RosterRefused
from terminal.statement import Statement, StatementKind
from tests.sim.campus import Campus
from tests.sync.stick import export_to, import_from, statement
from tests.sync.test_daemon import daemon
from tests.sync.world import assert_exactly_once, at, campusgate, downlink_from, serving, write_records


@pytest.fixture
def informed(campus: Campus) -> Campus:
    """The campus, whose terminal has a roster."""
    with serving(campus) as url, downlink_from(at(campus.settings, url)) as downlink:
        downlink.step()
    return campus


def take(campus: Campus, file: Path) -> tuple[int, str]:
    """Exit status and words of `campusgate records receipt`."""
    done = campusgate("records", "receipt", str(file), "--settings", str(campus.settings_file))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def carry(campus: Campus, usb: Path) -> Path:
    """Export, import at central; the receipt."""
    usb.mkdir(exist_ok=True)
    for file in export_to(usb, campus.settings).files:
        import_from(file, campus)
    return usb / "campusgate-north-gate-1.receipt"


def test_a_receipt_is_taken_up_without_a_daemon(informed: Campus, tmp_path: Path) -> None:
    write_records(informed.settings, 5)
    file = carry(informed, tmp_path / "usb")
    assert take(informed, file) == (0, "central has all records up to 5\n")
    assert_exactly_once(informed, 5)
    assert take(informed, file)[0] == 0  # again changes nothing


def test_a_running_daemon_takes_it_up_and_goes_on_from_there(informed: Campus, tmp_path: Path) -> None:
    write_records(informed.settings, 5)
    file = carry(informed, tmp_path / "usb")
    with daemon(informed):
        assert take(informed, file) == (0, "central has all records up to 5\n")
        told = ask(informed.settings.socket("sync"), "status")
        assert (told["through"], told["waiting"]) == (5, 0)
        assert Receipt.load(informed.settings.receipt).through == 5
        old = tmp_path / "old.receipt"
        old.write_bytes(statement(informed, Receipt()))
        assert take(informed, old) == (0, "central has all records up to 5\n")  # the network was quicker
        old.write_bytes(statement(informed, Receipt(5, "ab" * 32)))
        assert "wrong digest" in take(informed, old)[1]
        assert ask(informed.settings.socket("sync"), "status")["through"] == 5
    assert_exactly_once(informed, 5)


def test_what_is_no_good_receipt_is_refused_by_name_and_changes_nothing(
    informed: Campus, tmp_path: Path
) -> None:
    events = write_records(informed.settings, 5)
    known = Receipt(3, events[2].digest)
    stranger = Statements(tmp_path / "stranger.pem")
    stranger.create()
    good = Receipt(5, events[4].digest)
    forged = stranger.sign(Statement(StatementKind.RECEIPT, "north-gate-1", 1, receipt=good))
    time = informed.site.statements.sign(Statement(StatementKind.TIME, "north-gate-1", 1))
    for token, why in (
        (forged, "not signed by central"),
        (time, "is a time for"),
        (statement(informed, good, device="south-gate-1"), "'south-gate-1'"),
        (statement(informed, Receipt(5, events[3].digest)), "record 5 with a wrong digest"),
        (statement(informed, Receipt(6, events[4].digest)), "record 6 with a wrong digest"),
        (statement(informed, Receipt(2**62, "ab" * 32)), "with a wrong digest"),
        (b"", "no signed statement"),
        (b"x" * 2000, "at most 1024"),
    ):
        with pytest.raises(ReceiptRefused, match=why):
            carried(informed.settings, token, known)
    assert carried(informed.settings, statement(informed, good), known) == good
    behind = statement(informed, Receipt(2, events[1].digest))
    assert carried(informed.settings, behind, known) == known
    assert not informed.settings.receipt.exists()


def test_a_terminal_without_a_roster_says_what_is_missing(campus: Campus, tmp_path: Path) -> None:
    write_records(campus.settings, 1)
    with pytest.raises(RosterRefused, match="nothing downloaded yet"):
        carried(campus.settings, statement(campus, Receipt()), Receipt())


def test_a_file_too_long_for_a_receipt_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x.receipt").write_bytes(b"x" * 5000)
    with pytest.raises(ReceiptRefused, match="longer than the 1024 bytes"):
        read_token(tmp_path / "x.receipt")
