"""Central's HTTP side: takes signed batches, serves the TUF repository, shows records to the operator."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from config import VERSION
from sync.central.site import Site
from sync.central.store import Gap, Store
from sync.protocol import BATCHES, MAX_BODY, PROBLEM_TYPE, BadSignature, BatchReceipt, Problem, verify_batch
from terminal.records import Event, RecordError, parse_event, unseal


@dataclass(frozen=True, slots=True)
class _Message:
    """A request as the signature library wants it."""

    method: str
    url: str
    headers: dict[str, str]


class _Refusal(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def create_app(site: Site, store: Store) -> FastAPI:
    """The ASGI application of central at `site`."""
    app = FastAPI(title="campusgate central", version=VERSION)
    record_key = site.record_key()
    token = site.operator_token()

    @app.exception_handler(_Refusal)
    async def refuse(_request: Request, refusal: Exception) -> Response:
        problem = (
            refusal.problem if isinstance(refusal, _Refusal) else _problem("about:blank", 500, "Error", "")
        )
        return JSONResponse(
            problem.model_dump(exclude_none=True), status_code=problem.status, media_type=PROBLEM_TYPE
        )

    @app.exception_handler(HTTPException)
    async def refuse_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = error.detail if isinstance(error, HTTPException) else ""
        return await refuse(request, _Refusal(_problem("about:blank", status, detail, "")))

    @app.exception_handler(RequestValidationError)
    async def refuse_query(request: Request, error: Exception) -> Response:
        return await refuse(
            request, _Refusal(_problem("about:blank", 422, "Malformed request", str(error)[:300]))
        )

    @app.middleware("http")
    async def bounded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return await refuse(request, _Refusal(_too_large()))
        return await go_on(request)

    @app.post(BATCHES, response_model=BatchReceipt)
    async def take_batch(request: Request) -> BatchReceipt:
        """Store a signed batch of sealed records; the receipt says up to where central has everything."""
        data = await _read(request)
        message = _Message(request.method, str(request.url), dict(request.headers))
        return await run_in_threadpool(_take, store, message, data)

    @app.get("/v1/records")
    def records(request: Request, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        """Opened records after an identity, in order of arrival. Needs the operator's bearer token."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise _Refusal(_problem("about:blank", 401, "Unauthorized", "the operator's token is needed"))
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

    app.mount("/tuf", StaticFiles(directory=site.repository.directory))
    return app


async def _read(request: Request) -> bytes:
    """The body, at most MAX_BODY bytes whatever the headers say."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise _Refusal(_too_large())
    return bytes(data)


def _take(store: Store, message: _Message, data: bytes) -> BatchReceipt:
    try:
        device = verify_batch(message, keys=store.device_keys(), body=data)
    except BadSignature as error:
        raise _Refusal(_problem("signature", 401, "Signature refused", str(error))) from error
    try:
        events = _events(data, device)
    except (RecordError, ValueError, RecursionError) as error:
        raise _Refusal(_problem("malformed", 400, "Malformed batch", str(error)[:300])) from error
    try:
        return store.ingest(device, events)
    except Gap as gap:
        problem = _problem("gap", 409, "Records are missing before this batch", str(gap))
        raise _Refusal(problem.model_copy(update={"expected": gap.expected})) from gap


def _events(data: bytes, device: str) -> list[Event]:
    document = json.loads(data)
    if not isinstance(document, list) or not document:
        raise RecordError("a batch is a JSON array of at least one event")
    events = [parse_event(item) for item in document]
    for event in events:
        if event.device != device:
            raise RecordError(f"record {event.sequence} is of {event.device!r}, the batch of {device!r}")
    return events


def _problem(kind: Any, status: int, title: str, detail: str) -> Problem:
    return Problem(type=kind, status=status, title=title, detail=detail)


def _too_large() -> Problem:
    return _problem("too-large", 413, "Batch too large", f"at most {MAX_BODY} bytes")
