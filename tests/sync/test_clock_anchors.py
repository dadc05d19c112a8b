"""Central corrects times that nobody vouched for by records of the same boot, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import requests

from hw.clock import Basis, Source
from sync.protocol import batch_body
from terminal.decision import Decision
from terminal.events import FIRST_DIGEST, Event
from terminal.reasons import Reason, Verdict
from terminal.records import Record, seal
from tests.sim.campus import Campus
from tests.sync.batches import post

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ASTRAY = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = (digit * 16 for digit in "123")


def known(uptime: float, time: datetime, boot: str = FIRST, source: Source = Source.NETWORK) -> Record:
    return _record(time, Basis(source, boot, uptime))


def astray(uptime: float, boot: str = FIRST) -> Record:
    return _record(ASTRAY + timedelta(seconds=min(uptime, 1e9)), Basis(Source.NONE, boot, uptime))


def _record(time: datetime, basis: Basis) -> Record:
    allowed, trusted = Decision(Verdict.ALLOW, (Reason.OK,)), basis.source is not Source.NONE
    return Record("scan", time, trusted, "north-gate", allowed, basis=basis)


def sent(campus: Campus, url: str, batches: Sequence[Sequence[Record]]) -> list[dict[str, Any]]:
    """What central shows of the records in `batches`, posted one after another."""
    events: list[Event] = []
    for batch in batches:
        begin = len(events)
        for record in batch:
            previous = events[-1].digest if events else FIRST_DIGEST
            key = campus.site.record_key().public_key()
            events.append(
                seal(record, device="north-gate-1", sequence=len(events) + 1, previous=previous, key=key)
            )
        assert post(url, campus, batch_body(events[begin:])).status_code == 200
    return shown(campus, url)


def shown(campus: Campus, url: str) -> list[dict[str, Any]]:
    token = {"Authorization": f"Bearer {campus.site.operator_token()}"}
    records: list[dict[str, Any]] = requests.get(f"{url}/v1/records", headers=token, timeout=30).json()
    return records


def test_a_vouched_record_of_the_same_boot_corrects_those_before_and_after_it(
    campus: Campus, central: str
) -> None:
    early, _, late = sent(campus, central, [[astray(10), known(70, NOON), astray(75.5)]])
    assert early["corrected_time"] == "2027-03-01T11:59:00.000Z"
    assert late["corrected_time"] == "2027-03-01T12:00:05.500Z"
    assert (early["clock"], early["time"]) == ("none", "1970-01-01T00:00:10+00:00")


@pytest.mark.parametrize("order", list(permutations((0, 1))))
def test_the_order_of_arrival_does_not_matter(campus: Campus, central: str, order: tuple[int, ...]) -> None:
    records = [[astray(10)], [known(70, NOON)]]
    entries = sent(campus, central, [records[number] for number in order])
    corrected = [entry.get("corrected_time") for entry in entries if entry["clock"] == "none"]
    assert corrected == ["2027-03-01T11:59:00.000Z"]


def test_a_trusted_time_is_not_corrected(campus: Campus, central: str) -> None:
    entries = sent(campus, central, [[known(70, NOON), known(80, NOON, source=Source.RTC)]])
    assert [entry["clock"] for entry in entries] == ["network", "rtc"]
    assert not any("corrected_time" in entry or "not_before" in entry for entry in entries)


def test_network_time_is_a_better_anchor_than_an_rtc_whichever_came_first(
    campus: Campus, central: str
) -> None:
    wrong = NOON + timedelta(hours=1)
    batches = [[known(20, wrong, source=Source.RTC), astray(30)], [known(70, NOON)]]
    batches += [[known(80, wrong, source=Source.SYSTEM)]]
    assert sent(campus, central, batches)[1]["corrected_time"] == "2027-03-01T11:59:20.000Z"


def test_the_word_of_staff_corrects_where_there_is_no_better_one(campus: Campus, central: str) -> None:
    by_hand, doubtful = sent(campus, central, [[known(20, NOON, source=Source.STAFF), astray(30)]])
    assert (by_hand["clock"], "corrected_time" in by_hand) == ("staff", False)
    assert doubtful["corrected_time"] == "2027-03-01T12:00:10.000Z"


@pytest.mark.parametrize("better", [Source.SYSTEM, Source.NETWORK])
def test_what_staff_set_is_corrected_once_something_better_vouched_in_that_boot(
    campus: Campus, central: str, better: Source
) -> None:
    wrong = NOON + timedelta(hours=1)
    batches = [[known(20, wrong, source=Source.STAFF), astray(30)], [known(70, NOON, source=better)]]
    corrected = [entry.get("corrected_time") for entry in sent(campus, central, batches)]
    assert corrected == ["2027-03-01T11:59:10.000Z", "2027-03-01T11:59:20.000Z", None]


def test_a_boot_without_an_anchor_lies_between_its_neighbours(campus: Campus, central: str) -> None:
    later = NOON + timedelta(hours=2)
    batch = [astray(1, SECOND), known(5, NOON), astray(10, THIRD), known(9, later, boot="4" * 16)]
    first, _, between, _ = sent(campus, central, [batch])
    assert (first.get("not_before"), first["not_after"]) == (None, "2027-03-01T12:00:00.000Z")
    assert between["not_before"] == "2027-03-01T12:00:00.000Z"
    assert between["not_after"] == "2027-03-01T14:00:00.000Z"
    assert "corrected_time" not in between


def test_what_staff_set_in_one_boot_bounds_no_other(campus: Campus, central: str) -> None:
    mistyped = NOON + timedelta(days=7000)
    batch = [known(5, NOON), known(5, mistyped, SECOND, Source.STAFF), astray(10, THIRD)]
    batch += [known(9, NOON + timedelta(hours=2), boot="4" * 16)]
    doubtful = sent(campus, central, [batch])[2]
    assert doubtful["not_before"] == "2027-03-01T12:00:00.000Z"
    assert doubtful["not_after"] == "2027-03-01T14:00:00.000Z"


def test_an_uptime_of_a_million_years_corrects_nothing_and_breaks_nothing(
    campus: Campus, central: str
) -> None:
    entries = sent(campus, central, [[known(1, NOON), astray(9e15 / 1000)], [astray(2)]])
    assert "corrected_time" not in entries[1]
    assert entries[2]["corrected_time"] == "2027-03-01T12:00:01.000Z"


def test_records_of_an_earlier_version_are_shown_as_they_were(campus: Campus, central: str) -> None:
    entry = sent(campus, central, [[astray(10, boot="")]])[0]
    assert (entry["clock"], "corrected_time" in entry) == ("none", False)
