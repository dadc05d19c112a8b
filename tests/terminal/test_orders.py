"""The document of orders: what is written is read again, and what is malformed does no more than fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import Moment
from terminal.commands import SKEW, due, judged
from terminal.events import rfc3339
from terminal.orders import MAX_ORDERS, Command, Orders, OrdersError, Outcome, dump_orders, parse_orders

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
GOOD = Command("c1", "unlock", AT, AT + timedelta(seconds=60))
WORDS = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
TIMES = st.datetimes(datetime(2001, 1, 1), datetime(2998, 1, 1), timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
COMMANDS = st.builds(
    lambda identity, do, at, seconds: Command(identity, do, at, at + timedelta(seconds=seconds)),
    st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True), WORDS, TIMES, st.integers(1, 10**6),
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(COMMANDS, max_size=5), st.dictionaries(st.text(max_size=20), ANY_JSON, max_size=4))
def test_what_is_written_is_read_again(commands: list[Command], settings: dict[str, object]) -> None:
    assert parse_orders(dump_orders("gate", commands, settings), "gate") == Orders(tuple(commands), settings)


@given(st.binary(max_size=200) | ANY_JSON.map(lambda one: json.dumps(one).encode()))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(OrdersError):
        parse_orders(data, "gate-that-nobody-guesses")


FIELDS = st.dictionaries(
    st.sampled_from(["id", "do", "issued_at", "expires_at", "more"]),
    ANY_JSON | st.sampled_from(["c1", "unlock", rfc3339(AT), rfc3339(AT + timedelta(9)), "2026-11-24"]),
)


@given(st.lists(FIELDS | ANY_JSON, max_size=4))
def test_each_command_is_read_or_named_and_the_next_is_read(listed: list[object]) -> None:
    document = {"device": "gate", "commands": [*listed, GOOD.to_document()], "settings": {}}
    orders = parse_orders(json.dumps(document).encode(), "gate")
    assert orders.commands[-1] == GOOD
    assert len(orders.commands) + len(orders.malformed) == len(listed) + 1
    assert all(one.issued_at < one.expires_at for one in orders.commands)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": ""}, {"id": "a b"}, {"id": "x" * 65}, {"id": 7}, {"do": "Unlock"}, {"do": ""}, {"do": None},
        {"issued_at": "2026-11-24T08:00:00"}, {"issued_at": 1}, {"expires_at": rfc3339(AT)},
        {"expires_at": "9999-12-31T23:59:59-23:59"}, {"issued_at": "0001-01-01T00:00:00+23:59"},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_command_is_left_out_and_named(changed: dict[str, object]) -> None:
    document = {"device": "gate", "commands": [GOOD.to_document() | changed]}
    orders = parse_orders(json.dumps(document).encode(), "gate")
    assert orders.commands == ()
    assert orders.malformed[0].startswith("command 1: ")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"[" * 60_000, b'{"device": "other"}', b'{"device": "gate", "commands": {}}',
        b'{"device": "gate", "settings": []}', b'{"device": "gate", "settings": {"a": NaN}}',
        b'{"device": "gate", "settings": {"a": ' + b"9" * 9000 + b"}}", b" " * (MAX_ORDERS + 1),
    ],
    ids=lambda data: repr(data[:40]),
)  # fmt: skip
def test_a_document_that_is_none_is_refused_whole(data: bytes) -> None:
    with pytest.raises(OrdersError):
        parse_orders(data, "gate")


@given(st.lists(COMMANDS, max_size=6), st.sets(st.integers(0, 5)), TIMES, st.booleans())
def test_due_is_in_order_once_each_never_known_never_early_never_by_an_untrusted_clock(
    commands: list[Command], done: set[int], now: datetime, trusted: bool
) -> None:
    orders = Orders((*commands, *commands))
    known = {f"command:{one.identity}": 0 for number, one in enumerate(commands) if number in done}
    found = list(due(orders, known, Moment(now, 0.0, trusted)))
    assert trusted or not found
    assert [one for one in orders.commands if one in found][: len(found)] == found
    assert len({one.identity for one in found}) == len(found)
    for one in found:
        assert f"command:{one.identity}" not in known
        assert one.issued_at <= now + SKEW
        assert (judged(one, now)[0] is Outcome.EXPIRED) == (now >= one.expires_at)
