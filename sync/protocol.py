"""The wire between terminal and central: batches of sealed events, receipts, problems, and their signatures.

A batch is a POST of a JSON array of CloudEvents (application/cloudevents-batch+json) to BATCHES. It is
signed with the device's Ed25519 key as RFC 9421 HTTP message signatures prescribe, over method, path,
content type and Content-Digest (RFC 9530). The answer is a receipt, or a problem document (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
    algorithms,
)
from pydantic import BaseModel, ConfigDict, Field

from config.errors import CampusgateError
from terminal.records import Event

BATCHES = "/v1/batches"
BATCH_TYPE = "application/cloudevents-batch+json"
PROBLEM_TYPE = "application/problem+json"
TUF_METADATA = "/tuf/metadata"
TUF_TARGETS = "/tuf/targets"
TAG = "campusgate-batch"
MAX_BODY = 8_388_608  # bytes
MAX_SEQUENCE = 2**63 - 1  # what a database can count to
COMPONENTS = ("@method", "@path", "content-type", "content-digest")


class Refused(BaseModel):
    """One record that central will not store, and why; the terminal keeps it."""

    model_config = ConfigDict(extra="ignore")
    sequence: int
    reason: str


class BatchReceipt(BaseModel):
    """Central's answer: it has every record up to `through`, whose digest is `digest`."""

    model_config = ConfigDict(extra="ignore")
    device: str
    through: int = Field(ge=0, le=MAX_SEQUENCE)
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    refused: list[Refused] = []


class Problem(BaseModel):
    """An error (RFC 9457). expected: for the type "gap", the first sequence that central needs."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["about:blank", "gap", "signature", "malformed", "unknown-device", "too-large", "busy"]
    title: str
    status: int
    detail: str = ""
    expected: int | None = Field(None, le=MAX_SEQUENCE)


def batch_body(events: Sequence[Event]) -> bytes:
    """The body of a batch: each event's text exactly as it was digested."""
    return ("[" + ",".join(event.text for event in events) + "]").encode()


def sign_batch(message: Any, *, device: str, key: Ed25519PrivateKey, body: bytes) -> None:
    """Sign the prepared request `message` in place: adds Content-Digest, Signature-Input, Signature."""
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={device: key}),
    )
    signer.sign(message, key_id=device, tag=TAG, covered_component_ids=COMPONENTS, body=body)


def verify_batch(message: Any, *, keys: Mapping[str, Ed25519PublicKey], body: bytes) -> str:
    """The device that signed `message` (method, url, headers) over `body`, by the public `keys` of devices.

    Raises: BadSignature.
    """
    verifier = _Verifier(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
    )
    try:
        results = verifier.verify(
            message, max_age=None, expect_tag=TAG, require_components=COMPONENTS, body=body
        )
    except HTTPMessageSignaturesException as error:
        raise BadSignature(f"the batch's signature does not verify: {error}") from error
    return str(results[0].parameters["keyid"])


class BadSignature(CampusgateError, ValueError):
    """Raised when a batch is not signed by the device that it names, or by no registered device."""


class _Verifier(HTTPMessageVerifier):
    # A terminal's clock may be years off and its records must arrive all the same. An old batch sent again
    # does no harm: central knows its records by device and sequence.
    max_clock_skew = timedelta(days=36_500)
