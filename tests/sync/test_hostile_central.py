"""The uplink against servers that are wrong in every way: each has its name, none loses or doubles a record.

Every case runs the same way, on the same terminal, one after the other: five records wait; the fault comes by
name and in time, the receipt file is unchanged; then the good central gets everything, once and in order.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from config.keys import new_p256
from sync.faults import Fault, SyncFault
from sync.http import session
from terminal.events import parse_event
from tests.sim.campus import Campus, build
from tests.sim.network import free_port
from tests.sync.conftest import NOBODY
from tests.sync.hostile import (
    HTML,
    Answer,
    Call,
    Hostile,
    document,
    drip,
    endless,
    http,
    problem,
    raw,
    silence,
)
from tests.sync.world import (
    DEVICE,
    as_json,
    assert_exactly_once,
    at,
    deliver,
    serving,
    uplink_to,
    write_records,
)

TIMEOUT = 0.4  # seconds; a whole answer may take three times as long
WAITING = 5  # records
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def receipt(**changes: object) -> Answer:
    """A receipt for all that was sent, but with a wrong digest, and with `changes`."""

    def answer(call: Call) -> None:
        true = {"device": DEVICE, "through": call.sequences[-1], "digest": "ab" * 32}
        document(200, {**true, **changes})(call)

    return answer


def document_of(**changes: object) -> Answer:
    """A receipt for all that was sent, true but for `changes`."""

    def answer(call: Call) -> None:
        last = parse_event(json.loads(call.body)[-1])
        true = {"device": DEVICE, "through": last.sequence, "digest": last.digest}
        document(200, {**true, **changes})(call)

    return answer


def problem_with(status: int, **headers: str) -> Answer:
    """A problem document under such headers."""
    content = {"type": "busy", "title": "No", "status": status}
    return document(status, content, "application/problem+json", **headers)


ANSWERS: dict[str, tuple[Answer, Fault]] = {
    "500 with a body": (http(500, HTML), Fault.SERVER_ERROR),
    "500 without a body": (http(500), Fault.SERVER_ERROR),
    "500 with a problem": (problem(500), Fault.SERVER_ERROR),
    "502 from a proxy": (http(502, HTML), Fault.PROXY),
    "404 with HTML": (http(404, HTML), Fault.NOT_CENTRAL),
    "503 from a proxy": (http(503, HTML, Via="1.1 squid"), Fault.PROXY),
    "504 from a proxy": (http(504, HTML), Fault.PROXY),
    "407 from a proxy": (http(407, HTML), Fault.PROXY_AUTH),
    "200 with HTML": (http(200, HTML), Fault.CAPTIVE_PORTAL),
    "200 with HTML that says it is JSON": (http(200, HTML, "application/json"), Fault.CAPTIVE_PORTAL),
    "511 with HTML": (http(511, HTML), Fault.CAPTIVE_PORTAL),
    "302 with HTML": (http(302, HTML, Location="/login"), Fault.CAPTIVE_PORTAL),
    "200 with nothing": (http(200, kind="application/json"), Fault.NOT_CENTRAL),
    "204": (http(204), Fault.NOT_CENTRAL),
    "a redirect to another host": (http(302, Location="http://login.example/"), Fault.CAPTIVE_PORTAL),
    "a redirect for good": (http(308, HTML, Location="https://new.example/v1/batches"), Fault.REDIRECT),
    "a redirect on the same host": (http(307, kind="text/plain", Location="/v2/batches"), Fault.REDIRECT),
    "a redirect to nowhere": (http(308, Location="http://[::1"), Fault.REDIRECT),
    "a redirect without a target": (http(302, HTML), Fault.NOT_CENTRAL),
    "a problem": (problem(401, "signature"), Fault.REFUSED),
    "a gap from the future": (problem(409, "gap", expected=10_000), Fault.GAP),
    "a gap below the first record": (problem(409, "gap", expected=-3), Fault.GAP),
    "a gap beyond any number": (problem(409, "gap", expected=2**80), Fault.NOT_CENTRAL),
    "no answer but the end": (raw(b""), Fault.CUT),
    "half a response": (http(200, b'{"device": "no', Content_Length="500"), Fault.CUT),
    "half a chunk": (raw(_OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{"), Fault.CUT),
    "a bent chunk": (raw(_OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{"), Fault.CUT),
    "bent gzip": (http(200, b"not gzip at all", Content_Encoding="gzip"), Fault.CUT),
    "no HTTP at all": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Fault.NOT_CENTRAL),
    "silence": (silence, Fault.TIMEOUT),
    "silence after the headers": (drip(_OK + b"Content-Length: 500\r\n\r\n", pause=60), Fault.TIMEOUT),
    "a slow drip of the body": (drip(_OK + b"Content-Length: 500\r\n\r\n"), Fault.SLOW),
    "a slow drip without a length": (drip(_OK + b"\r\n"), Fault.SLOW),
    "a slow drip of an error": (drip(b"HTTP/1.1 500 No\r\n\r\n"), Fault.SLOW),
    "a slow drip of the headers": (drip(_OK + b"X-Slow: "), Fault.SLOW),
    "an endless body": (endless(_OK + b"\r\n"), Fault.NOT_CENTRAL),
    "an endless error": (endless(b"HTTP/1.1 500 No\r\n\r\n"), Fault.NOT_CENTRAL),
    "endless headers": (endless(_OK), Fault.NOT_CENTRAL),
    "invalid JSON": (http(200, b'{"device": ', "application/json"), Fault.NOT_CENTRAL),
    "not UTF-8": (http(200, b'{"device": "\xff\xfe"}', "application/json"), Fault.NOT_CENTRAL),
    "huge JSON": (document(200, {"pad": "x" * 2_000_000}), Fault.NOT_CENTRAL),
    "deep JSON": (http(200, b"[" * 500_000, "application/json"), Fault.NOT_CENTRAL),
    "a JSON list": (document(200, [1, 2]), Fault.NOT_CENTRAL),
    "a receipt without a digest": (document(200, {"device": DEVICE, "through": 8}), Fault.NOT_CENTRAL),
    "a receipt with a wrong digest": (receipt(), Fault.LYING_RECEIPT),
    "a receipt for records never written": (receipt(through=10_000), Fault.LYING_RECEIPT),
    "a receipt beyond any number": (receipt(through=2**80), Fault.NOT_CENTRAL),
    "a receipt that goes backwards": (receipt(through=1), Fault.LYING_RECEIPT),
    "a receipt that goes below nothing": (receipt(through=-1), Fault.NOT_CENTRAL),
    "a receipt for another device": (receipt(device="south-gate-1"), Fault.LYING_RECEIPT),
    "a refusal of what was not sent": (
        document_of(refused=[{"sequence": 1, "reason": "fork"}]),
        Fault.LYING_RECEIPT,
    ),
    "a refusal without a receipt": (
        document(200, {"refused": [{"sequence": 4, "reason": "fork"}]}),
        Fault.NOT_CENTRAL,
    ),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Campus, str]]:
    """A campus whose central has a few records already, and the URL of that central."""
    campus = build(tmp_path_factory.mktemp("campus"), seed=7, link_url=NOBODY)
    write_records(campus.settings, 3)
    with serving(campus) as url:
        yield campus, url


@pytest.fixture
def waiting(good: tuple[Campus, str]) -> Iterator[Campus]:
    """That campus with five more records waiting; afterwards the good central must get them all."""
    campus, url = good
    deliver(campus.settings, url)  # whatever a test that failed has left
    written = len(write_records(campus.settings, WAITING))
    yield campus
    deliver(campus.settings, url)
    assert_exactly_once(campus, written)


def fault_of_a_step(campus: Campus, url: str, *, ca: Path | None = None) -> SyncFault:
    """Step towards `url`; the fault, after checking that it came in time and moved nothing."""
    before = campus.settings.receipt.read_bytes()
    start = time.monotonic()
    with uplink_to(at(campus.settings, url, timeout=TIMEOUT, ca=ca)) as uplink:
        with pytest.raises(SyncFault) as caught:
            uplink.step()
        assert uplink.waiting() == WAITING
        assert uplink.quarantine.count() == 0
    assert time.monotonic() - start < 3 * TIMEOUT + 1.5
    assert campus.settings.receipt.read_bytes() == before
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("case", ANSWERS)
def test_a_wrong_answer_has_its_name_and_costs_no_record(case: str, waiting: Campus) -> None:
    answer, fault = ANSWERS[case]
    with Hostile(answer) as server:
        caught = fault_of_a_step(waiting, server.url)
        assert caught.fault is fault, caught
        assert [len(call.sequences) for call in server.calls] == [WAITING]


def test_refused_connections_are_named(waiting: Campus) -> None:
    caught = fault_of_a_step(waiting, f"http://127.0.0.1:{free_port()}")
    assert caught.fault is Fault.UNREACHABLE


def test_a_name_that_does_not_resolve_is_named(waiting: Campus) -> None:
    assert fault_of_a_step(waiting, "https://central.invalid").fault is Fault.UNREACHABLE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", None), ("-3", None), ("soon", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None)],
)
def test_retry_after_is_passed_on_when_it_says_something(
    header: str, seconds: float | None, waiting: Campus
) -> None:
    with Hostile(http(503, HTML, Retry_After=header)) as server:
        caught = fault_of_a_step(waiting, server.url)
    assert caught.fault is Fault.PROXY
    assert caught.retry_after == seconds


def test_a_date_in_retry_after_counts_from_the_servers_own_clock(waiting: Campus) -> None:
    dates = {"Date": "Mon, 01 Jan 2001 00:00:00 GMT", "Retry_After": "Mon, 01 Jan 2001 00:01:30 GMT"}
    with Hostile(problem_with(503, **dates)) as server:
        caught = fault_of_a_step(waiting, server.url)
    assert (caught.fault, caught.retry_after) == (Fault.SERVER_ERROR, 90.0)


def test_a_redirect_is_not_followed(waiting: Campus) -> None:
    with (
        Hostile(receipt()) as elsewhere,
        Hostile(http(307, Location=elsewhere.url + "/v1/batches")) as server,
    ):
        assert fault_of_a_step(waiting, server.url).fault is Fault.CAPTIVE_PORTAL
        assert elsewhere.calls == []


def test_a_receipt_that_acknowledges_nothing_is_a_fault_and_no_silent_standstill(waiting: Campus) -> None:
    def same_as_before(call: Call) -> None:
        held = as_json(waiting.settings.receipt.read_text("utf-8"))
        document(200, {"device": DEVICE, **held})(call)

    with Hostile(same_as_before) as server:
        assert fault_of_a_step(waiting, server.url).fault is Fault.LYING_RECEIPT


def test_a_server_that_asks_for_everything_again_gets_it_but_nothing_doubles(waiting: Campus) -> None:
    with (
        Hostile(problem(409, "gap", expected=1)) as server,
        uplink_to(at(waiting.settings, server.url)) as uplink,
    ):
        faults = []
        for _ in range(3):
            with pytest.raises(SyncFault) as caught:
                uplink.step()
            faults.append((caught.value.fault, caught.value.retry_after))
    assert faults == [(Fault.GAP, 0.0), (Fault.GAP, None), (Fault.GAP, None)]  # at once, but only once


def certificate(directory: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for localhost in a PEM file, and a server's context with it."""
    key = new_p256()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = directory / f"{name}.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = directory / f"{name}.key"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return pem, context


