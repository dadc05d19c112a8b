"""What can go wrong between terminal and central, each by its own name.

A fault is for the status, the log and the wait before the next try; none loses a record.
"""

from __future__ import annotations

from enum import StrEnum

import requests

from config.errors import CampusgateError


class Fault(StrEnum):
    """The name of what went wrong."""

    UNREACHABLE = "unreachable"  # no route, refused, no such name
    TIMEOUT = "timeout"  # connected, then silent or too slow
    TLS = "tls"  # the certificate is not central's
    CUT = "cut"  # the connection ended in the middle of an answer
    NOT_CENTRAL = "not-central"  # something else answered: a captive portal, a redirect, HTML
    SERVER_ERROR = "server-error"  # 5xx
    REFUSED = "refused"  # 4xx with a problem document
    REVOKED = "revoked"  # central takes nothing from this terminal any more
    GAP = "gap"  # central lacks records that this journal no longer has
    LYING_RECEIPT = "lying-receipt"  # acknowledges what was never sent
    JOURNAL = "journal"  # the journal cannot be read
    ROSTER = "roster"  # what central publishes does not verify


class SyncFault(CampusgateError):
    """Raised when a round of uplink or downlink fails. retry_after: seconds, if central said so."""

    def __init__(self, fault: Fault, detail: str, *, retry_after: float | None = None) -> None:
        self.fault, self.retry_after = fault, retry_after
        super().__init__(f"{fault}: {detail}")


def named(error: requests.RequestException) -> SyncFault:
    """`error` of requests as a SyncFault. Its text may hold the URL but never a body."""
    chain = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return SyncFault(Fault.TLS, "the server's certificate is not one that central.ca trusts")
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in chain.lower():
        return SyncFault(Fault.TIMEOUT, "no answer in time")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return SyncFault(Fault.CUT, "the answer ended half way")
    if "RemoteDisconnected" in chain or "IncompleteRead" in chain or "reset by peer" in chain:
        return SyncFault(Fault.CUT, "the connection was closed without a whole answer")
    if "BadStatusLine" in chain or "LineTooLong" in chain or "got more than" in chain:
        return SyncFault(Fault.NOT_CENTRAL, "the answer is not HTTP")
    return SyncFault(Fault.UNREACHABLE, f"{type(error).__name__}: no connection to central")
