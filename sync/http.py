"""HTTP as the daemon speaks it: no redirects, no endless answers, no waiting for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from config.settings import Settings
from sync.faults import Fault, SyncFault, named


def session(settings: Settings) -> requests.Session:
    """A session that trusts the CA of the settings. Raises: SyncFault(TLS) when its file is not there."""
    made = requests.Session()
    made.mount("http://", _Adapter())
    made.mount("https://", _Adapter())
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
    except OSError as error:  # requests lets a CA file that is gone or no certificate through as it is
        raise SyncFault(Fault.TLS, f"central.ca: {http.verify}: cannot be used") from error


def body(response: requests.Response, *, limit: int, seconds: float) -> Iterator[bytes]:
    """The body of `response`, piece by piece, at most `limit` bytes within `seconds`.

    Raises: SyncFault.
    """
    late = SyncFault(Fault.TIMEOUT, f"the answer was not whole after {seconds:g} s")
    with response, _deadline(seconds, response.raw.shutdown) as passed:
        try:
            for chunk in response.iter_content(65_536):
                limit -= len(chunk)
                if limit < 0:
                    raise SyncFault(Fault.NOT_CENTRAL, "the answer is larger than any that central gives")
                if passed.is_set():
                    raise late
                yield chunk
        except requests.RequestException as error:
            raise late if passed.is_set() else named(error) from error
        if passed.is_set():
            raise late  # hanging up looks like the end of an answer that has no length


@contextlib.contextmanager
def _deadline(seconds: float, hang_up: Callable[[], object]) -> Iterator[threading.Event]:
    """Call `hang_up` after `seconds` unless it is over by then; the event says whether it was called.

    A server that drips a byte now and then resets every socket timeout: only hanging up stops it.
    """
    passed = threading.Event()

    def stop() -> None:
        passed.set()
        with contextlib.suppress(OSError, ValueError):  # closed in this very moment
            hang_up()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield passed
    finally:
        timer.cancel()


class _Patience:
    """Mixed into urllib3's connections: status line and headers must be whole in three timeouts."""

    sock: Any
    timeout: Any

    def getresponse(self) -> Any:
        with _deadline(
            self.timeout * 3, lambda: socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        ) as passed:
            response = super().getresponse()  # type: ignore[misc]
        if passed.is_set():
            response.close()
            raise TimeoutError("timed out")
        return response


class _Connection(_Patience, HTTPConnection):
    pass


class _TlsConnection(_Patience, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
