"""What stands between terminal and central: certificates, proxies, dead connections. Each is named."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from config.keys import new_p256
from sync.faults import Fault, SyncFault
from terminal.provision import device_key
from tests.sim.campus import Campus
from tests.sim.network import free_port
from tests.sync.hostile import HTML, Answer, Call, Hostile, drip, http, raw, silence
from tests.sync.ledger import LedgerServer
from tests.sync.world import at, downlink_from, uplink_to, write_records

DAY = timedelta(days=1)


def fault_of(campus: Campus, url: str, *, ca: Path | None = None, timeout: float = 2.0) -> SyncFault:
    """The fault of one step towards `url`."""
    write_records(campus.settings, 1)
    with uplink_to(at(campus.settings, url, timeout=timeout, ca=ca)) as uplink:
        with pytest.raises(SyncFault) as caught:
            uplink.step()
        assert uplink.receipt.through == 0
    assert "\n" not in str(caught.value)
    return caught.value


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _signed(
    subject: str, host: str, key: EllipticCurvePrivateKey, by: EllipticCurvePrivateKey, since: timedelta
) -> x509.Certificate:
    start = datetime.now(UTC) + since
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + 2 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=subject == "ca", path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )


def tls(directory: Path, *, host: str = "localhost", since: timedelta = -DAY) -> tuple[Path, ssl.SSLContext]:
    """A CA's file, and a server's context with a certificate by it for `host`, valid 2 days from `since`."""
    authority, key = new_p256(), new_p256()
    ca = directory / "ca.pem"
    ca.write_bytes(_signed("ca", "ca", authority, authority, -DAY).public_bytes(serialization.Encoding.PEM))
    pem = directory / "server.pem"
    pem.write_bytes(
        _signed("server", host, key, authority, since).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return ca, context


@pytest.mark.parametrize(
    ("host", "since", "says"),
    [
        ("localhost", -9 * DAY, "has expired"),
        ("localhost", 9 * DAY, "clock is probably wrong"),
        ("other.school.example", -DAY, "for another host name"),
    ],
)
def test_a_wrong_certificate_is_told_in_its_own_sentence(
    host: str, since: timedelta, says: str, campus: Campus, tmp_path: Path
) -> None:
    ca, context = tls(tmp_path, host=host, since=since)
    with Hostile(http(500), context) as server:
        caught = fault_of(campus, server.url, ca=ca)
        assert server.calls == []
    assert caught.fault is Fault.TLS
    assert says in str(caught)


def test_a_certificate_of_an_unknown_ca_is_told_in_its_own_sentence(campus: Campus, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ca, _ = tls(other)
    _, context = tls(tmp_path)
    with Hostile(http(500), context) as server:
        caught = fault_of(campus, server.url, ca=ca)
    assert caught.fault is Fault.TLS
    assert "CA that is not trusted here" in str(caught)


def test_a_server_that_speaks_no_tls_is_told_in_its_own_sentence(campus: Campus) -> None:
    with Hostile(raw(b"")) as plain:  # takes a TLS greeting for the start of a request and waits for more
        caught = fault_of(campus, f"https://localhost:{plain.port}", timeout=0.3)
    assert caught.fault in (Fault.TIMEOUT, Fault.TLS)

    with answering_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        caught = fault_of(campus, f"https://localhost:{port}")
    assert caught.fault is Fault.TLS
    assert "does not speak TLS" in str(caught)


@contextmanager
def answering_at_once(data: bytes) -> Iterator[int]:
    """A port where one caller gets `data` whatever it says."""

    def serve() -> None:
        line, _ = listener.accept()
        with line:
            line.recv(65_536)
            line.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_refused_unresolved_and_unrouted_are_told_apart(campus: Campus) -> None:
    refused = fault_of(campus, f"http://127.0.0.1:{free_port()}")
    unresolved = fault_of(campus, "https://central.invalid")
    assert refused.fault is unresolved.fault is Fault.UNREACHABLE
    assert "refused" in str(refused)
    assert "does not resolve" in str(unresolved)


@pytest.fixture
def proxied(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Campus]:
    """The campus without any proxy in the environment but those that a test sets."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return campus


CENTRAL = "https://central.school.example"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (http(407, HTML, Proxy_Authenticate="Basic"), Fault.PROXY_AUTH),
        (http(502, HTML), Fault.PROXY),
        (raw(b""), Fault.CUT),
        (silence, Fault.TIMEOUT),
    ],
    ids=["a password", "bad gateway", "hangs up", "silent"],
)
def test_a_proxy_of_the_environment_is_used_and_named_without_its_password(
    answer: Answer, fault: Fault, proxied: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(answer) as proxy:
        monkeypatch.setenv("https_proxy", f"http://gate:secret@127.0.0.1:{proxy.port}")
        caught = fault_of(proxied, CENTRAL, timeout=0.5)
        assert proxy.calls[0].head.startswith(b"CONNECT central.school.example:443 ")
    assert caught.fault is fault, caught
    assert f"127.0.0.1:{proxy.port} of the environment" in str(caught)
    assert "secret" not in str(caught)


def test_a_proxy_that_is_not_there_is_named(proxied: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    caught = fault_of(proxied, CENTRAL)
    assert caught.fault is Fault.PROXY
    assert f"127.0.0.1:{port}" in str(caught)
    assert "refused" in str(caught)


def test_a_slow_drip_of_headers_through_a_proxy_is_slow_too(
    proxied: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", pause=0.1)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        caught = fault_of(proxied, f"http://localhost:{free_port()}", timeout=0.3)
    assert caught.fault is Fault.SLOW


def test_what_the_downlink_meets_has_the_same_names(campus: Campus) -> None:
    for answer, fault in {
        http(511, HTML): Fault.CAPTIVE_PORTAL,
        http(301, Location="https://new.example/"): Fault.REDIRECT,
        http(504, HTML): Fault.PROXY,
    }.items():
        with Hostile(answer) as server, downlink_from(at(campus.settings, server.url)) as downlink:
            with pytest.raises(SyncFault) as caught:
                downlink.step()
            assert caught.value.fault is fault


@pytest.mark.parametrize("death", [raw(b""), silence], ids=["closed", "half open"])
def test_a_kept_connection_that_died_is_replaced_without_a_fault(
    death: Answer, campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.http._LONG_IDLE", 0.0)
    [first] = write_records(campus.settings, 1)
    with LedgerServer(device_key(campus.settings).public_key()) as ledger:
        calls = 0

        def relay(call: Call) -> None:
            nonlocal calls
            calls += 1
            headers = {
                line.split(": ", 1)[0].lower(): line.split(": ", 1)[1]
                for line in call.head.decode().split("\r\n")[1:]
            }
            status, document = ledger.answer(call.path, headers, call.body)
            body = json.dumps(document).encode()
            kind = "Content-Type: application/json"
            head = f"HTTP/1.1 {status} OK\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            call.line.sendall(head.encode() + body)
            if call.line.recv(65_536):  # the next request on this connection
                death(call)

        with Hostile(relay) as server, uplink_to(at(campus.settings, server.url, timeout=0.5)) as uplink:
            assert uplink.step() == 1
            write_records(campus.settings, 1)
            assert uplink.step() == 1
        assert calls == 2
        assert ledger.ledger.records[1] == first
