"""Central's HTTP side: takes signed batches, serves the TUF repository, shows records to the operator."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from config import VERSION
from sync.central.batch_api import batch_routes
from sync.central.database import DatabaseDown
from sync.central.device_api import device_routes
from sync.central.enrolment import enrolment_routes
from sync.central.metrics import Metrics
from sync.central.openapi import document, problems
from sync.central.shedding import Shedder
from sync.central.site import Site
from sync.central.store import Store
from sync.central.time_api import time_routes
from sync.central.wire import Refusal, problem, too_large
from sync.protocol import MAX_BODY, MAX_SEQUENCE
from terminal.events import Event, RecordError
from terminal.records import unseal

log = logging.getLogger(__name__)


def create_app(site: Site, store: Store, shedder: Shedder | None = None) -> FastAPI:
    """The ASGI application of central at `site`."""
    app = FastAPI(
        title="campusgate central",
        version=VERSION,
        summary="Takes sealed records from gate terminals and publishes the roster.",
        responses=problems(413, 422, 503),
    )
    shedder, metrics = shedder or Shedder(), Metrics()
    metrics.in_work.set_function(lambda: float(shedder.in_work))
    record_key = site.record_key()
    token = site.operator_token()
    app.openapi = lambda: document(app)  # type: ignore[method-assign]

    @app.exception_handler(Refusal)
    async def refuse(_request: Request, refusal: Exception) -> Response:
        if not isinstance(refusal, Refusal):
            refusal = Refusal(problem("about:blank", 500, "Error"))
        return refusal.response()

    @app.exception_handler(HTTPException)
    async def refuse_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = error.detail if isinstance(error, HTTPException) else ""
        answer = await refuse(request, Refusal(problem("about:blank", status, detail, "")))
        answer.headers.update((isinstance(error, HTTPException) and error.headers) or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def refuse_query(request: Request, error: Exception) -> Response:
        wrong = error.errors() if isinstance(error, RequestValidationError) else []
        detail = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in wrong)
        return await refuse(request, Refusal(problem("about:blank", 422, "Malformed request", detail[:300])))

    @app.exception_handler(DatabaseDown)
    async def refuse_busy(request: Request, error: Exception) -> Response:
        log.error("a request is turned away: %s", error)
        return await refuse(request, shedder.busy("the database does not answer"))

    @app.middleware("http")
    async def bounded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return await refuse(request, too_large())
        return await go_on(request)

    @app.get("/v1/records", responses=problems(401))
    def records(
        request: Request,
        after: Annotated[int, Query(ge=0, le=MAX_SEQUENCE)] = 0,
        limit: int = 500,
    ) -> list[dict[str, Any]]:
        """Opened records after an identity, in order of arrival. Needs the operator's bearer token.

        `record` is null for one that does not open, and for one that stands for lost records.
        """
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refusal(
                problem(
                    "about:blank",
                    401,
                    "Unauthorized",
                    "send Authorization: Bearer with keys/operator.token of central's directory",
                )
            )
        page = store.records(after=after, limit=max(1, min(limit, 2000)))
        better = store.corrections(page)
        return [
            {
                "identity": stored.identity,
                "received_at": stored.received_at,
                "device": stored.event.device,
                "sequence": stored.event.sequence,
                "digest": stored.event.digest,
                "time": stored.event.time.isoformat(),
                "clock": stored.event.clock,
                **better.get((stored.event.device, stored.event.sequence), {}),
                "record": _opened(stored.event, record_key),
            }
            for stored in page
        ]

    @app.get("/v1/counts")
    def counts() -> dict[str, int]:
        """How many records and alarms central has."""
        return store.counts()

    @app.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
    def metrics_page() -> Response:
        """Metrics of this receiver in Prometheus' text format."""
        return Response(metrics.page(store), media_type=CONTENT_TYPE_LATEST)

    app.include_router(batch_routes(store, shedder, metrics))
    app.include_router(device_routes(store))
    app.include_router(enrolment_routes(store))
    app.include_router(time_routes(site.statements))
    app.mount("/tuf", StaticFiles(directory=site.repository.directory))
    return app


def _opened(event: Event, key: X25519PrivateKey) -> dict[str, Any] | None:
    try:
        return unseal(event, key)
    except RecordError:  # a terminal that seals nonsense hides its own records, nobody else's
        return None
