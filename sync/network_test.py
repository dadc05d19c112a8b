"""Whether central can be reached now: one request by the daemon's own way, and by name what went wrong."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

import requests

from config.settings import Settings
from sync.faults import Fault, SyncFault
from sync.http import send, session
from sync.protocol import TUF_METADATA
from sync.refusal import intruder


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it.

    fault: its name and text, "" when there is none. url: what was asked for.
    ms: milliseconds until the answer, or the fault. status: of HTTP, None without an answer.
    """

    reached: bool
    fault: str
    url: str
    ms: int
    status: int | None


def tried(settings: Settings) -> Tried:
    """Ask central for what every terminal fetches, and wait no longer than central.timeout.

    In a thread of its own, since looking a name up cannot be interrupted.
    """
    url = settings.central.url + TUF_METADATA + "/timestamp.json"
    found: queue.Queue[tuple[SyncFault | None, int | None]] = queue.Queue()
    begun = time.monotonic()
    thread = threading.Thread(
        target=lambda: found.put(_asked(settings, url)), name="network test", daemon=True
    )
    thread.start()
    try:
        fault, status = found.get(timeout=settings.central.timeout)
    except queue.Empty:
        what = f"no answer within central.timeout ({settings.central.timeout:g} s)"
        fault, status = SyncFault(Fault.TIMEOUT, f"{what}; is it DNS, a firewall, or a slow link?"), None
    ms = round((time.monotonic() - begun) * 1000)
    return Tried(fault is None, str(fault or ""), url, ms, status)


def _asked(settings: Settings, url: str) -> tuple[SyncFault | None, int | None]:
    try:
        with session(settings) as http:
            request = http.prepare_request(requests.Request("GET", url))
            with send(http, request, settings.central.timeout) as response:
                return _fault_in(response), response.status_code
    except SyncFault as fault:
        return fault, None
    except (OSError, ValueError) as error:  # a URL or a CA file that no request can be made with
        return SyncFault(Fault.UNREACHABLE, f"{type(error).__name__}: no request could be made"), None


def _fault_in(response: requests.Response) -> SyncFault | None:
    status = response.status_code
    if fault := intruder(response):
        return fault
    if status >= 500:
        return SyncFault(Fault.SERVER_ERROR, f"status {status}")
    if status != 200:
        return SyncFault(Fault.NOT_CENTRAL, f"status {status} for the roster; is central.url right?")
    return None
