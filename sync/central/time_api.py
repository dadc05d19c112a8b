"""POST /v1/time: central's signed time, for terminals whose clock nothing else vouches for.

Nobody need be known to ask: what is signed is public, and good only for whoever chose the nonce.
"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from config.settings import Name
from sync.central.openapi import problems
from sync.central.statements import Statements
from sync.central.wire import Refusal, problem, read_body
from sync.protocol import TIME, TIME_TYPE, decode_base64url
from terminal.statement import Statement, StatementKind

_MAX_QUESTION = 1024  # bytes


class TimeQuestion(BaseModel):
    """Who asks for the time. nonce: base64url of 16 random bytes, which the answer repeats."""

    model_config = ConfigDict(extra="ignore")
    device: Name
    nonce: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{22}$")]


def time_routes(statements: Statements) -> APIRouter:
    """The route that answers with statements of `statements`."""
    router = APIRouter()

    @router.post(TIME, response_class=Response, responses=problems(400) | {200: {"content": {TIME_TYPE: {}}}})
    async def tell_time(request: Request) -> Response:
        """The time now, signed for that device and nonce, as a CWT (see the Clock part of PROTOCOL.md)."""
        data = await read_body(request, _MAX_QUESTION)
        return Response(await run_in_threadpool(_told, statements, data), media_type=TIME_TYPE)

    return router


def _told(statements: Statements, data: bytes) -> bytes:
    try:
        asked = TimeQuestion.model_validate_json(data)
        nonce = decode_base64url(asked.nonce)
    except (ValidationError, ValueError) as error:
        wanted = 'send {"device": NAME, "nonce": base64url of 16 bytes}'
        raise Refusal(problem("malformed", 400, "Malformed request", wanted)) from error
    return statements.sign(Statement(StatementKind.TIME, asked.device, int(time.time()), nonce))
