"""Campus codes: what phone and issuer make is read, everything else is refused with its own reason."""

from __future__ import annotations

import hashlib
from typing import Any

import base45
import cbor2
import pytest
import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sync.central.mint import personal_code
from terminal.codes import (
    MAX_TEXT,
    PREFIX,
    Claim,
    CodeKind,
    CodeRefused,
    PassKind,
    compressed,
    from_compressed,
    key_id,
    parse,
    verify,
)
from terminal.declaration import Declaration, Symptom
from terminal.reasons import Reason
from tests.terminal.world import (
    ISSUER,
    NOW,
    PHONES,
    STRANGER,
    code_of,
    cose,
    pass_of,
    signed,
    text_of,
    token_of,
)

PHONE = PHONES["S1"]
AT = int(NOW.timestamp())
SIGNALLING_NAN = cbor2.CBORTag(4, ["N", 1])  # decodes to Decimal("sNaN1"), which raises when compared


def refusal(text: str, key: EllipticCurvePublicKey | None = None) -> Reason:
    with pytest.raises(CodeRefused) as caught:
        verify(parse(text), key or PHONE.public_key())
    return caught.value.reason


@pytest.mark.parametrize(
    "declaration",
    [
        None,
        Declaration(None, Symptom(0), False),
        Declaration(365, Symptom.COUGH | Symptom.OTHER, True),
        Declaration(300, Symptom(31), False),
    ],
)
def test_a_personal_code_comes_back_as_the_phone_made_it(declaration: Declaration | None) -> None:
    text = personal_code(PHONE, "S20240001", AT, declaration)
    claimed = parse(text)
    assert (claimed.kind, claimed.subject, claimed.key_id) == (CodeKind.PERSONAL, "S20240001", "")
    code = verify(claimed, PHONE.public_key())
    assert (code.subject, code.issued_at, code.declaration) == ("S20240001", AT, declaration)
    assert (code.pass_kind, code.expires_at, code.places) == (None, None, ())
    protected, _unprotected, payload, _signature = cbor2.loads(token_of(text)).value
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    assert code.digest == hashlib.sha256(structure).hexdigest()
    assert code.audience == ""


def test_one_code_has_one_digest_whatever_is_not_signed() -> None:
    text = code_of("S1")
    digest = verify(parse(text), PHONE.public_key()).digest
    protected, _unprotected, payload, signature = cbor2.loads(token_of(text)).value
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    twin = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    for unprotected in ({}, {99: 1}, {"note": b"x" * 40}, {1: -8}, {2: [99]}, {3: 60}, {33: b"certificate"}):
        for other in (signature, twin):
            token = cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload, other]))
            assert verify(parse(text_of(token)), PHONE.public_key()).digest == digest
    again = verify(parse(code_of("S1")), PHONE.public_key()).digest  # signed anew, by another random number
    assert again == digest
    assert verify(parse(code_of("S1", age=1)), PHONE.public_key()).digest != digest


@pytest.mark.parametrize("kid", [b"", bytes.fromhex(key_id(ISSUER.public_key()))])
def test_unsigned_bytes_do_not_make_a_pass_of_a_personal_code(kid: bytes) -> None:
    protected, _unprotected, payload, signature = cbor2.loads(token_of(code_of("S1"))).value
    token = cbor2.dumps(cbor2.CBORTag(18, [protected, {4: kid}, payload, signature]))
    assert refusal(text_of(token)) is Reason.CODE_DAMAGED


def test_a_code_may_be_bound_to_a_place() -> None:
    text = personal_code(PHONE, "S1", AT, audience="north-gate")
    assert verify(parse(text), PHONE.public_key()).audience == "north-gate"


@pytest.mark.parametrize("kind", list(PassKind))
@pytest.mark.parametrize("places", [(), ("north-gate", "library")])
def test_a_pass_comes_back_as_the_issuer_made_it(kind: PassKind, places: tuple[str, ...]) -> None:
    claimed = parse(pass_of("V-77", kind, places=places, issuer="reception"))
    assert (claimed.kind, claimed.key_id) == (CodeKind.PASS, key_id(ISSUER.public_key()))
    code = verify(claimed, ISSUER.public_key())
    assert (code.subject, code.pass_kind, code.places) == ("V-77", kind, places)
    assert (code.not_before, code.expires_at) == (AT - 3600, AT + 3600)


def test_a_personal_code_with_a_declaration_stays_small_enough_to_scan() -> None:
    text = personal_code(PHONE, "S20240001", AT, Declaration(365, Symptom(31), True))
    assert len(personal_code(PHONE, "S20240001", AT)) <= 165
    assert segno.make(text, error="m", micro=False, boost_error=False).version <= 8


