"""Receipts that are true, false or odd, and the files that what follows from them is kept in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sync import protocol
from sync.belief import believed
from sync.cli import sync
from sync.encoding import Coding, accepted
from sync.faults import Fault, SyncFault
from sync.lanes import Lane
from sync.pace import BatchSize
from sync.protocol import BatchReceipt, Wish
from sync.quarantine import Quarantine, quarantined
from terminal.events import FIRST_DIGEST, Event
from terminal.journal import JournalReader
from terminal.receipt import Receipt, Span
from tests.sim.campus import Campus
from tests.sync.world import DEVICE, write_records


@pytest.fixture
def events(campus: Campus) -> list[Event]:
    return write_records(campus.settings, 12)


def belief(campus: Campus, events: list[Event], lane: Lane, held: Receipt, **claims: Any) -> Receipt:
    """The receipt that an answer to the records 7 to 9 gives."""
    known = {"device": DEVICE, "through": held.through, "digest": held.digest}
    answer = BatchReceipt.model_validate({**known, **claims})
    journal = JournalReader(campus.settings.journal)
    return believed(answer, held, journal, device=DEVICE, lane=lane, events=events[6:9])[0]


def span(events: list[Event], first: int, through: int) -> protocol.Span:
    return protocol.Span(first=first, through=through, digest=events[through - 1].digest)


def test_a_true_live_receipt_adds_its_span(campus: Campus, events: list[Event]) -> None:
    held = Receipt(3, events[2].digest)
    made = belief(campus, events, Lane.LIVE, held, live=span(events, 7, 9))
    assert made == Receipt(3, held.digest, (Span(7, 9, events[8].digest),))
    assert made.count == 6


def test_a_live_lane_that_has_come_up_with_the_main_one_needs_no_span(
    campus: Campus, events: list[Event]
) -> None:
    held = Receipt(3, events[2].digest, (Span(5, 6, events[5].digest),))
    made = belief(campus, events, Lane.LIVE, held, through=9, digest=events[8].digest)
    assert made == Receipt(9, events[8].digest)


@pytest.mark.parametrize(
    "live",
    [(7, 8), (8, 9), (4, 9), (7, 12), None],
    ids=["not to the end", "not from the start", "touches the rest", "wrong digest", "nothing"],
)
def test_a_live_span_that_was_not_sent_is_a_lie(
    live: tuple[int, int] | None, campus: Campus, events: list[Event]
) -> None:
    held = Receipt(3, events[2].digest)
    claim = span(events, *live) if live else None
    if claim and live == (7, 12):
        claim = claim.model_copy(update={"digest": "ab" * 32})
    with pytest.raises(SyncFault) as caught:
        belief(campus, events, Lane.LIVE, held, live=claim)
    assert caught.value.fault is Fault.LYING_RECEIPT


def test_the_receipt_that_is_held_is_believed_when_its_record_was_purged(
    campus: Campus, events: list[Event]
) -> None:
    held = Receipt(3, "cd" * 32)  # as if record 3 were gone: only this digest is known of it
    assert belief(campus, events, Lane.LIVE, held, live=span(events, 7, 9)).through == 3
    with pytest.raises(SyncFault, match="wrong digest"):
        belief(campus, events, Lane.LIVE, held, digest=events[2].digest, live=span(events, 7, 9))


def test_what_was_never_sent_is_not_given_up_for_forks_in_the_live_lane(
    campus: Campus, events: list[Event]
) -> None:
    forks = [{"sequence": number, "reason": "fork"} for number in (7, 8, 9)]
    held = Receipt(3, events[2].digest)
    made = belief(campus, events, Lane.LIVE, held, through=9, digest="ab" * 32, refused=forks)
    assert made == Receipt(3, held.digest, (Span(7, 9, events[8].digest),))


CLAIMS = st.fixed_dictionaries(
    {
        "device": st.sampled_from([DEVICE, "south-gate-1"]),
        "through": st.integers(0, 14),
        "of": st.integers(0, 12),
        "live": st.none() | st.tuples(st.integers(1, 14), st.integers(1, 14), st.integers(1, 12)),
        "refused": st.lists(st.integers(5, 11), max_size=3),
        "lane": st.sampled_from(list(Lane)),
        "held": st.integers(0, 6),
    }
)


@given(CLAIMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_believed_is_true(campus: Campus, claims: dict[str, Any]) -> None:
    journal = JournalReader(campus.settings.journal)
    events = journal.after(0, records=12, size=10**9) or write_records(campus.settings, 12)
    digests = [FIRST_DIGEST, *(event.digest for event in events)]
    live = claims["live"]
    answer = BatchReceipt.model_validate(
        {
            "device": claims["device"],
            "through": claims["through"],
            "digest": digests[claims["of"]],
            "live": live and {"first": live[0], "through": live[1], "digest": digests[live[2]]},
            "refused": [{"sequence": number, "reason": "r\n"} for number in claims["refused"]],
        }
    )
    held = Receipt(claims["held"], digests[claims["held"]])
    try:
        receipt, refusals = believed(
            answer, held, journal, device=DEVICE, lane=claims["lane"], events=events[6:9]
        )
    except SyncFault:
        return
    assert claims["device"] == DEVICE
    assert held.through <= receipt.through <= 12
    if 9 in claims["refused"]:  # central's are other records: nothing counts beyond what was sent
        assert receipt.through in (held.through, 9)
    else:
        assert receipt.through == claims["through"]
    assert receipt.digest == digests[receipt.through]
    assert receipt.count > held.count
    for ahead in receipt.ahead:
        assert receipt.through + 1 < ahead.first <= 7
        assert ahead.through == (9 if 9 in claims["refused"] else live[1])
        assert ahead.digest == digests[ahead.through]
    assert [one.sequence for one in refusals] == claims["refused"]
    assert all(one.event == events[one.sequence - 1].text and one.reason == "r?" for one in refusals)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_a_receipt_is_parsed_or_refused_whatever_it_is(document: Any) -> None:
    for candidate in (document, {"device": DEVICE, "through": 1, "digest": "ab" * 32, "live": document}):
        try:
            BatchReceipt.model_validate_json(json.dumps(candidate))
        except ValidationError:
            continue


SPANS = st.lists(
    st.dictionaries(
        st.sampled_from(["first", "through", "digest"]),
        st.integers(-2, 30) | st.sampled_from(["ab" * 32, "ab", "xy", None, 2**70, True]),
    )
    | st.none(),
    max_size=4,
)


@given(st.integers(0, 9), SPANS | st.integers() | st.none())
def test_a_receipt_file_is_loaded_sound_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, through: int, spans: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "receipt.json"
    path.write_text(json.dumps({"through": through, "digest": "ab" * 32, "ahead": spans}))
    receipt = Receipt.load(path)
    assert receipt.through == through
    edges = [through, *(edge for one in receipt.ahead for edge in (one.first, one.through))]
    assert edges == sorted(edges)
    receipt.save(path)
    assert Receipt.load(path) == receipt


def test_the_same_refusal_twice_is_one_entry_and_another_reason_is_a_second(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path / "quarantine.db")
    assert kept.count() == 0
    assert kept.newest() == []
    kept.add([quarantined(4, "fork", "{}"), quarantined(5, "fork", "{}")])
    kept.add([quarantined(4, "fork", "{}"), quarantined(4, "unreadable", "{}")])
    assert [(one.sequence, one.reason) for one in kept.newest(9)] == [
        (4, "unreadable"),
        (5, "fork"),
        (4, "fork"),
    ]
    assert Quarantine(tmp_path / "quarantine.db").count() == 3


def test_a_damaged_quarantine_is_set_aside_and_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.db"
    path.write_bytes(b"no database, whatever its name" * 100)
    kept = Quarantine(path)
    with pytest.raises(SyncFault) as caught:
        kept.count()
    assert caught.value.fault is Fault.QUARANTINE
    kept.add([quarantined(4, "fork", "{}")])
    assert kept.count() == 1
    [aside] = tmp_path.glob("quarantine.db.damaged-*")
    assert aside.read_bytes().startswith(b"no database")


def test_a_quarantine_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SyncFault) as caught:
        Quarantine(tmp_path / "nowhere" / "quarantine.db").add([quarantined(4, "fork", "{}")])
    assert caught.value.fault is Fault.QUARANTINE


def test_the_quarantine_command_lists_what_was_refused(campus: Campus) -> None:
    arguments = ["quarantine", "--settings", str(campus.settings_file)]
    empty = CliRunner().invoke(sync, arguments)
    assert (empty.exit_code, empty.stdout) == (0, "")
    Quarantine(campus.settings.quarantine).add([quarantined(n, "fork", f"{n}") for n in (4, 9)])
    listed = CliRunner().invoke(sync, [*arguments, "--limit", "1"])
    assert listed.stdout.startswith("9\t")
    assert listed.stdout.endswith("\tfork\n")
    assert "and 1 older ones" in listed.stderr
    whole = json.loads(CliRunner().invoke(sync, [*arguments, "--json"]).stdout)
    assert [(one["sequence"], one["reason"], one["event"]) for one in whole] == [
        (9, "fork", "9"),
        (4, "fork", "4"),
    ]


def test_batches_shrink_by_half_when_slow_and_grow_by_steps_up_to_the_settings() -> None:
    size = BatchSize(160, 64_000)
    assert (size.records, size.bytes) == (160, 64_000)
    size.took(30.0)
    size.halve()
    assert (size.records, size.bytes) == (40, 16_000)
    size.took(0.1)
    assert size.records == 50
    for _ in range(40):
        size.took(0.1)
    assert size.records == 160
    for _ in range(40):
        size.took(30.0)
    assert (size.records, size.bytes) == (1, 250)


@given(
    st.integers(1, 5000),
    st.integers(4096, 10**7),
    st.lists(st.none() | st.floats(0, 100)),
    st.integers(1, 10**7),
)
def test_a_batch_is_never_empty_and_never_above_settings_or_wish(
    records: int, limit: int, took: list[float | None], wish: int
) -> None:
    size = BatchSize(records, limit)
    size.heed(Wish(records=wish, bytes=wish))
    for seconds in took:
        size.halve() if seconds is None else size.took(seconds)
        assert 1 <= size.records <= min(records, wish)
        assert 1 <= size.bytes <= min(limit, wish)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("zstd, gzip", {"zstd", "gzip"}),
        ("GZIP;q=0.5, zstd;q=0", {"gzip"}),
        ("gzip; q=0.000, br", {"br"}),
        ("", set()),
        (",;q=1,", set()),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header: str, names: set[str]) -> None:
    assert accepted(header) == names


@given(st.lists(st.text(max_size=30)))
def test_whatever_accept_encoding_says_a_known_coding_is_used_or_none(headers: list[str]) -> None:
    coding = Coding()
    for header in headers:
        coding.learn(header)
        assert coding.name in ("", "zstd", "gzip")
