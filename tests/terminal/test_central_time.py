"""The time that central signed: when the terminal uses it, and everything that it must not use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import MADE, Basis, Source
from sync.central.statements import Statements
from terminal.central_time import NONCE_BYTES, TimeRefused, anchor, offered
from terminal.statement import Statement, StatementKind

DEVICE, BOOT = "north-gate-1", "0123456789abcdef"
NONCE = bytes(range(NONCE_BYTES))
SAID = datetime(2027, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Offer:
    """A good offer, and the keys that it verifies with."""

    data: bytes
    keys: tuple[Ed25519PublicKey, ...]
    statements: Statements

    def with_statement(self, **changes: Any) -> bytes:
        fields = {"kind": StatementKind.TIME, "device": DEVICE, "issued_at": int(SAID.timestamp())}
        token = self.statements.sign(Statement(**(fields | {"nonce": NONCE} | changes)))
        return offered(token, NONCE, boot=BOOT, sent=10.0, received=10.5)

    def edited(self, **changes: Any) -> bytes:
        return json.dumps(json.loads(self.data) | changes).encode()


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> Offer:
    statements = Statements(tmp_path_factory.mktemp("keys") / "statement.pem")
    statements.create()
    made = Offer(b"", (statements.public_key(),), statements)
    return Offer(made.with_statement(), made.keys, statements)


def taken(offer: Offer, data: bytes | None = None, **changes: Any) -> Any:
    known = {"device": DEVICE, "boot": BOOT, "uptime": 20.0, "floor": MADE} | changes
    return anchor(offer.data if data is None else data, offer.keys, **known)


def test_what_central_signed_is_the_time_at_the_middle_of_the_round_trip(offer: Offer) -> None:
    found = taken(offer)
    assert found.basis == Basis(Source.CENTRAL, BOOT, 10.25)
    assert found.time - SAID == timedelta(seconds=0.5)  # it names the second, and may have meant all of it
    assert found.uncertainty == 0.75
    assert found.at(20.25) == SAID + timedelta(seconds=10.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"boot": "fedcba9876543210"}, "another boot"),
        ({"boot": ""}, "another boot"),
        ({"uptime": 9.0}, "another boot"),
        ({"device": "library-1"}, "answers something else"),
        ({"floor": SAID + timedelta(minutes=1)}, "before 2027-03-01 12:01, which is past"),
    ],
)
def test_what_does_not_fit_this_machine_now_is_refused(
    offer: Offer, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(TimeRefused, match=says):
        taken(offer, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": bytes(NONCE_BYTES)},  # an answer that was given before
        {"nonce": b""},
        {"kind": StatementKind.RECEIPT},
        {"device": "library-1"},
        {"issued_at": -1},
        {"issued_at": 2**60},
        {"issued_at": 253_402_300_799},
    ],
)
def test_a_statement_of_something_else_is_refused(offer: Offer, changes: dict[str, Any]) -> None:
    with pytest.raises(TimeRefused):
        taken(offer, offer.with_statement(**changes))


def test_a_forged_statement_is_refused(offer: Offer, tmp_path: Path) -> None:
    forger = Statements(tmp_path / "statement.pem")
    forger.create()
    forged = Offer(b"", offer.keys, forger).with_statement()
    with pytest.raises(TimeRefused, match="not signed by central"):
        taken(offer, forged)
    with pytest.raises(TimeRefused, match="not signed by central"):
        taken(Offer(offer.data, (), offer.statements))  # without a roster there is nothing to verify with


@pytest.mark.parametrize(
    "changes",
    [
        {"statement": None},
        {"statement": "?"},
        {"statement": ""},
        {"nonce": ""},
        {"nonce": "QUFB"},
        {"uptime": "x"},
        {"uptime": -1},
        {"uptime": float("nan")},
        {"uncertainty": 1.1},
        {"uncertainty": -0.1},
        {"uncertainty": float("nan")},
        {"uncertainty": float("inf")},
        {"boot": 5},
    ],
)
def test_an_edited_file_is_refused(offer: Offer, changes: dict[str, Any]) -> None:
    with pytest.raises(TimeRefused):
        taken(offer, offer.edited(**changes))


@pytest.mark.parametrize("key", ["statement", "nonce", "boot", "uptime", "uncertainty"])
def test_a_file_without_one_of_its_values_is_refused(offer: Offer, key: str) -> None:
    document = json.loads(offer.data)
    del document[key]
    with pytest.raises(TimeRefused, match=key):
        taken(offer, json.dumps(document).encode())


@given(st.binary(max_size=300) | st.sampled_from([b"[" * 4000, b"1" * 4096, b"null", b'"x"', b"\xff\xfe"]))
def test_bytes_are_refused_and_nothing_else_happens(offer: Offer, data: bytes) -> None:
    with pytest.raises(TimeRefused):
        taken(offer, data)


@given(st.data())
def test_one_flipped_bit_is_refused_or_changes_at_most_when_it_came(
    offer: Offer, data: st.DataObject
) -> None:
    altered = bytearray(offer.data)
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = taken(offer, bytes(altered))
    except TimeRefused:
        return
    assert found.time - SAID == timedelta(seconds=0.5)
