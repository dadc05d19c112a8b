"""What central does about devices over HTTP: take a terminal's next key, and check the codes on its screen.

POST /v1/devices/{name}/key: a terminal that was asked to offers its next key, signed by the one it has.
POST /v1/device-codes: the school's app asks where and when a screen was seen (R15).
"""

from __future__ import annotations

import logging
import time

from cryptography.exceptions import InvalidSignature
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from sync.central.devices import DeviceError
from sync.central.openapi import SIGNED, json_body, problems
from sync.central.store import Store
from sync.central.wire import Message, Refusal, problem, read_body, signer
from sync.protocol import KEY_TAG, KeyOffer, decode_base64url, key_proof
from terminal.codes import CodeRefused
from terminal.device_code import MAX_URL, verify_device_code

log = logging.getLogger(__name__)

_MAX_OFFER = 4096  # bytes
_MAX_CODE = MAX_URL + 64  # bytes


class ScannedCode(BaseModel):
    """What a phone read off a terminal's screen."""

    model_config = ConfigDict(extra="ignore")
    text: str


class Seen(BaseModel):
    """Where and when a screen showed that code. issued_at: Unix seconds. digest: names this very code."""

    device: str
    place: str
    issued_at: int
    digest: str


def device_routes(store: Store) -> APIRouter:
    """The routes of devices on `store`."""
    router = APIRouter()

    offer = {"parameters": SIGNED, "requestBody": json_body(KeyOffer)}

    @router.post(
        "/v1/devices/{name}/key",
        status_code=204,
        responses=problems(400, 401, 403, 409),
        openapi_extra=offer,
    )
    async def offer_key(name: str, request: Request) -> Response:
        """Accept the device's next key beside the present one, until it is first used."""
        data = await read_body(request, _MAX_OFFER)
        await run_in_threadpool(_offer, store, name, Message.of(request), data)
        return Response(status_code=204)

    @router.post(
        "/v1/device-codes",
        response_model=Seen,
        responses=problems(400, 403),
        openapi_extra={"requestBody": json_body(ScannedCode)},
    )
    async def check_device_code(request: Request) -> Seen:
        """Where and when this code was on a terminal's screen; 403 with the reason if it proves nothing."""
        data = await read_body(request, _MAX_CODE)
        return await run_in_threadpool(_seen, store, data)

    return router


def _seen(store: Store, data: bytes) -> Seen:
    try:
        text = ScannedCode.model_validate_json(data).text
    except ValidationError as error:
        raise Refusal(problem("malformed", 400, "Malformed request", 'send {"text": "..."}')) from error
    try:
        code = verify_device_code(text, store.devices.trusted_keys, now=int(time.time()))
    except CodeRefused as refused:
        raise Refusal(problem("device-code", 403, "Device code refused", str(refused))) from refused
    return Seen(device=code.device, place=code.place, issued_at=code.issued_at, digest=code.digest)


def _offer(store: Store, name: str, message: Message, data: bytes) -> None:
    standing, present = signer(store, message, data, tag=KEY_TAG)
    if standing.name != name:
        raise Refusal(problem("signature", 401, "Signature refused", f"{standing.name} signed for {name}"))
    store.devices.used(name, present)
    try:
        offer = KeyOffer.model_validate_json(data)
        key = offer.public_key.key()
        proof = decode_base64url(offer.proof)
    except (ValidationError, ValueError) as error:
        raise Refusal(problem("malformed", 400, "Malformed key", str(error)[:300])) from error
    try:
        key.verify(proof, key_proof(name))
    except InvalidSignature as error:
        raise Refusal(problem("malformed", 400, "The new key's proof does not verify")) from error
    try:
        store.devices.offer(name, key)
    except DeviceError as error:
        raise Refusal(problem("key-refused", 409, "Key refused", str(error))) from error
    log.info("%s offered its next key", name)
