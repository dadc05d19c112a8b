"""What central's HTTP routes share: bounded bodies, signed requests, and refusals as problem documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from sync.central.database import DatabaseDown
from sync.central.devices import DeviceStatus, Standing
from sync.central.store import Store
from sync.protocol import MAX_BODY, PROBLEM_TYPE, TAG, BadSignature, Problem, verify_batch

REVOKED_RETRY = 3600  # seconds; a revoked terminal has nothing to hurry for


@dataclass(frozen=True, slots=True)
class Message:
    """A request as the signature library wants it."""

    method: str
    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, request: Request) -> Message:
        """The signed parts of `request`."""
        return cls(request.method, str(request.url), dict(request.headers))


class Refusal(Exception):
    """Raised by a route; it becomes the problem document. retry_after: seconds."""

    def __init__(self, problem: Problem, *, retry_after: int | None = None) -> None:
        self.problem, self.retry_after = problem, retry_after
        super().__init__(problem.title)

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(
            self.problem.model_dump(exclude_none=True),
            status_code=self.problem.status,
            media_type=PROBLEM_TYPE,
            headers={"Retry-After": str(self.retry_after)} if self.retry_after else None,
        )


def problem(kind: Any, status: int, title: str, detail: str = "") -> Problem:
    """A problem document (RFC 9457)."""
    return Problem(type=kind, status=status, title=title, detail=detail)


def too_large(limit: int = MAX_BODY) -> Refusal:
    """The refusal of a body of more than `limit` bytes."""
    return Refusal(problem("too-large", 413, "Body too large", f"at most {limit} bytes"))


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body, at most `limit` bytes whatever the headers say. Raises: Refusal."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise too_large(limit)
    return bytes(data)


def signer(
    store: Store, message: Message, data: bytes, *, tag: str = TAG
) -> tuple[Standing, Ed25519PublicKey]:
    """The device that signed the request, which is not revoked, and its key. Raises: Refusal."""
    seen: dict[str, Standing] = {}
    down: list[DatabaseDown] = []

    def keys(name: str) -> tuple[Ed25519PublicKey, ...]:
        try:
            seen[name] = store.devices.standing(name)
        except DatabaseDown as error:  # the library would take any error for a bad signature
            down.append(error)
            return ()
        return seen[name].keys

    try:
        device, key = verify_batch(message, keys=keys, body=data, tag=tag)
    except BadSignature as error:
        if down:
            raise down[0] from error
        raise Refusal(problem("signature", 401, "Signature refused", str(error))) from error
    standing = seen[device]
    if standing.status is DeviceStatus.REVOKED:
        refused = problem("revoked", 403, "Device revoked", f"{device} is revoked: nothing of it is taken")
        raise Refusal(refused, retry_after=REVOKED_RETRY)
    return standing, key
