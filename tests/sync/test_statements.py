"""Central's signed statements: what verifies, and everything that must not."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sync.central.statements import Statements
from terminal.receipt import Receipt
from terminal.statement import Statement, StatementKind, StatementRefused, verify_statement
from tests.sim.campus import Campus
from tests.sync.world import at, downlink_from, open_roster

TIME = Statement(StatementKind.TIME, "north-gate-1", 1_790_000_000, b"n" * 16)
RECEIPT = Statement(StatementKind.RECEIPT, "north-gate-1", 1_790_000_000, receipt=Receipt(7, "ab" * 32))


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> Statements:
    made = Statements(tmp_path_factory.mktemp("keys") / "statement.pem")
    made.create()
    return made


@pytest.mark.parametrize("said", [TIME, RECEIPT], ids=["time", "receipt"])
def test_what_central_said_is_read_back(statements: Statements, said: Statement) -> None:
    token = statements.sign(said)
    keys = [Ed25519PrivateKey.generate().public_key(), statements.public_key()]
    read = verify_statement(token, keys, kind=said.kind, device=said.device, nonce=said.nonce)
    assert read == said


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": StatementKind.RECEIPT},
        {"device": "south-gate-1"},
        {"nonce": b"m" * 16},
        {"nonce": b""},
    ],
    ids=str,
)
def test_a_statement_for_another_purpose_is_refused(statements: Statements, asked: dict[str, object]) -> None:
    token = statements.sign(TIME)
    wanted = {"kind": TIME.kind, "device": TIME.device, "nonce": TIME.nonce} | asked
    with pytest.raises(StatementRefused):
        verify_statement(token, [statements.public_key()], **wanted)  # type: ignore[arg-type]


def test_a_statement_of_a_stranger_is_refused(statements: Statements) -> None:
    stranger = [Ed25519PrivateKey.generate().public_key()]
    with pytest.raises(StatementRefused, match="not signed by central"):
        verify_statement(statements.sign(RECEIPT), stranger, kind=RECEIPT.kind, device=RECEIPT.device)


@given(data=st.binary(max_size=300))
def test_bytes_are_refused_and_nothing_else_happens(statements: Statements, data: bytes) -> None:
    with pytest.raises(StatementRefused):
        verify_statement(data, [statements.public_key()], kind=TIME.kind, device=TIME.device)


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_one_flipped_bit_is_refused_or_says_the_same(statements: Statements, place: int, bit: int) -> None:
    token = bytearray(statements.sign(RECEIPT))
    token[place % len(token)] ^= 1 << bit
    try:
        read = verify_statement(
            bytes(token), [statements.public_key()], kind=RECEIPT.kind, device=RECEIPT.device
        )
    except StatementRefused:
        return
    assert read == RECEIPT


def test_an_oversized_statement_is_refused_unread(statements: Statements) -> None:
    with pytest.raises(StatementRefused, match="at most 1024"):
        verify_statement(cbor2.dumps(b"x" * 2000), [statements.public_key()], kind=TIME.kind, device="d")


def test_terminals_learn_the_statement_key_with_the_roster(campus: Campus, central: str) -> None:
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
    assert open_roster(campus).statement_keys() == (campus.site.statements.public_key(),)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    made = Statements(tmp_path / "statement.pem")
    made.create()
    key = made.public_key()
    made.create()
    assert made.public_key() == key
