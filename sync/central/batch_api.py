"""The routes that take batches: POST BATCHES, the main lane, and POST LIVE, ahead of a backlog."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial

import anyio.to_thread
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from sync.central.coding import ACCEPTED, CodingError, TooLarge, decoded
from sync.central.database import DatabaseDown
from sync.central.ingest import Gap, Lane
from sync.central.intake import Taken
from sync.central.metrics import Metrics
from sync.central.openapi import BATCH_ROUTE
from sync.central.shedding import Shedder
from sync.central.store import Store
from sync.central.wire import Message, Refusal, problem, read_body, signer, too_large
from sync.protocol import BATCHES, LIVE, MAX_BODY, MAX_SEQUENCE, BatchReceipt
from terminal.events import Event, RecordError, parse_event

log = logging.getLogger(__name__)

_THREADS = 8  # at work on batches; the rest of those admitted wait for one, and small routes have their own
_READING = 120  # seconds for a body to arrive: a slow one must not hold its place for good
_ACCEPT = {"Accept-Encoding": ACCEPTED}  # RFC 9110, 12.5.3


def batch_routes(store: Store, shedder: Shedder, metrics: Metrics) -> APIRouter:
    """The routes of batches on `store`."""
    router = APIRouter()
    threads = anyio.CapacityLimiter(_THREADS)

    async def take(request: Request, lane: Lane) -> Response:
        try:
            with shedder.admitted():
                receipt = await _received(request, lane)
        except DatabaseDown as error:
            log.error("a batch is turned away: %s", error)
            answer = _counted(shedder.busy("the database does not answer"))
        except Refusal as refusal:
            answer = _counted(refusal)
        except ClientDisconnect:
            answer = Response(status_code=400)  # nobody reads it
        else:
            wished = receipt.model_copy(update={"wish": shedder.wish()})
            answer = Response(wished.model_dump_json(exclude_none=True), media_type="application/json")
        answer.headers.update(_ACCEPT)
        return answer

    async def _received(request: Request, lane: Lane) -> BatchReceipt:
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        try:
            async with asyncio.timeout(_READING):
                data = await read_body(request)
        except TimeoutError as error:
            late = problem("about:blank", 408, "Request Timeout", f"the body took over {_READING} s")
            raise Refusal(late) from error
        began = time.monotonic()
        work = partial(_take, store, Message.of(request), data, coding, lane)
        receipt, taken = await anyio.to_thread.run_sync(work, limiter=threads)
        metrics.seconds.observe(time.monotonic() - began)
        metrics.bytes.labels(coding).inc(len(data))
        metrics.took(lane, taken)
        return receipt

    def _counted(refusal: Refusal) -> Response:
        if refusal.problem.type == "busy":
            metrics.shed.inc()
        else:
            metrics.refused.labels(refusal.problem.type, refusal.problem.status).inc()
        return refusal.response()

    @router.post(BATCHES, response_model=BatchReceipt, operation_id="take_batch", **BATCH_ROUTE)
    async def take_batch(request: Request) -> Response:
        """Store a signed batch of sealed records; the receipt says up to where central has everything.

        The events are in order and begin no later than after what central has. Those that it has already
        change nothing.
        """
        return await take(request, Lane.MAIN)

    @router.post(LIVE, response_model=BatchReceipt, operation_id="take_live_batch", **BATCH_ROUTE)
    async def take_live_batch(request: Request) -> Response:
        """Store a signed batch that may be ahead of a backlog that is still on its way.

        The receipt's `live` then says what it is part of. Central keeps few such spans of a device at a time
        and answers 409 "gap" beyond: the backlog comes first then.
        """
        return await take(request, Lane.LIVE)

    return router


def _take(store: Store, message: Message, data: bytes, coding: str, lane: Lane) -> tuple[BatchReceipt, Taken]:
    standing, key = signer(store, message, data)
    device, next_key = standing.name, key in standing.keys[1:]
    try:
        plain = decoded(data, coding, MAX_BODY)
    except TooLarge as error:
        raise too_large() from error
    except LookupError as error:
        unknown = problem("about:blank", 415, "Unknown content coding", f"{ACCEPTED} are taken")
        raise Refusal(unknown) from error
    except CodingError as error:
        raise Refusal(problem("malformed", 400, "Malformed body", str(error)[:300])) from error
    try:
        events = events_of(plain, device)
    except (RecordError, ValueError, RecursionError) as error:
        raise Refusal(problem("malformed", 400, "Malformed batch", str(error)[:300])) from error
    if next_key:
        store.devices.used(device, key)
    try:
        taken = store.take(device, events, lane)
    except Gap as gap:
        missing = problem("gap", 409, "Records are missing before this batch", str(gap))
        raise Refusal(missing.model_copy(update={"expected": gap.expected})) from gap
    return taken.receipt.model_copy(update={"rotate": standing.rotate and not next_key}), taken


def events_of(data: bytes, device: str) -> list[Event]:
    """The events of a batch's body, all of `device`. Raises: RecordError; ValueError when it is no JSON."""
    document = orjson.loads(data)
    if not isinstance(document, list) or not document:
        raise RecordError("a batch is a JSON array of at least one event")
    events = [parse_event(item) for item in document]
    for event in events:
        if event.device != device:
            raise RecordError(f"record {event.sequence} is of {event.device!r}, the batch of {device!r}")
        if event.sequence > MAX_SEQUENCE:
            raise RecordError(f"record {event.sequence} is beyond {MAX_SEQUENCE}")
    return events
