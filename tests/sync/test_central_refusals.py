"""What central refuses over HTTP: each with a problem document, none with a crash, none kept."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import public_pem
from sync.central.store import Store
from sync.protocol import BATCHES, MAX_BODY, batch_body
from tests.sim.campus import Campus, build
from tests.sync.batches import assert_problem, chain, event, post
from tests.sync.conftest import NOBODY
from tests.sync.world import counts, serving


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Campus:
    return build(tmp_path_factory.mktemp("campus"), seed=7, link_url=NOBODY)


@pytest.fixture(scope="module")
def central(campus: Campus) -> Iterator[str]:
    with serving(campus) as url:
        yield url
        assert counts(url) == {"record": 0, "alarm": 0}  # of all that was refused, nothing was kept


def test_a_batch_without_a_signature_is_refused(campus: Campus, central: str) -> None:
    response = requests.post(central + BATCHES, data=batch_body(chain(1)), timeout=30)
    assert_problem(response, 401, "signature")


@pytest.mark.parametrize("how", ["wrong key", "other body", "unknown device", "other type", "no digest"])
def test_a_batch_whose_signature_does_not_fit_is_refused(how: str, campus: Campus, central: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "wrong key": {"key": Ed25519PrivateKey.generate()},
        "other body": {"data": batch_body(chain(2))},
        "unknown device": {"device": "south-gate-1"},
        "other type": {"headers": {"Content-Type": "application/json"}},
        "no digest": {"headers": {"Content-Digest": ""}},
    }
    assert_problem(post(central, campus, batch_body(chain(1)), **changes[how]), 401, "signature")
    assert counts(central) == {"record": 0, "alarm": 0}


@pytest.mark.parametrize("header", ["Signature", "Signature-Input", "Content-Digest"])
@pytest.mark.parametrize(
    "value", ["", "x", "sig1=:AA==:", "sig1=()", '(((";', "pyhms=1;2", "\xff", "sha-256=:é:"]
)
def test_a_bent_signature_header_is_a_refusal_and_no_crash(
    header: str, value: str, campus: Campus, central: str
) -> None:
    bent = {header: value.encode("latin-1")}
    assert_problem(post(central, campus, batch_body(chain(1)), headers=bent), 401, "signature")


MALFORMED = {
    "not JSON": b"nonsense",
    "not UTF-8": b'["\xff"]',
    "an empty array": b"[]",
    "an object": b"{}",
    "an array of numbers": b"[1]",
    "deep": b"[" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_signed_batch_that_is_none_is_malformed(case: str, campus: Campus, central: str) -> None:
    assert_problem(post(central, campus, MALFORMED[case]), 400, "malformed")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "0"},
        {"id": "1.0"},
        {"previous": "00"},
        {"time": "yesterday"},
        {"time": "0001-01-01T00:00:00+23:59"},
        {"extension": "\ud800"},
        {"data_base64": "***"},
        {"clocktrusted": 1},
        {"specversion": "0.3"},
        {"source": 5},
    ],
    ids=str,
)
def test_a_record_with_a_bent_field_is_malformed_and_no_crash(
    change: dict[str, Any], campus: Campus, central: str
) -> None:
    document = {**json.loads(chain(1)[0].text), **change}
    assert_problem(post(central, campus, json.dumps([document]).encode()), 400, "malformed")


def test_a_record_of_another_device_is_refused(campus: Campus, central: str) -> None:
    body = batch_body([event(1, device="south-gate-1")])
    assert "south-gate-1" in assert_problem(post(central, campus, body), 400, "malformed")["detail"]


def test_a_device_cannot_sign_for_another_one(campus: Campus, central: str) -> None:
    other = Ed25519PrivateKey.generate()
    store = Store(campus.site.database_url)
    store.register("south-gate-1", public_pem(other.public_key()))
    store.close()
    body = batch_body(chain(1))
    assert_problem(post(central, campus, body, device="south-gate-1", key=other), 400, "malformed")


def test_an_oversize_batch_is_refused_by_its_length_before_it_is_read(central: str) -> None:
    head = f"POST {BATCHES} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
    assert b" 413 " in exchange(central, head.encode())


def test_an_oversize_batch_without_a_length_is_refused_while_it_is_read(central: str) -> None:
    head = f"POST {BATCHES} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{MAX_BODY + 1:x}\r\n"
    assert b" 413 " in exchange(central, head.encode() + b"x" * (MAX_BODY + 1))


def exchange(url: str, data: bytes) -> bytes:
    """The status line of the answer to exactly these bytes."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as line:
        line.sendall(data)
        with line.makefile("rb") as answer:
            return answer.readline()


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic eDp5", "Bearer é"])
def test_records_are_shown_to_nobody_without_the_operator_s_token(token: str | None, central: str) -> None:
    headers = {} if token is None else {"Authorization": token.encode()}
    assert_problem(requests.get(f"{central}/v1/records", headers=headers, timeout=30), 401, "about:blank")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/v1/batches", 405),
        ("/v1/records?after=x", 422),
        ("/tuf/../keys/operator.token", 404),
    ],
)
def test_every_error_is_a_problem_document(path: str, status: int, central: str) -> None:
    assert_problem(requests.get(central + path, timeout=30), status, "about:blank")
