"""What an answer other than success means for the daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests
from pydantic import ValidationError

from sync.faults import Fault, SyncFault, proxy_wants_password
from sync.protocol import Problem

_LOG_IN = "this network wants a log-in first (captive portal); let the terminal through without one"
_PERMANENT = (301, 308)


def refusal(response: requests.Response, text: bytes) -> tuple[SyncFault, Problem | None]:
    """The fault in an answer whose body is `text`, and its problem document if it is one."""
    status = response.status_code
    wait = retry_after(response)
    try:
        problem = Problem.model_validate_json(text)
    except ValidationError:
        if fault := intruder(response, text):
            return fault, None
        if status >= 500:
            return SyncFault(Fault.SERVER_ERROR, f"status {status}", retry_after=wait), None
        detail = f"status {status} without a problem document; is central.url right?"
        return SyncFault(Fault.NOT_CENTRAL, detail), None
    if problem.type == "revoked":
        return SyncFault(Fault.REVOKED, problem.detail, retry_after=wait), problem
    fault_name = Fault.SERVER_ERROR if status >= 500 else Fault.REFUSED
    detail = f"{status} {problem.title}: {problem.detail}"
    return SyncFault(fault_name, detail, retry_after=wait), problem


def intruder(response: requests.Response, text: bytes = b"") -> SyncFault | None:
    """The fault when something between here and central has answered in its place, by status and headers.

    text: the beginning of the body, if it was read.
    """
    status = response.status_code
    html = "text/html" in response.headers.get("Content-Type", "").lower() or _is_html(text)
    if status == 407:
        return proxy_wants_password()
    if 300 <= status < 400 and "Location" in response.headers:
        return _redirect(response, html)
    if status == 511 or (status == 200 and html):  # RFC 6585, 6
        return SyncFault(Fault.CAPTIVE_PORTAL, f"status {status} with a web page: {_LOG_IN}")
    if status in (502, 503, 504) and html:
        detail = (
            f"status {status} from a proxy or gateway in front of central{_gateway(response)};"
            " is central running behind it?"
        )
        return SyncFault(Fault.PROXY, detail, retry_after=retry_after(response))
    return None


def retry_after(response: requests.Response) -> float | None:
    """Retry-After in seconds, from seconds or a date (RFC 9110, 10.2.3); None when it asks for no wait.

    A date is counted from the answer's own Date: the terminal's clock may be wrong.
    """
    header = response.headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdecimal():
        return float(header) or None
    try:
        until = parsedate_to_datetime(header)
        since = parsedate_to_datetime(response.headers["Date"]) if "Date" in response.headers else None
        seconds = (until - (since or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _redirect(response: requests.Response, html: bool) -> SyncFault:
    here = response.url or ""
    try:
        target = urlsplit(urljoin(here, response.headers["Location"]))
        host, elsewhere = target.hostname or "", target.netloc != urlsplit(here).netloc
    except ValueError:
        host, elsewhere = "", True
    host = "".join(c for c in host if c.isalnum() or c in "-.:")[:100] or "an unreadable address"
    if response.status_code not in _PERMANENT and (html or elsewhere):
        return SyncFault(Fault.CAPTIVE_PORTAL, f"sent on to {host}: {_LOG_IN}")
    detail = f"status {response.status_code} sends on to {host}; if central has moved, change central.url"
    return SyncFault(Fault.REDIRECT, detail)


def _gateway(response: requests.Response) -> str:
    name = response.headers.get("Via") or response.headers.get("Server") or ""
    name = "".join(c for c in name if c.isascii() and c.isprintable())[:60]
    return f" ({name})" if name else ""


def _is_html(text: bytes) -> bool:
    start = text[:200].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
