"""A content coding is part of what the device signs."""

from __future__ import annotations

import gzip

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.protocol import BATCH_TYPE, BATCHES, BadSignature, sign_batch, verify_batch

KEY = Ed25519PrivateKey.generate()
BODY = gzip.compress(b"[]")


def signed(**headers: str) -> requests.PreparedRequest:
    request = requests.Request(
        "POST",
        f"https://central.example{BATCHES}",
        data=BODY,
        headers={"Content-Type": BATCH_TYPE, **headers},
    ).prepare()
    sign_batch(request, device="north-gate-1", key=KEY, body=BODY)
    return request


def verify(request: requests.PreparedRequest) -> str:
    return verify_batch(request, keys=lambda _: [KEY.public_key()], body=BODY)[0]


def test_a_coding_is_covered_by_the_signature() -> None:
    request = signed(**{"Content-Encoding": "gzip"})
    assert '"content-encoding"' in request.headers["Signature-Input"]
    assert verify(request) == "north-gate-1"


def test_without_a_coding_nothing_of_it_is_signed() -> None:
    request = signed()
    assert "content-encoding" not in request.headers["Signature-Input"]
    assert verify(request) == "north-gate-1"


def test_a_coding_that_is_added_removed_or_changed_on_the_way_is_refused() -> None:
    added, removed, changed = signed(), *(signed(**{"Content-Encoding": "gzip"}) for _ in range(2))
    added.headers["Content-Encoding"] = "gzip"
    del removed.headers["Content-Encoding"]
    changed.headers["Content-Encoding"] = "zstd"
    for request in (added, removed, changed):
        with pytest.raises(BadSignature):
            verify(request)