@pytest.mark.parametrize(
    ("text", "key"), [(code_of("S1"), PHONE.public_key()), (pass_of("V-77"), ISSUER.public_key())]
)
def test_a_code_verifies_by_rfc_9052_without_our_libraries(text: str, key: EllipticCurvePublicKey) -> None:
    assert text.startswith("CC1:")
    tag = cbor2.loads(base45.b45decode(text[4:]))
    protected, _unprotected, payload, signature = tag.value
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), structure, ECDSA(SHA256()))
    assert tag.tag == 18
    assert len(signature) == 64
    assert cbor2.loads(protected)[1] == -7
    with pytest.raises(InvalidSignature):
        key.verify(encode_dss_signature(r, s), structure + b"\0", ECDSA(SHA256()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.CODE_FOREIGN),
        ("https://example.com/", Reason.CODE_FOREIGN),
        ("cc1:" + code_of("S1")[4:], Reason.CODE_FOREIGN),
        (" " + code_of("S1"), Reason.CODE_FOREIGN),
        ("HC1:" + code_of("S1")[4:], Reason.CODE_FOREIGN),
        (PREFIX + "0" * (MAX_TEXT - len(PREFIX) + 1), Reason.CODE_OVERSIZE),
        (PREFIX + "0" * 1_000_000, Reason.CODE_OVERSIZE),
        (PREFIX, Reason.CODE_DAMAGED),
        (PREFIX + "0", Reason.CODE_DAMAGED),
        (PREFIX + ":::", Reason.CODE_DAMAGED),
        (PREFIX + "校园码", Reason.CODE_DAMAGED),
        (PREFIX + "\ud800\udfff\0", Reason.CODE_DAMAGED),
        (code_of("S1").lower().replace("cc1:", "CC1:"), Reason.CODE_DAMAGED),
        (code_of("S1")[:-1], Reason.CODE_DAMAGED),
        (code_of("S1")[:40], Reason.CODE_DAMAGED),
        (text_of(b"\xff\xfe\x00 not cbor"), Reason.CODE_DAMAGED),
        (text_of(token_of(code_of("S1")) + b"\x00"), Reason.CODE_DAMAGED),
        (text_of(cbor2.dumps("CC1")), Reason.CODE_DAMAGED),
        (text_of(cbor2.dumps({2: "S1"})), Reason.CODE_DAMAGED),
        (text_of(token_of(code_of("S1"))[1:]), Reason.CODE_DAMAGED),  # no tag
        (text_of(b"\xd1" + token_of(code_of("S1"))[1:]), Reason.CODE_DAMAGED),  # COSE_Mac0
        (text_of(cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b""]))), Reason.CODE_DAMAGED),
        (text_of(cbor2.dumps(cbor2.CBORTag(18, [1, 2, 3, 4]))), Reason.CODE_DAMAGED),
        (text_of(cose(b"")), Reason.CODE_DAMAGED),
        (text_of(cose([0, 1, "S1"])), Reason.CODE_DAMAGED),
        (text_of(cose({2: "S1"}, header=b"\x80")), Reason.CODE_DAMAGED),
        (text_of(cose({2: "S1"}, header=b"")), Reason.CODE_DAMAGED),
        (text_of(cose({2: "S1"}, header={})), Reason.CODE_UNSUPPORTED),
        (text_of(cose({2: "S1"}, header={1: -8})), Reason.CODE_UNSUPPORTED),  # EdDSA
        (text_of(cose({2: "S1"}, header={1: 5})), Reason.CODE_UNSUPPORTED),  # HMAC
        (text_of(cose({2: "S1"}, header={1: -7.0})), Reason.CODE_UNSUPPORTED),
        (text_of(cose({2: "S1"}, header={1: SIGNALLING_NAN})), Reason.CODE_UNSUPPORTED),
        (text_of(cose({2: "S1"}, header={}, unprotected={1: -7})), Reason.CODE_UNSUPPORTED),
        (text_of(cose({2: "S1"}, header={1: -7, 2: [99], 99: 1})), Reason.CODE_UNSUPPORTED),
        (text_of(cose({6: AT})), Reason.CODE_DAMAGED),
        (text_of(cose({2: 1, 6: AT})), Reason.CODE_DAMAGED),
        (text_of(cose({2: b"S1", 6: AT})), Reason.CODE_DAMAGED),
        (text_of(cose({2: "", 6: AT})), Reason.CODE_DAMAGED),
        (text_of(cose({2: "S" * 65, 6: AT})), Reason.CODE_DAMAGED),
        (text_of(cose({2: SIGNALLING_NAN, 6: AT})), Reason.CODE_DAMAGED),
        *[
            (text_of(cose({2: "S1", 6: AT}, header={1: -7, 4: kid})), Reason.CODE_DAMAGED)
            for kid in (1, "abc", None, [b"a"], {1: 2}, SIGNALLING_NAN)
        ],
        (text_of(cose({2: "S1", 6: AT}, unprotected={4: "abc"})), Reason.CODE_DAMAGED),
        *[
            (text_of(cose({2: "S1", 6: AT}, signature=signature)), Reason.CODE_FORGED)
            for signature in (b"", b"s" * 63, b"s" * 64, b"\0" * 64, b"\xff" * 64, None, 5, "text", [1])
        ],
        *[
            (text_of(bomb), Reason.CODE_DAMAGED)
            for bomb in (
                b"\x81" * 660,
                b"\xd2" * 660,
                b"\x9f" * 660,
                b"\xa1" * 660,
                b"\xd2\x9b\x7f" + b"\xff" * 7,
                b"\xd2\x5b\x7f" + b"\xff" * 7,
                b"\xd2\x7b\xff" + b"\xff" * 7,
                b"\xd2\xbb\x00\x00\x00\xff" + b"\xff" * 4,
                cbor2.dumps(cbor2.CBORTag(5, [10**9, 3])),  # 3 * 2 ** 1000000000
                cbor2.dumps(cbor2.CBORTag(4, [10**15, 3])),
                cbor2.dumps(cbor2.CBORTag(30, [1, 0])),
            )
        ],
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",  # signatures are never twice the same
)
def test_a_hostile_code_is_refused_for_its_own_reason(text: str, reason: Reason) -> None:
    assert refusal(text) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {Claim.IAT: None},
        {Claim.IAT: -1},
        {Claim.IAT: 2**40},
        {Claim.IAT: AT + 0.5},
        {Claim.IAT: str(AT)},
        {Claim.IAT: True},
        {Claim.IAT: SIGNALLING_NAN},
        {Claim.NBF: "soon"},
        {Claim.EXP: -1},
        {Claim.AUD: ""},
        {Claim.AUD: 5},
        {Claim.AUD: b"north-gate"},
        {Claim.AUD: ["north-gate"]},
        {Claim.AUD: "p" * 65},
        {Claim.PLACES: "north-gate"},
        {Claim.PLACES: [1]},
        {Claim.PLACES: ["p"] * 33},
        *[
            {Claim.DECLARATION: value}
            for value in (
                5,
                [],
                [365, 0],
                [365, 0, False, 1],
                [299, 0, False],
                [451, 0, False],
                [36.5, 0, False],
                [True, 0, False],
                [365, 32, False],
                [365, -1, False],
                [365, True, False],
                [365, 0, 0],
                [365, 0, None],
                "abc",
                SIGNALLING_NAN,
            )
        ],
    ],
)
def test_a_code_that_its_own_person_signed_with_odd_claims_is_damaged(changes: dict[int, Any]) -> None:
    claims = {int(Claim.SUB): "S1", int(Claim.IAT): AT} | {int(key): value for key, value in changes.items()}
    text = signed(PHONE, {key: value for key, value in claims.items() if value is not None})
    assert refusal(text) is Reason.CODE_DAMAGED


