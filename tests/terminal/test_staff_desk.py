"""The ops by which staff act, on a real journal: each entry once, nothing malformed, nothing unrecorded."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import Moment
from terminal import staff_desk
from terminal.command_desk import who_locked_down
from terminal.commands import LOCKDOWN, OWN
from terminal.events import MAINTENANCE
from terminal.journal import Journal, JournalError, JournalReader, Memo
from terminal.journal_memos import FOR_GOOD
from terminal.maintenance_desk import MaintenanceDesk
from terminal.records import MOST_DETAILS, unseal
from terminal.staff_desk import EntryRefused, StaffDesk, parse_entry
from tests.terminal.world import NOW, RECORD_KEY, SetClock, open_journal, scan_record

BY = {"user": "li.wei", "role": "maintain", "via": "password", "session": "s-1"}
HERE = Moment(NOW, 0.0, True)


def entry(**changes: Any) -> dict[str, Any]:
    made = {"id": str(uuid.uuid4()), "at": NOW.isoformat(), "trusted": True, **BY, "action": "commit"}
    return {**made, "details": {"version": 3}, **changes}


class Rig:
    """A desk on the journal at `path`, and the gate's thread that serves it."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock, self.over = path, SetClock(), threading.Event()
        self.journal: Journal | None = open_journal(path)
        self.work = MaintenanceDesk()
        self.ops = StaffDesk(lambda: self.journal, self.clock, self.work).handlers()
        self.gate = threading.Thread(target=self._serve)
        self.gate.start()

    def _serve(self) -> None:
        while not self.over.wait(0.002):
            self.work.serve()

    def begin_anew(self) -> None:
        assert self.journal
        self.journal.close()
        self.journal = open_journal(self.path)

    def record(self, *entries: Any) -> dict[str, Any]:
        return dict(self.ops["record"]({"entries": list(entries)}))

    def records(self) -> list[dict[str, Any]]:
        events = JournalReader(self.path).after(0, records=10_000, size=10**8)
        return [unseal(event, RECORD_KEY) for event in events if event.type == MAINTENANCE]

    def close(self) -> None:
        self.over.set()
        self.gate.join()
        if self.journal:
            self.journal.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal.db")
    yield made
    made.close()


def test_an_entry_is_a_record_once_however_often_it_is_sent(rig: Rig) -> None:
    one, other = entry(), entry(id=str(uuid.uuid4()).upper(), action="rollback", details={})
    assert rig.record(one, one) == {"recorded": [one["id"], one["id"]], "refused": []}
    assert rig.record(one, other)["recorded"] == [one["id"], other["id"]]
    rig.begin_anew()
    assert rig.record(other, one)["refused"] == []
    assert rig.records() == [
        {"record": one["id"], **BY, "action": "commit", "details": {"version": 3}},
        {"record": other["id"].lower(), **BY, "action": "rollback", "details": {}},
    ]


DEEP: Any = 0
for _ in range(400):
    DEEP = [DEEP]
MALFORMED: list[Any] = [
    None, 7, "entry", [], {},
    entry(id=None), entry(id=7), entry(id="x"), entry(id=""), entry(id="a" * 300),
    entry(at=""), entry(at="today"), entry(at=1), entry(at="2026-11-24T07:30:00"), entry(at="2026-11-24"),
    entry(at="0001-01-01T00:00:00+14:00"), entry(at="1969-12-31T23:59:59Z"),
    entry(at="9999-12-31T23:59:59-14:00"),
    entry(user=None), entry(role=[]), entry(via="v" * 201), entry(session={}), entry(action=None),
    entry(user="half \ud83d"), entry(action="\udfff"),
    entry(details=[]), entry(details=None), entry(details={"n": 2**70}), entry(details={"s": "\ud800"}),
    entry(details={"deep": DEEP}), entry(details={"long": "x" * MOST_DETAILS}),
]  # fmt: skip


def test_malformed_entries_are_refused_one_by_one_and_the_others_recorded(rig: Rig) -> None:
    first, last = entry(), entry(user="李伟", details={"long": "x" * (MOST_DETAILS - 20)})
    answer = rig.record(first, *MALFORMED, last)
    assert answer["recorded"] == [first["id"], last["id"]]
    assert len(answer["refused"]) == len(MALFORMED)
    for one, refused in zip(MALFORMED, answer["refused"], strict=True):
        assert refused["id"] == (one.get("id") if isinstance(one, dict) else None)
        assert refused["error"]
    assert [one["record"] for one in rig.records()] == [first["id"], last["id"]]


@pytest.mark.parametrize("entries", [None, {}, "x", [], [entry()] * 101, 5])
def test_a_request_without_a_list_of_entries_is_refused(entries: Any, rig: Rig) -> None:
    with pytest.raises(ValueError, match="entries: a list of 1 to 100 entries"):
        rig.ops["record"]({"entries": entries})
    assert rig.records() == []


