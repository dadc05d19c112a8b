"""POST /v1/enrolments: a person's phone ties its key to their number with a claim code (R10).

The answer to a claim that cannot be used is the same whatever the cause, so that nobody learns which claims
exist; central's log has the cause. Guessing 128 bits is hopeless: the limits below are there so that trying
costs central little. Only failures count, since a whole dormitory may share one address.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from sync.central.claims import Outcome, typed, written
from sync.central.openapi import json_body, problems
from sync.central.store import Store
from sync.central.wire import Refusal, problem, read_body
from sync.protocol import decode_base64url
from terminal.codes import compressed

log = logging.getLogger(__name__)

ENROLMENTS = "/v1/enrolments"
_MAX_BODY = 4096  # bytes


class PhoneKey(BaseModel):
    """A P-256 public key as a JWK (RFC 7517, RFC 7518 section 6.2)."""

    model_config = ConfigDict(extra="ignore")
    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str = Field(pattern="^[A-Za-z0-9_-]{43}$")
    y: str = Field(pattern="^[A-Za-z0-9_-]{43}$")

    def key(self) -> EllipticCurvePublicKey:
        """The key itself. Raises: ValueError when it is no point of the curve."""
        x, y = (int.from_bytes(decode_base64url(part), "big") for part in (self.x, self.y))
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


class Enrolment(BaseModel):
    """What a phone sends. proof: base64url of the key's ES256 signature (r and s) over `proof_text`."""

    model_config = ConfigDict(extra="ignore")
    claim: str = Field(max_length=64)
    public_key: PhoneKey
    proof: str = Field(pattern="^[A-Za-z0-9_-]{86}$")


class Enrolled(BaseModel):
    """The answer: whose key it is now. It opens gates once the roster is published."""

    sub: str


def proof_text(secret: bytes) -> bytes:
    """What the phone's key signs, to show that the phone has it and meant this claim."""
    return f"campusgate enrolment\n{written(secret)}".encode()


class Limit:
    """How many failures there may be in a time, from one address and in all. window: seconds."""

    def __init__(
        self,
        *,
        each: int = 20,
        total: int = 3000,
        window: float = 600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._each, self._total, self._window, self._clock = each, total, window, clock
        self._lock = Lock()
        self._all: deque[float] = deque()
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until `address` may try again; 0 when now."""
        with self._lock:
            own = self._by_address.get(_network(address), deque())
            return max(self._left(own, self._each), self._left(self._all, self._total))

    def failed(self, address: str) -> None:
        """Count a failure of `address`."""
        now = self._clock()
        with self._lock:
            own = self._by_address.setdefault(_network(address), deque(maxlen=self._each))
            own.append(now)
            self._by_address.move_to_end(_network(address))
            self._all.append(now)
            while len(self._all) > self._total:
                self._all.popleft()
            while len(self._by_address) > self._total:  # the oldest, which counts no more
                self._by_address.popitem(last=False)

    def _left(self, failures: deque[float], most: int) -> float:
        if len(failures) < most:
            return 0.0
        return max(0.0, failures[-most] + self._window - self._clock())


def enrolment_routes(store: Store, limit: Limit | None = None) -> APIRouter:
    """The route of self-enrolment on `store`."""
    router = APIRouter()
    limited = limit or Limit()

    @router.post(
        ENROLMENTS,
        status_code=201,
        response_model=Enrolled,
        responses=problems(400, 403, 429),
        openapi_extra={"requestBody": json_body(Enrolment)},
    )
    async def enrol(request: Request) -> Enrolled:
        """Use a claim up: its person's code is from now on made by the phone with this key, and no other."""
        address = request.client.host if request.client else ""
        wait = limited.wait(address)
        if wait:
            log.warning("enrolment refused: too many failures, the last from %s", address)
            refused = problem("busy", 429, "Too many attempts", "try again later")
            raise Refusal(refused, retry_after=int(wait) + 1)
        data = await read_body(request, _MAX_BODY)
        try:
            return await run_in_threadpool(_enrol, store, data, address)
        except Refusal:
            limited.failed(address)
            raise

    return router


def _enrol(store: Store, data: bytes, address: str) -> Enrolled:
    try:
        sent = Enrolment.model_validate_json(data)
        key = sent.public_key.key()
        proof = decode_base64url(sent.proof)
    except ValidationError as error:
        # Neither the claim nor anything else that was sent may come back or reach the log.
        wrong = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        detail = f"wrong or missing: {', '.join(wrong) or 'the whole body'}"
        raise Refusal(problem("malformed", 400, "Malformed enrolment", detail)) from None
    except ValueError:
        raise Refusal(problem("malformed", 400, "Malformed enrolment", "wrong: public_key")) from None
    try:
        secret = typed(sent.claim)
    except ValueError as error:
        raise Refusal(problem("malformed", 400, "Mistyped claim", str(error))) from None
    try:
        r, s = int.from_bytes(proof[:32], "big"), int.from_bytes(proof[32:], "big")
        key.verify(encode_dss_signature(r, s), proof_text(secret), ECDSA(SHA256()))
    except InvalidSignature:
        raise Refusal(problem("malformed", 400, "The key's proof does not verify")) from None
    redeemed = store.claims.redeem(secret, compressed(key), now=int(time.time()))
    if redeemed.outcome is not Outcome.TAKEN:
        log.warning(
            "enrolment refused: claim %s, of %s, from %s",
            redeemed.outcome,
            redeemed.subject or "nobody",
            address,
        )
        raise Refusal(problem("claim", 403, "Claim not valid", "ask for a new claim code"))
    log.info("enrolled: %s, from %s", redeemed.subject, address)
    return Enrolled(sub=redeemed.subject)


def _network(address: str) -> str:
    """What one household has: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
