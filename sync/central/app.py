"""Central's HTTP side: takes signed batches, serves the TUF repository, shows records to the operator."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from config import VERSION
from sync.central.device_api import device_routes
from sync.central.enrolment import enrolment_routes
from sync.central.ingest import Gap
from sync.central.site import Site
from sync.central.store import Store
from sync.central.wire import Message, Refusal, problem, read_body, signer, too_large
from sync.protocol import BATCHES, MAX_BODY, PROBLEM_TYPE, BatchReceipt
from terminal.events import Event, RecordError, parse_event
from terminal.records import unseal


def create_app(site: Site, store: Store) -> FastAPI:
    """The ASGI application of central at `site`."""
    app = FastAPI(title="campusgate central", version=VERSION)
    record_key = site.record_key()
    token = site.operator_token()

    @app.exception_handler(Refusal)
    async def refuse(_request: Request, refusal: Exception) -> Response:
        if not isinstance(refusal, Refusal):
            refusal = Refusal(problem("about:blank", 500, "Error"))
        headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
        document = refusal.problem.model_dump(exclude_none=True)
        return JSONResponse(
            document, status_code=refusal.problem.status, media_type=PROBLEM_TYPE, headers=headers
        )

    @app.exception_handler(HTTPException)
    async def refuse_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = error.detail if isinstance(error, HTTPException) else ""
        return await refuse(request, Refusal(problem("about:blank", status, detail, "")))

    @app.exception_handler(RequestValidationError)
    async def refuse_query(request: Request, error: Exception) -> Response:
        return await refuse(
            request, Refusal(problem("about:blank", 422, "Malformed request", str(error)[:300]))
        )

    @app.middleware("http")
    async def bounded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return await refuse(request, too_large())
        return await go_on(request)

    @app.post(BATCHES, response_model=BatchReceipt)
    async def take_batch(request: Request) -> BatchReceipt:
        """Store a signed batch of sealed records; the receipt says up to where central has everything."""
        data = await read_body(request)
        message = Message.of(request)
        return await run_in_threadpool(_take, store, message, data)

    @app.get("/v1/records")
    def records(request: Request, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        """Opened records after an identity, in order of arrival. Needs the operator's bearer token."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refusal(problem("about:blank", 401, "Unauthorized", "the operator's token is needed"))
        return [
            {
                "identity": stored.identity,
                "received_at": stored.received_at,
                "device": stored.event.device,
                "sequence": stored.event.sequence,
                "digest": stored.event.digest,
                "time": stored.event.time.isoformat(),
                "record": unseal(stored.event, record_key),
            }
            for stored in store.records(after=after, limit=max(1, min(limit, 2000)))
        ]

    @app.get("/v1/counts")
    def counts() -> dict[str, int]:
        """How many records and alarms central has."""
        return store.counts()

    app.include_router(device_routes(store))
    app.include_router(enrolment_routes(store))
    app.mount("/tuf", StaticFiles(directory=site.repository.directory))
    return app


def _take(store: Store, message: Message, data: bytes) -> BatchReceipt:
    device, key = signer(store, message, data)
    try:
        events = _events(data, device)
    except (RecordError, ValueError, RecursionError) as error:
        raise Refusal(problem("malformed", 400, "Malformed batch", str(error)[:300])) from error
    store.devices.used(device, key)
    try:
        receipt = store.ingest(device, events)
    except Gap as gap:
        missing = problem("gap", 409, "Records are missing before this batch", str(gap))
        raise Refusal(missing.model_copy(update={"expected": gap.expected})) from gap
    return receipt.model_copy(update={"rotate": store.devices.rotation_due(device)})


def _events(data: bytes, device: str) -> list[Event]:
    document = json.loads(data)
    if not isinstance(document, list) or not document:
        raise RecordError("a batch is a JSON array of at least one event")
    events = [parse_event(item) for item in document]
    for event in events:
        if event.device != device:
            raise RecordError(f"record {event.sequence} is of {event.device!r}, the batch of {device!r}")
    return events