def test_the_ids_that_are_remembered_are_bounded_and_the_newest(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_desk, "_REMEMBERED", 10)
    entries = [entry() for _ in range(36)]
    for start in range(0, 36, 6):
        rig.record(*entries[start : start + 6])
    assert rig.journal
    assert len(rig.journal.recall(*OWN)) == 10
    rig.record(*entries[-10:])
    assert len(rig.records()) == 36


def test_a_time_that_is_yet_to_come_is_the_present_and_not_trusted(rig: Rig) -> None:
    rig.record(entry(at=(NOW + timedelta(days=400)).isoformat()))
    (event,) = JournalReader(rig.path).after(0, records=9, size=10**6)
    assert (event.time, event.clock_trusted) == (NOW, False)


def test_an_entry_of_days_ago_does_not_let_the_clock_go_back_there(rig: Rig) -> None:
    assert rig.journal
    rig.journal.append(scan_record())
    rig.record(entry(at=(NOW - timedelta(days=9)).isoformat()))
    assert rig.journal.newest_time() == NOW
    rig.begin_anew()
    assert rig.journal.newest_time() == NOW


def test_all_entries_of_a_request_are_one_write(rig: Rig) -> None:
    assert rig.journal
    rig.journal._db.execute("pragma max_page_count = 12")  # a file that soon is full
    big = [entry(details={"long": "x" * 4000}) for _ in range(30)]
    with pytest.raises(JournalError):
        rig.record(*big)
    assert rig.records() == []
    rig.journal._db.execute("pragma max_page_count = 100000")
    assert len(rig.record(*big)["recorded"]) == 30
    assert len(rig.records()) == 30


def test_staff_and_central_each_release_only_what_they_closed(rig: Rig) -> None:
    assert rig.journal
    closed = rig.ops["lockdown"]({"by": BY, "reason": "glass"})
    assert closed == {"sequence": 1, "closed_by": ["maintenance staff"]}
    rig.journal.remember(*OWN, [Memo(LOCKDOWN, 5, FOR_GOOD)], now=1)
    rig.begin_anew()
    assert who_locked_down(rig.journal) == ("central", "maintenance staff")
    assert rig.ops["release"]({"by": BY})["closed_by"] == ["central"]
    rig.ops["lockdown"]({"by": BY, "reason": "again"})
    rig.journal.remember(*OWN, [Memo(LOCKDOWN, 5, 0)], now=1)
    assert who_locked_down(rig.journal) == ("maintenance staff",)
    assert rig.ops["release"]({"by": BY})["closed_by"] == []
    assert [(one["action"], one["details"]) for one in rig.records()] == [
        ("lockdown", {"reason": "glass"}),
        ("release", {}),
        ("lockdown", {"reason": "again"}),
        ("release", {}),
    ]


@pytest.mark.parametrize(
    ("op", "request_"),
    [
        ("lockdown", {"by": BY}),
        ("lockdown", {"by": BY, "reason": ""}),
        ("lockdown", {"by": BY, "reason": "x" * 201}),
        ("lockdown", {"by": BY, "reason": "\ud800"}),
        ("lockdown", {"reason": "glass"}),
        ("lockdown", {"by": {**BY, "user": 5}, "reason": "glass"}),
        ("release", {}),
        ("release", {"by": "li.wei"}),
        ("release", {"by": {**BY, "session": "\udc00"}}),
    ],
)
def test_nobody_closes_or_opens_without_saying_who_and_why(op: str, request_: Any, rig: Rig) -> None:
    with pytest.raises(ValueError, match=r"^(by|reason): "):
        rig.ops[op](request_)
    assert rig.records() == []


def test_without_a_journal_nothing_is_done(rig: Rig) -> None:
    assert rig.journal
    rig.journal.close()
    rig.journal = None
    for op, request in (("lockdown", {"by": BY, "reason": "x"}), ("record", {"entries": [entry()]})):
        with pytest.raises(JournalError, match="the journal is not open"):
            rig.ops[op](request)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
ALMOST = st.fixed_dictionaries(
    {},
    optional={
        "id": st.uuids().map(str) | JSON,
        "at": TIMES | JSON,
        "trusted": JSON,
        **{name: st.text(max_size=5) | JSON for name in (*BY, "action")},
        "details": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON,
    },
)


@given(JSON | ALMOST | st.builds(lambda changes: {**entry(), **changes}, ALMOST), st.booleans())
def test_any_json_is_a_record_of_the_past_or_refused(given_: Any, trusted: bool) -> None:
    now = Moment(NOW, 0.0, trusted)
    try:
        identity, record = parse_entry(given_, now)
    except EntryRefused:
        return
    assert identity == record.identity == str(uuid.UUID(given_["id"]))
    assert record.happened_at <= now.wall
    if record.clock_trusted:
        assert trusted
        assert datetime.fromisoformat(given_["at"]) <= now.wall
    json.dumps(record.to_document())
