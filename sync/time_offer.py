"""Central's signed time, asked for at start, every hour, and whenever central is back.

What comes is left in clock.json, unjudged: the terminal verifies it, and uses it only while nothing else
vouches for the clock (see terminal/central_time.py).
"""

from __future__ import annotations

import json
import secrets
import time

import requests

from config.files import write_atomic
from config.settings import Settings
from hw.clock_sources import MachineSources
from sync.faults import Fault, SyncFault
from sync.http import body, send
from sync.protocol import TIME, TIME_TYPE, encode_base64url
from sync.refusal import intruder, refusal
from terminal.central_time import MAX_ROUND_TRIP, NONCE_BYTES, offered
from terminal.statement import MAX_STATEMENT

ASK_EVERY = 3600.0  # seconds


class TimeOffer:
    """Asks the central of `settings` for the time."""

    def __init__(self, settings: Settings, http: requests.Session) -> None:
        self._settings, self._http = settings, http
        self._boot = MachineSources().boot

    def step(self) -> bool:
        """Ask once; False, as there is nothing more to do. Raises: SyncFault."""
        central, nonce = self._settings.central, secrets.token_bytes(NONCE_BYTES)
        asked = {"device": self._settings.device.name, "nonce": encode_base64url(nonce)}
        request = requests.Request(
            "POST", central.url + TIME, data=json.dumps(asked), headers={"Content-Type": "application/json"}
        )
        sent = time.clock_gettime(time.CLOCK_BOOTTIME)
        response = send(self._http, self._http.prepare_request(request), central.timeout)
        if fault := intruder(response):
            response.close()
            raise fault
        answer = b"".join(body(response, limit=8192, seconds=central.timeout))
        received = time.clock_gettime(time.CLOCK_BOOTTIME)
        if response.status_code != 200:
            raise refusal(response, answer)[0]
        if response.headers.get("Content-Type", "") != TIME_TYPE or len(answer) > MAX_STATEMENT:
            what = f"answered 200 with {len(answer)} bytes that are no statement of the time"
            raise SyncFault(Fault.NOT_CENTRAL, f"{what}; is central.url right?")
        if received - sent > MAX_ROUND_TRIP:
            raise SyncFault(Fault.SLOW, f"the time came after {received - sent:.1f} s and is not used")
        data = offered(answer, nonce, boot=self._boot, sent=sent, received=received)
        try:
            write_atomic(self._settings.clock_offer, data)
        except OSError as error:
            where = self._settings.clock_offer
            raise SyncFault(Fault.JOURNAL, f"{where}: cannot be written: {error.strerror}") from error
        return False