@pytest.mark.parametrize(
    "changes", [{Claim.EXP: None}, {Claim.PASS_KIND: None}, {Claim.PASS_KIND: "master"}, {Claim.PASS_KIND: 1}]
)
def test_a_pass_without_end_or_of_no_known_kind_is_damaged(changes: dict[int, Any]) -> None:
    claims = {int(Claim.SUB): "V", int(Claim.EXP): AT, int(Claim.PASS_KIND): "card"}
    claims |= {int(key): value for key, value in changes.items()}
    header = {1: -7, 4: bytes.fromhex(key_id(ISSUER.public_key()))}
    text = signed(ISSUER, {key: value for key, value in claims.items() if value is not None}, header)
    assert refusal(text, ISSUER.public_key()) is Reason.CODE_DAMAGED


def test_a_code_of_another_key_is_forged() -> None:
    assert refusal(code_of("S1", key=STRANGER)) is Reason.CODE_FORGED
    assert refusal(pass_of("V", key=STRANGER), ISSUER.public_key()) is Reason.CODE_FORGED


def test_a_key_survives_its_33_bytes_and_its_id_is_of_them() -> None:
    point = compressed(PHONE.public_key())
    assert len(point) == 33
    assert compressed(from_compressed(point)) == point
    assert key_id(PHONE.public_key()) == hashlib.sha256(point).hexdigest()[:16]


@pytest.mark.parametrize("point", [b"", b"\2" * 32, b"\2" + b"\xff" * 32, b"\5" + b"\1" * 32])
def test_bytes_that_are_no_point_of_the_curve_are_no_key(point: bytes) -> None:
    with pytest.raises(ValueError):
        from_compressed(point)
