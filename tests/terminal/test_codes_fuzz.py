"""Codes under fuzz: any text, any bytes, any COSE-shaped hostility is a claim or a refusal, nothing else."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.codes import PREFIX, Claim, Claimed, CodeRefused, parse, verify
from tests.terminal.world import ISSUER, PHONES, code_of, cose, pass_of, text_of, token_of

PHONE = PHONES["S1"]


@pytest.mark.parametrize(
    ("text", "key"), [(code_of("S1"), PHONE.public_key()), (pass_of("V-77"), ISSUER.public_key())]
)
def test_no_flipped_bit_leaves_a_code_that_verifies(text: str, key: EllipticCurvePublicKey) -> None:
    token = token_of(text)
    for bit in range(len(token) * 8):
        flipped = bytearray(token)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CodeRefused):
            verify(parse(text_of(bytes(flipped))), key)


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=80), st.text(max_size=80).map(PREFIX.__add__), st.text("0123:ABZ %$", max_size=99)
    )
)
def test_any_text_is_a_claim_or_a_refusal(text: str) -> None:
    outcome_of(text)


@settings(max_examples=400)
@given(st.binary(max_size=200))
def test_any_bytes_behind_the_prefix_are_a_claim_or_a_refusal(token: bytes) -> None:
    outcome_of(text_of(token))


_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.binary(max_size=9),
    st.text(max_size=9),
    st.builds(cbor2.CBORTag, st.just(4), st.just(["N", 1])),
    st.builds(
        cbor2.CBORTag,
        st.integers(0, 300),
        st.one_of(st.text(max_size=5), st.lists(st.integers(), max_size=3)),
    ),
)
_TREES = st.recursive(_ATOMS, lambda inner: st.lists(inner, max_size=4), max_leaves=5)
_KEYS = st.one_of(st.integers(-9, 9), st.sampled_from([int(c) for c in Claim]), st.text(max_size=2))
_MAPS = st.dictionaries(_KEYS, _TREES, max_size=4)


@settings(max_examples=400)
@given(_MAPS, _MAPS, st.one_of(_MAPS.map(lambda m: m | {2: "S1"}), _TREES), _TREES)
def test_any_cose_shaped_hostility_is_refused_and_never_verifies(
    header: Any, unprotected: Any, claims: Any, signature: Any
) -> None:
    for protected in (header, header | {1: -7}):
        claimed = outcome_of(text_of(cose(claims, protected, unprotected, signature)))
        if claimed:
            with pytest.raises(CodeRefused):
                verify(claimed, PHONE.public_key())


def outcome_of(text: str) -> Claimed | None:
    """The claim in `text`, or None when it was refused with a reason of codes; anything else fails."""
    try:
        claimed = parse(text)
    except CodeRefused as refused:
        if not refused.reason.value.startswith("code."):
            raise
        return None
    assert isinstance(claimed, Claimed)
    assert 1 <= len(claimed.subject) <= 64
    return claimed
