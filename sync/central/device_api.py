"""POST /v1/devices/{name}/key: a terminal that was asked to offers its next key, signed by the one it has."""

from __future__ import annotations

import logging

from cryptography.exceptions import InvalidSignature
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from sync.central.devices import DeviceError
from sync.central.store import Store
from sync.central.wire import Message, Refusal, problem, read_body, signer
from sync.protocol import KEY_TAG, KeyOffer, decode_base64url, key_proof

log = logging.getLogger(__name__)

_MAX_OFFER = 4096  # bytes


def device_routes(store: Store) -> APIRouter:
    """The routes of devices on `store`."""
    router = APIRouter()

    @router.post("/v1/devices/{name}/key", status_code=204)
    async def offer_key(name: str, request: Request) -> Response:
        """Accept the device's next key beside the present one, until it is first used."""
        data = await read_body(request, _MAX_OFFER)
        await run_in_threadpool(_offer, store, name, Message.of(request), data)
        return Response(status_code=204)

    return router


def _offer(store: Store, name: str, message: Message, data: bytes) -> None:
    device, present = signer(store, message, data, tag=KEY_TAG)
    if device != name:
        raise Refusal(problem("signature", 401, "Signature refused", f"{device} signed for {name}"))
    store.devices.used(device, present)
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
