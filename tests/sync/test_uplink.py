"""The uplink against the real central: batches, receipts, gaps, and a receipt file that gets hurt."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import requests

from sync.central.store import Store
from sync.faults import Fault, SyncFault
from sync.protocol import batch_body
from terminal.events import lost
from terminal.journal import JournalReader
from terminal.receipt import Receipt
from tests.sim.campus import Campus
from tests.sync.batches import event, post
from tests.sync.conftest import NOBODY
from tests.sync.hostile import Call, Hostile, document
from tests.sync.world import (
    DEVICE,
    FIRST_SCAN,
    arrived,
    assert_exactly_once,
    at,
    counts,
    deliver,
    uplink_to,
    write_records,
)


def test_every_record_arrives_once_and_in_order(campus: Campus, central: str) -> None:
    write_records(campus.settings, 12)
    assert deliver(campus.settings, central) == [12]
    assert_exactly_once(campus, 12)


def test_what_central_opens_is_what_the_terminal_sealed(campus: Campus, central: str) -> None:
    write_records(campus.settings, 2)
    deliver(campus.settings, central)
    token = {"Authorization": f"Bearer {campus.site.operator_token()}"}
    records = requests.get(f"{central}/v1/records", headers=token, timeout=30).json()
    assert [entry["record"]["record"] for entry in records] == ["scan-1", "scan-2"]
    assert records[0]["record"]["verdict"] == "allow"


def test_a_record_that_does_not_open_and_lost_ones_leave_the_others_to_be_read(
    campus: Campus, central: str
) -> None:
    write_records(campus.settings, 1)
    deliver(campus.settings, central)
    first = JournalReader(campus.settings.journal).digest(1)
    assert first
    nonsense = event(2, first)
    gone = lost(DEVICE, 3, 5, previous=nonsense.digest, resumes="", at=FIRST_SCAN, trusted=False)
    assert post(central, campus, batch_body([nonsense, gone])).status_code == 200
    token = {"Authorization": f"Bearer {campus.site.operator_token()}"}
    records = requests.get(f"{central}/v1/records", headers=token, timeout=30).json()
    assert [entry["sequence"] for entry in records] == [1, 2, 5]
    assert [entry["record"] and entry["record"]["record"] for entry in records] == ["scan-1", None, None]


def test_without_a_journal_there_is_nothing_to_send(campus: Campus) -> None:
    with uplink_to(at(campus.settings, NOBODY)) as uplink:
        assert uplink.waiting() == 0
        assert uplink.step() == 0


def test_a_batch_holds_no_more_records_than_the_settings_say(campus: Campus, central: str) -> None:
    write_records(campus.settings, 7)
    with uplink_to(at(campus.settings, central, batch_records=3)) as uplink:
        assert [uplink.step() for _ in range(4)] == [3, 3, 1, 0]
    assert_exactly_once(campus, 7)


def test_a_batch_holds_no_more_bytes_than_the_settings_say(campus: Campus, central: str) -> None:
    events = write_records(campus.settings, 9)
    limit = sum(len(event.text) for event in events[:4]) + 10
    with uplink_to(at(campus.settings, central, batch_bytes=limit)) as uplink:
        steps = [uplink.step() for _ in range(3)]
    assert steps[0] == 4
    assert sum(steps) == 9
    assert_exactly_once(campus, 9)


def test_a_record_larger_than_a_batch_goes_alone(campus: Campus, central: str) -> None:
    write_records(campus.settings, 3)
    with uplink_to(at(campus.settings, central, batch_bytes=1)) as uplink:
        assert [uplink.step() for _ in range(4)] == [1, 1, 1, 0]
    assert_exactly_once(campus, 3)


def test_records_written_later_follow_those_before(campus: Campus, central: str) -> None:
    write_records(campus.settings, 3)
    deliver(campus.settings, central)
    write_records(campus.settings, 2)
    with uplink_to(at(campus.settings, central)) as uplink:
        assert uplink.waiting() == 2
        assert uplink.step() == 2
    assert_exactly_once(campus, 5)


def test_when_central_lost_its_newest_records_the_uplink_rewinds_and_sends_them_again(
    campus: Campus, central: str
) -> None:
    events = write_records(campus.settings, 6)
    deliver(campus.settings, central)
    with sqlite3.connect(campus.site.directory / "central.db") as db:  # an old backup was put back
        db.execute("delete from record where sequence > 2")
        db.execute("update device set through = 2, digest = ?", [events[1].digest])
    db.close()
    write_records(campus.settings, 1)
    with uplink_to(at(campus.settings, central)) as uplink:
        with pytest.raises(SyncFault, match="from 3 again") as caught:
            uplink.step()
        assert caught.value.fault is Fault.GAP
        assert Receipt.load(campus.settings.receipt) == Receipt(2, events[1].digest)
        assert uplink.step() == 5
    assert_exactly_once(campus, 7)


def test_a_gap_at_the_oldest_record_that_was_kept_is_filled(campus: Campus, central: str) -> None:
    events = write_records(campus.settings, 6)
    deliver(campus.settings, central)
    with sqlite3.connect(campus.site.directory / "central.db") as db:
        db.execute("delete from record where sequence > 3")
        db.execute("update device set through = 3, digest = ?", [events[2].digest])
    db.close()
    with sqlite3.connect(campus.settings.journal) as db:  # purged
        db.execute("delete from entry where sequence <= 3")
    db.close()
    write_records(campus.settings, 1)
    with uplink_to(at(campus.settings, central)) as uplink:
        with pytest.raises(SyncFault, match="from 4 again"):
            uplink.step()
        assert uplink.step() == 4
    assert arrived(campus) == [1, 2, 3, 4, 5, 6, 7]
    assert counts(central)["alarm"] == 0


def test_a_gap_within_lost_records_is_filled_by_what_stands_for_them(campus: Campus, central: str) -> None:
    events = write_records(campus.settings, 6)
    stands = lost(
        DEVICE, 3, 5, previous=events[1].digest, resumes=events[5].previous, at=FIRST_SCAN, trusted=True
    )
    with sqlite3.connect(campus.settings.journal) as db:
        db.execute("delete from entry where sequence between 3 and 5")
        db.execute("insert into entry values (?, ?)", [stands.sequence, stands.text])
    db.close()
    Receipt(6, events[5].digest).save(campus.settings.receipt)
    write_records(campus.settings, 1)
    store = Store(campus.site.database_url)
    store.ingest(DEVICE, events[:4])  # an old backup was put back
    store.close()
    with uplink_to(at(campus.settings, central)) as uplink:
        with pytest.raises(SyncFault, match="from 5 again"):
            uplink.step()
        assert uplink.step() > 0
        assert uplink.waiting() == 0
    assert arrived(campus) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("altered", [2, 3])
def test_a_record_that_the_disk_altered_is_not_sent(altered: int, campus: Campus, central: str) -> None:
    write_records(campus.settings, 4)
    with sqlite3.connect(campus.settings.journal) as db:
        alter = "update entry set event = replace(event, 'clocktrusted\":true', 'clocktrusted\":false')"
        assert db.execute(f"{alter} where sequence = ?", [altered]).rowcount == 1
    db.close()
    with uplink_to(at(campus.settings, central, batch_records=3)) as uplink:
        with pytest.raises(SyncFault, match=f"record {altered + 1} does not follow") as caught:
            uplink.step()
        assert caught.value.fault is Fault.JOURNAL
    assert arrived(campus) == []


def test_a_gap_that_the_journal_cannot_fill_is_named_and_moves_nothing(campus: Campus, central: str) -> None:
    write_records(campus.settings, 4)
    deliver(campus.settings, central)
    write_records(campus.settings, 2)
    before = campus.settings.receipt.read_bytes()
    with sqlite3.connect(campus.settings.journal) as db:
        db.execute("delete from entry where sequence = 5")
    db.close()
    with uplink_to(at(campus.settings, central)) as uplink, pytest.raises(SyncFault) as caught:
        uplink.step()
    assert caught.value.fault is Fault.GAP
    assert campus.settings.receipt.read_bytes() == before
    assert arrived(campus) == [1, 2, 3, 4]


def _deleted(receipt: Path) -> None:
    receipt.unlink()


def _half_written(receipt: Path) -> None:
    receipt.write_bytes(receipt.read_bytes()[:30])


def _garbage(receipt: Path) -> None:
    receipt.write_bytes(bytes(range(256)))


def _empty(receipt: Path) -> None:
    receipt.write_bytes(b"")


def _not_an_object(receipt: Path) -> None:
    receipt.write_bytes(b"[[[[1]]]]")


def _number_altered(receipt: Path) -> None:
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), "through": 900}))


def _number_absurd(receipt: Path) -> None:
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), "through": 2**70}))


def _number_moved_forward(receipt: Path) -> None:
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), "through": 6}))


def _digest_altered(receipt: Path) -> None:
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), "digest": "ab" * 32}))


HURTS = [
    _deleted,
    _half_written,
    _garbage,
    _empty,
    _not_an_object,
    _number_altered,
    _number_absurd,
    _number_moved_forward,
    _digest_altered,
]


@pytest.mark.parametrize("hurt", HURTS, ids=lambda hurt: hurt.__name__.strip("_"))
def test_after_its_receipt_file_was_hurt_everything_still_arrives_exactly_once(
    hurt: object, campus: Campus, central: str
) -> None:
    assert callable(hurt)
    write_records(campus.settings, 4)
    deliver(campus.settings, central)
    write_records(campus.settings, 3)
    hurt(campus.settings.receipt)
    with uplink_to(at(campus.settings, central)) as uplink:
        for _ in range(4):
            uplink.step()
        assert uplink.waiting() == 0
    assert_exactly_once(campus, 7)


def test_a_damaged_record_stops_the_uplink_by_name_before_anything_is_sent(campus: Campus) -> None:
    write_records(campus.settings, 3)
    with sqlite3.connect(campus.settings.journal) as db:
        db.execute("update entry set event = substr(event, 9) where sequence = 2")
    db.close()
    with Hostile(document(200, {})) as server, uplink_to(at(campus.settings, server.url)) as uplink:
        with pytest.raises(SyncFault) as caught:
            uplink.step()
        assert caught.value.fault is Fault.JOURNAL
        assert server.calls == []


def test_a_journal_that_is_no_database_is_named(campus: Campus) -> None:
    campus.settings.journal.write_bytes(b"not a database, whatever its name" * 40)
    with uplink_to(at(campus.settings, NOBODY)) as uplink:
        with pytest.raises(SyncFault) as stepping:
            uplink.step()
        with pytest.raises(SyncFault) as counting:
            uplink.waiting()
    assert stepping.value.fault is counting.value.fault is Fault.JOURNAL


def test_records_that_central_refuses_are_remembered_with_the_reason(campus: Campus) -> None:
    events = write_records(campus.settings, 3)

    def answer(call: Call) -> None:
        receipt = {"device": "north-gate-1", "through": 3, "digest": events[2].digest}
        refused = [{"sequence": 2, "reason": "fork"}]
        document(200, {**receipt, "refused": refused})(call)

    with Hostile(answer) as server, uplink_to(at(campus.settings, server.url)) as uplink:
        assert uplink.step() == 3
        [kept] = uplink.quarantine.newest(9)
    assert (kept.sequence, kept.reason, kept.event) == (2, "fork", events[1].text)


def test_a_fork_is_refused_by_central_and_known_to_the_uplink(campus: Campus, central: str) -> None:
    write_records(campus.settings, 3)
    deliver(campus.settings, central)
    for path in campus.settings.state.glob("journal.db*"):
        path.unlink()  # the SD card was wiped: the numbers begin again at 1
    campus.settings.receipt.unlink()
    write_records(campus.settings, 5)
    with uplink_to(at(campus.settings, central)) as uplink:
        uplink.step()
        kept = {(one.sequence, one.reason) for one in uplink.quarantine.newest(9)}
    assert kept == {(1, "fork"), (2, "fork"), (3, "fork")}
    store = Store(campus.site.database_url)
    assert store.counts()["alarm"] == 4  # three forks, and the chain that broke at record 4
    store.close()


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_forks_that_reach_beyond_a_batch_are_put_aside_and_hold_up_nothing(
    batch: int, campus: Campus, central: str
) -> None:
    write_records(campus.settings, 7)
    deliver(campus.settings, central)
    for path in campus.settings.state.glob("journal.db*"):
        path.unlink()
    campus.settings.receipt.unlink()
    write_records(campus.settings, 4)  # fewer than central has
    with uplink_to(at(campus.settings, central, batch_records=batch)) as uplink:
        while uplink.step():
            pass
        assert (uplink.waiting(), uplink.quarantine.count()) == (0, 4)
        write_records(campus.settings, 5)
        while uplink.step():
            pass
        assert (uplink.waiting(), uplink.quarantine.count()) == (0, 7)
    assert arrived(campus) == list(range(1, 10))


def test_forks_in_the_live_lane_do_not_make_a_backlog_vanish(campus: Campus, central: str) -> None:
    write_records(campus.settings, 9)
    deliver(campus.settings, central)
    for path in campus.settings.state.glob("journal.db*"):
        path.unlink()
    campus.settings.receipt.unlink()
    write_records(campus.settings, 6)
    with uplink_to(at(campus.settings, central, batch_records=2)) as uplink:
        uplink.step()  # there is a backlog: what comes now goes ahead of it
        write_records(campus.settings, 3)
        for _ in range(9):
            uplink.step()
        assert uplink.waiting() == 0
        assert {one.sequence for one in uplink.quarantine.newest(99)} == set(range(1, 10))


def test_what_was_purged_before_central_lost_it_holds_up_nothing_that_is_written_later(
    campus: Campus, central: str
) -> None:
    events = write_records(campus.settings, 6)
    deliver(campus.settings, central)
    with sqlite3.connect(campus.site.directory / "central.db") as db:  # a very old backup was put back
        db.execute("delete from record where sequence > 2")
        db.execute("update device set through = 2, digest = ?", [events[1].digest])
    db.close()
    with sqlite3.connect(campus.settings.journal) as db:
        db.execute("delete from entry where sequence < 6")
    db.close()
    before = Receipt.load(campus.settings.receipt)
    write_records(campus.settings, 1)
    with uplink_to(at(campus.settings, central)) as uplink:
        with pytest.raises(SyncFault, match="needs record 3, which is no longer here") as caught:
            uplink.step()
        assert caught.value.fault is Fault.GAP
        write_records(campus.settings, 2)
        assert uplink.step() == 2
        assert "no longer here" in uplink.trouble
    assert arrived(campus) == [1, 2, 8, 9]
    after = Receipt.load(campus.settings.receipt)
    assert (after.through, after.digest) == (before.through, before.digest)
    assert [(span.first, span.through) for span in after.ahead] == [(8, 9)]


def test_a_fork_at_the_newest_record_is_put_aside_and_holds_up_nothing(campus: Campus, central: str) -> None:
    events = write_records(campus.settings, 2)
    deliver(campus.settings, central)
    write_records(campus.settings, 1)
    theirs = event(3, events[1].digest)  # of a copy of this terminal's disk
    assert post(central, campus, batch_body([theirs])).status_code == 200
    with uplink_to(at(campus.settings, central)) as uplink:
        assert uplink.step() == 1
        assert [(one.sequence, one.reason) for one in uplink.quarantine.newest(9)] == [(3, "fork")]
        assert uplink.step() == 0
        write_records(campus.settings, 1)
        assert uplink.step() == 1
    assert Receipt.load(campus.settings.receipt).through == 4
