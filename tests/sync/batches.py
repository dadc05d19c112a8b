"""Batches made by hand, posted as a terminal would, and what a refusal must look like."""

from __future__ import annotations

from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sync.protocol import BATCH_TYPE, BATCHES, sign_batch
from terminal.decision import Decision
from terminal.events import FIRST_DIGEST, Event
from terminal.provision import device_key
from terminal.reasons import Reason, Verdict
from terminal.records import Record, seal
from tests.sim.campus import Campus
from tests.sync.world import DEVICE, FIRST_SCAN

KEY = X25519PrivateKey.generate().public_key()


def event(sequence: int, previous: str = FIRST_DIGEST, *, device: str = DEVICE, salt: str = "") -> Event:
    record = Record(f"{sequence}{salt}", FIRST_SCAN, True, "gate", Decision(Verdict.ALLOW, (Reason.OK,)))
    return seal(record, device=device, sequence=sequence, previous=previous, key=KEY)


def chain(length: int) -> list[Event]:
    events: list[Event] = []
    for sequence in range(1, length + 1):
        events.append(event(sequence, events[-1].digest if events else FIRST_DIGEST))
    return events


def post(
    url: str,
    campus: Campus,
    body: bytes,
    *,
    device: str = DEVICE,
    key: Any = None,
    lane: str = BATCHES,
    coding: str = "",
    **swap: Any,
) -> requests.Response:
    """POST `body` signed as `device`. lane: the path. coding: the Content-Encoding that `body` is in.

    swap: sent instead of what was signed (data, headers).
    """
    headers = {"Content-Type": BATCH_TYPE} | ({"Content-Encoding": coding} if coding else {})
    prepared = requests.Request("POST", url + lane, data=body, headers=headers).prepare()
    sign_batch(prepared, device=device, key=key or device_key(campus.settings), body=body)
    prepared.headers.update(swap.get("headers", {}))
    prepared.prepare_body(swap.get("data", body), None)
    with requests.Session() as http:
        return http.send(prepared, timeout=30)


def assert_problem(response: requests.Response, status: int, kind: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["status"], document["type"]) == (status, status, kind)
    assert document["title"]
    return document
