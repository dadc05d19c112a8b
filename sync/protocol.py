"""The wire between terminal and central: batches of sealed events, receipts, problems, and their signatures.

A batch is a POST of a JSON array of CloudEvents (application/cloudevents-batch+json) to BATCHES, in order and
after everything that central has; or to LIVE, in order but ahead of a backlog that is still on its way. It is
signed with the device's Ed25519 key as RFC 9421 HTTP message signatures prescribe, over method, path,
content type and Content-Digest (RFC 9530), which is over the bytes as they are sent; and over
Content-Encoding when there is one. The answer is a receipt, or a problem document (RFC 9457).

A receipt may ask the device for a new key. The device then offers one (KeyOffer) in a POST to
`device_key_path`, signed in the same way by the key that it has.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    MappingKeyResolver,
    algorithms,
)
from pydantic import BaseModel, ConfigDict, Field

from config.errors import CampusgateError
from terminal.events import Event

BATCHES = "/v1/batches"
LIVE = "/v1/batches/live"
TIME = "/v1/time"
TIME_TYPE = "application/cwt"
BATCH_TYPE = "application/cloudevents-batch+json"
PROBLEM_TYPE = "application/problem+json"
TUF_METADATA = "/tuf/metadata"
TUF_TARGETS = "/tuf/targets"
TAG = "campusgate-batch"
KEY_TAG = "campusgate-device-key"
KEY_TYPE = "application/json"
MAX_BODY = 8_388_608  # bytes
MAX_SEQUENCE = 2**63 - 1  # what a database can count to
MAX_SPANS = 16  # spans of one device that central keeps ahead of its contiguous records
COMPONENTS = ("@method", "@path", "content-type", "content-digest")


class Refused(BaseModel):
    """One record that central will not store, and why; the terminal keeps it."""

    model_config = ConfigDict(extra="ignore")
    sequence: int
    reason: str


class Span(BaseModel):
    """Records from `first` up to `through`, whose digest is `digest`, that central has ahead of others."""

    model_config = ConfigDict(extra="ignore")
    first: int = Field(ge=1, le=MAX_SEQUENCE)
    through: int = Field(ge=1, le=MAX_SEQUENCE)
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class Wish(BaseModel):
    """What central would have the next requests be: at most so many records and bytes, so far apart."""

    model_config = ConfigDict(extra="ignore")
    records: int | None = Field(None, ge=1)
    bytes: int | None = Field(None, ge=1)  # of the body before compression
    pause: float = Field(0.0, ge=0)  # seconds between two requests while a backlog drains


class BatchReceipt(BaseModel):
    """Central's answer: it has every record up to `through`, whose digest is `digest`.

    live: for a batch of the live lane that is still ahead of that, the span that it is part of.
    """

    model_config = ConfigDict(extra="ignore")
    device: str
    through: int = Field(ge=0, le=MAX_SEQUENCE)
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    live: Span | None = None
    refused: list[Refused] = []
    wish: Wish = Wish()
    rotate: bool = False  # central asks this device for a new key


class OctetKey(BaseModel):
    """An Ed25519 public key as a JWK (RFC 8037)."""

    model_config = ConfigDict(extra="ignore")
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: str = Field(pattern="^[A-Za-z0-9_-]{43}$")

    @classmethod
    def of(cls, key: Ed25519PublicKey) -> OctetKey:
        """`key` as a JWK."""
        return cls(x=encode_base64url(key.public_bytes_raw()))

    def key(self) -> Ed25519PublicKey:
        """The key itself."""
        return Ed25519PublicKey.from_public_bytes(decode_base64url(self.x))


class KeyOffer(BaseModel):
    """A device's next key. proof: base64url of that key's signature over `key_proof`."""

    model_config = ConfigDict(extra="ignore")
    public_key: OctetKey
    proof: str = Field(pattern="^[A-Za-z0-9_-]{86}$")


class Problem(BaseModel):
    """An error (RFC 9457). expected: for the type "gap", the first sequence that central needs."""

    model_config = ConfigDict(extra="ignore")
    type: Literal[
        "about:blank",
        "gap",
        "signature",
        "malformed",
        "unknown-device",
        "too-large",
        "busy",
        "revoked",
        "claim",
        "key-refused",
        "device-code",
    ]
    title: str
    status: int
    detail: str = ""
    expected: int | None = Field(None, le=MAX_SEQUENCE)


def batch_body(events: Sequence[Event]) -> bytes:
    """The body of a batch: each event's text exactly as it was digested."""
    return ("[" + ",".join(event.text for event in events) + "]").encode()


def device_key_path(device: str) -> str:
    """Where `device` offers its next key."""
    return f"/v1/devices/{device}/key"


def key_proof(device: str) -> bytes:
    """What a device's next key signs, to show that the device has it."""
    return f"campusgate device key\n{device}".encode()


def encode_base64url(data: bytes) -> str:
    """`data` in base64url without padding, as JOSE writes it (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """The bytes in `text`. Raises: ValueError when it is not base64url without padding."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def sign_batch(message: Any, *, device: str, key: Ed25519PrivateKey, body: bytes, tag: str = TAG) -> None:
    """Sign the prepared request `message` in place: adds Content-Digest, Signature-Input, Signature."""
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={device: key}),
    )
    signer.sign(
        message, key_id=device, tag=tag, covered_component_ids=_components(message.headers), body=body
    )


def verify_batch(
    message: Any, *, keys: Callable[[str], Sequence[Ed25519PublicKey]], body: bytes, tag: str = TAG
) -> tuple[str, Ed25519PublicKey]:
    """The device that signed `message` (method, url, headers) over `body`, and the key that it used.

    keys: gives the public keys of a device by its name; none when there is no such device.
    Raises: BadSignature.
    """
    resolver = _Candidates(keys)
    while True:
        verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=resolver)
        try:
            results = verifier.verify(
                message,
                max_age=None,
                expect_tag=tag,
                require_components=_components(message.headers),
                body=body,
            )
        except HTTPMessageSignaturesException as error:
            if resolver.next():
                continue
            raise BadSignature(f"the signature does not verify: {error}") from error
        return str(results[0].parameters["keyid"]), resolver.candidates[0]


def _components(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What a signature must cover: an unsigned Content-Encoding could make other bytes of the same body."""
    encoded = any(name.lower() == "content-encoding" for name in headers)
    return (*COMPONENTS, "content-encoding") if encoded else COMPONENTS


class BadSignature(CampusgateError, ValueError):
    """Raised when a request is not signed by the device that it names, or by no registered device."""


class _Verifier(HTTPMessageVerifier):
    # A terminal's clock may be years off and its records must arrive all the same. An old batch sent again
    # does no harm: central knows its records by device and sequence.
    max_clock_skew = timedelta(days=36_500)


class _Candidates(HTTPSignatureKeyResolver):
    """The keys of the device that a signature names, one at a time."""

    def __init__(self, keys: Callable[[str], Sequence[Ed25519PublicKey]]) -> None:
        self._keys = keys
        self.candidates: list[Ed25519PublicKey] = []

    def next(self) -> bool:
        """Go on to the next key; False when there is none."""
        self.candidates = self.candidates[1:]
        return bool(self.candidates)

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        self.candidates = self.candidates or list(self._keys(key_id))
        return self.candidates[0] if self.candidates else None
