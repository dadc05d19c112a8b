"""HTTP as the daemon speaks it: no redirects, no endless answers, no waiting for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests

from config.settings import Settings
from sync.faults import Fault, SyncFault, named


def session(settings: Settings) -> requests.Session:
    """A session that trusts the CA of the settings. Raises: SyncFault(TLS) when its file is not there."""
    made = requests.Session()
    made.headers["User-Agent"] = "campusgate"
    if settings.central.ca:
        ca = settings.path(settings.central.ca)
        if not ca.is_file():
            raise SyncFault(Fault.TLS, f"central.ca: {ca}: no such file")
        made.verify = str(ca)
    return made


def send(http: requests.Session, request: requests.PreparedRequest, timeout: float) -> requests.Response:
    """The answer to `request`, its body not yet read. timeout: seconds. Raises: SyncFault."""
    environment = http.merge_environment_settings(request.url or "", {}, True, http.verify, None)
    try:
        return http.send(request, timeout=timeout, allow_redirects=False, **environment)
    except requests.RequestException as error:
        raise named(error) from error


def body(response: requests.Response, *, limit: int, seconds: float) -> Iterator[bytes]:
    """The body of `response`, piece by piece, at most `limit` bytes within `seconds`.

    A server that drips a byte now and then resets every socket timeout: only a deadline stops it.
    Raises: SyncFault.
    """
    deadline = time.monotonic() + seconds
    try:
        with response:
            for chunk in response.iter_content(65_536):
                limit -= len(chunk)
                if limit < 0:
                    raise SyncFault(Fault.NOT_CENTRAL, "the answer is larger than any that central gives")
                if time.monotonic() > deadline:
                    raise SyncFault(Fault.TIMEOUT, f"the answer was not whole after {seconds:.0f} s")
                yield chunk
    except requests.RequestException as error:
        raise named(error) from error
