"""HTTP as the daemon speaks it: no redirects, no endless answers, no waiting for ever."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from config.settings import Settings
from sync.faults import Fault, SyncFault, TooSlow, named

_LONG_IDLE = 30.0  # seconds; routers forget a connection that nothing passes on, without a word


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
    """The answer to `request`, its body not yet read. timeout: seconds. Raises: SyncFault.

    A connection that was kept may have died unnoticed while nothing passed (half open): what fails on it is
    sent once more on a fresh one. Every request of ours may safely arrive twice. A silent central that was
    heard a moment ago is not asked twice: it has too much to do already.
    """
    adapter: Any = http.get_adapter(request.url or "")
    idle, adapter.used = time.monotonic() - adapter.used, -math.inf
    try:
        response = _send(http, request, timeout)
    except SyncFault as fault:
        stale = fault.fault is Fault.CUT or (fault.fault is Fault.TIMEOUT and idle >= _LONG_IDLE)
        if idle == math.inf or not stale:
            raise
        http.close()
        response = _send(http, request, timeout)
    adapter.used = time.monotonic()
    return response


def _send(http: requests.Session, request: requests.PreparedRequest, timeout: float) -> requests.Response:
    url = request.url or ""
    environment = http.merge_environment_settings(url, {}, True, http.verify, None)
    try:
        return http.send(request, timeout=timeout, allow_redirects=False, **environment)
    except requests.RequestException as error:
        fault = named(error)
        proxy = _without_password(select_proxy(url, environment["proxies"]))
        if proxy:
            fault = SyncFault(fault.fault, f"{fault.detail} (by the proxy {proxy} of the environment)")
        raise fault from error
    except ValueError as error:  # requests reads the target of a redirect even when it is not to follow it
        raise SyncFault(Fault.REDIRECT, "sends on to an address that cannot be read") from error
    except OSError as error:  # requests lets a CA file that is gone or no certificate through as it is
        raise SyncFault(Fault.TLS, f"central.ca: {http.verify}: cannot be used") from error


def _without_password(proxy: str | None) -> str:
    """Host and port of `proxy`; its user and password are for nobody's log."""
    return (proxy or "").rpartition("://")[2].rpartition("@")[2]


def body(response: requests.Response, *, limit: int, seconds: float) -> Iterator[bytes]:
    """The body of `response`, piece by piece, at most `limit` bytes within `seconds`.

    Raises: SyncFault.
    """
    late = SyncFault(Fault.SLOW, f"the answer was not whole after {seconds:g} s; check the link")
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
            try:
                response = super().getresponse()  # type: ignore[misc]
            except (OSError, HTTPException) as error:  # how hanging up looks depends on what was on its way
                if passed.is_set():
                    raise TooSlow("timed out") from error
                raise
        if passed.is_set():
            response.close()
            raise TooSlow("timed out")
        return response


class _Connection(_Patience, HTTPConnection):
    pass


class _TlsConnection(_Patience, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    used = -math.inf  # monotonic seconds of the last answer, whose connection may be left over

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
