"""What can go wrong between terminal and central, each by its own name.

A fault is for the status, the log and the wait before the next try; none loses a record. Its text says what
happened and what a technician should look at.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum

import requests
import urllib3

from config.errors import CampusgateError


class Fault(StrEnum):
    """The name of what went wrong."""

    UNREACHABLE = "unreachable"  # no route, refused, no such name
    TIMEOUT = "timeout"  # connected, then silent
    SLOW = "slow"  # answers, but too slowly to be whole, or of use
    TLS = "tls"  # the certificate is not central's
    CUT = "cut"  # the connection ended in the middle of an answer
    CAPTIVE_PORTAL = "captive-portal"  # the network wants a log-in first
    REDIRECT = "redirect"  # central says that it is elsewhere
    PROXY = "proxy"  # a proxy or gateway answered for central
    PROXY_AUTH = "proxy-auth"  # a proxy wants a password
    NOT_CENTRAL = "not-central"  # something else answered
    SERVER_ERROR = "server-error"  # 5xx
    REFUSED = "refused"  # 4xx with a problem document
    TOO_LARGE = "too-large"  # a single record is too large for what stands between
    REVOKED = "revoked"  # central takes nothing from this terminal any more
    GAP = "gap"  # central lacks records that this journal no longer has
    LYING_RECEIPT = "lying-receipt"  # acknowledges what was never sent
    JOURNAL = "journal"  # the journal cannot be read
    QUARANTINE = "quarantine"  # refused records cannot be kept
    ROSTER = "roster"  # what central publishes does not verify


class SyncFault(CampusgateError):
    """Raised when a round of uplink or downlink fails. retry_after: seconds, if central said so."""

    def __init__(self, fault: Fault, detail: str, *, retry_after: float | None = None) -> None:
        self.fault, self.detail, self.retry_after = fault, detail, retry_after
        super().__init__(f"{fault}: {detail}")


class TooSlow(TimeoutError):
    """Raised when something came all the time, but the whole never did."""


def named(error: requests.RequestException) -> SyncFault:
    """`error` of requests as a SyncFault. Its text may hold host names but never a body."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SyncFault(Fault.TLS, _certificate(cause))
    if any(isinstance(cause, TooSlow) for cause in causes):
        return SyncFault(Fault.SLOW, "the answer comes too slowly to be whole in time; check the link")
    chain = " ".join(str(cause) for cause in causes)
    if "407 " in chain and isinstance(error, requests.exceptions.ProxyError):
        return proxy_wants_password()
    if isinstance(error, requests.exceptions.ProxyError):
        return SyncFault(Fault.PROXY, f"no way through the proxy: {_no_connection(causes)}")
    if isinstance(error, requests.exceptions.SSLError):
        return SyncFault(Fault.TLS, _no_tls(chain))
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return SyncFault(Fault.UNREACHABLE, "nothing answers at that address; is a firewall in between?")
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in chain.lower():
        return SyncFault(Fault.TIMEOUT, "connected, but no answer in time; is central overloaded or hung?")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return SyncFault(Fault.CUT, "the answer ended half way")
    if (
        any(isinstance(c, ConnectionResetError | BrokenPipeError) for c in causes)
        or "IncompleteRead" in chain
    ):
        return SyncFault(Fault.CUT, "the connection was closed without a whole answer")
    if "BadStatusLine" in chain or "LineTooLong" in chain or "got more than" in chain:
        return SyncFault(Fault.NOT_CENTRAL, "the answer is not HTTP; is the port in central.url right?")
    return SyncFault(Fault.UNREACHABLE, _no_connection(causes))


def proxy_wants_password() -> SyncFault:
    """Status 407, in whatever way it came."""
    return SyncFault(
        Fault.PROXY_AUTH,
        "the proxy wants a password (407); put one into the proxy's URL in the service's environment",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and everything that it comes from: requests and urllib3 keep it in several places."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, by OpenSSL's code (X509_V_ERR_..., x509_vfy.h)."""
    now = datetime.now(UTC).isoformat(timespec="minutes")
    match getattr(error, "verify_code", 0):
        case 10:
            return (
                "the server's certificate has expired, or this terminal's clock is ahead:"
                f" it says {now}; renew the certificate or set the clock"
            )
        case 9:
            return (
                "the server's certificate is not valid yet, so this terminal's clock is probably wrong:"
                f" it says {now}; set the clock"
            )
        case 62 | 64:
            return (
                "the server's certificate is for another host name;"
                " central.url must name a host that it lists, or something else stands in central's place"
            )
        case _:
            return (
                "the server's certificate is from a CA that is not trusted here; set central.ca to the"
                " school's CA, unless a captive portal or an inspecting proxy answers for central"
            )


def _no_tls(chain: str) -> str:
    if "WRONG_VERSION_NUMBER" in chain or "HTTP_REQUEST" in chain:
        return "the server does not speak TLS; is the port in central.url right?"
    return "no TLS connection came about; the server's TLS version or certificate is not accepted here"


def _no_connection(causes: list[BaseException]) -> str:
    if any(isinstance(c, socket.gaierror | urllib3.exceptions.NameResolutionError) for c in causes):
        return "the host name does not resolve; check DNS and the name in the URL"
    if any(isinstance(c, ConnectionRefusedError) for c in causes):
        return "the connection was refused; is the service running, and the port in the URL right?"
    if any(isinstance(c, OSError) and c.errno in (101, 113) for c in causes):  # ENETUNREACH, EHOSTUNREACH
        return "there is no route to the host; is the network cable or Wi-Fi connected?"
    return f"{type(causes[0]).__name__}: no connection"