def test_a_server_with_another_certificate_is_sent_nothing(waiting: Campus, tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "impostor")
    trusted, _ = certificate(tmp_path, "central")
    with Hostile(receipt(), context) as server:
        assert fault_of_a_step(waiting, server.url, ca=trusted).fault is Fault.TLS
        assert server.calls == []


def test_a_server_with_the_right_certificate_is_spoken_to(waiting: Campus, tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path, "central")
    with Hostile(http(500), context) as server:
        assert fault_of_a_step(waiting, server.url, ca=trusted).fault is Fault.SERVER_ERROR
        assert len(server.calls) == 1


def test_a_self_signed_certificate_is_not_trusted_without_its_ca(waiting: Campus, tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "central")
    with Hostile(http(500), context) as server:
        assert fault_of_a_step(waiting, server.url).fault is Fault.TLS


def test_a_ca_file_that_is_missing_is_named(campus: Campus, tmp_path: Path) -> None:
    with pytest.raises(SyncFault, match=r"central\.ca.*no such file") as caught:
        session(at(campus.settings, "https://localhost", ca=tmp_path / "nothing.pem"))
    assert caught.value.fault is Fault.TLS


def test_a_ca_file_that_is_no_certificate_is_named(waiting: Campus, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("not a certificate")
    _, context = certificate(tmp_path, "central")
    with Hostile(http(500), context) as server:
        assert fault_of_a_step(waiting, server.url, ca=ca).fault is Fault.TLS
