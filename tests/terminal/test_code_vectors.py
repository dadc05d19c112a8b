"""The test vectors of CODES.md: what our implementation makes of them, and what two independent ones do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hw.thermal import Reading, ThermalState
from sync.central.mint import pass_code, personal_code
from terminal.codes import Code, CodeKind, CodeRefused, PassKind, from_compressed, parse, verify
from terminal.decision import Situation, decide
from terminal.device_code import device_code, verify_device_code
from terminal.person import Person, PersonKind
from terminal.policy import CodePolicy, Place, Policy
from terminal.reasons import Reason, Verdict
from tests.terminal import make_vectors

DOCUMENT: dict[str, Any] = json.loads(make_vectors.FILE.read_text("utf-8"))
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
KEYS = {name: bytes.fromhex(key["public"]) for name, key in DOCUMENT["keys"].items()}
POLICY = Policy(
    code=CodePolicy(**DOCUMENT["policy"]),
    places={name: Place(name_zh=name, name_en=name, **terms) for name, terms in DOCUMENT["places"].items()},
)
PEOPLE = {
    subject: Person(subject, "张伟", PersonKind.STUDENT, keys=tuple(KEYS[key] for key in terms["keys"]))
    for subject, terms in DOCUMENT["people"].items()
}
ISSUERS = {DOCUMENT["keys"][name]["kid"]: from_compressed(KEYS[name]) for name in DOCUMENT["issuers"]}
DEVICES = {name: Ed25519PublicKey.from_public_bytes(KEYS[key]) for name, key in DOCUMENT["devices"].items()}
SIGNED = [vector for vector in VECTORS if "digest" in vector]
# Of all codes that are well-formed, these alone bear no true signature of the key that they name.
UNTRUE = {"code.forged"}


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def test_there_is_a_vector_for_every_refusal_of_a_code() -> None:
    reasons = {vector["reason"] for vector in VECTORS}
    assert len(VECTORS) >= 25
    assert {str(reason) for reason in Reason if reason.value.startswith("code.")} <= reasons
    assert {"ok", "person.unknown", "clock.untrusted"} <= reasons
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)


def test_the_file_is_what_the_generator_makes() -> None:
    assert make_vectors.FILE.read_text("utf-8") == make_vectors.dump()


def verified(text: str) -> Code:
    """As the gate does it: see terminal.gate.verified."""
    claimed = parse(text)
    if claimed.kind is CodeKind.PASS:
        if claimed.key_id not in ISSUERS:
            raise CodeRefused(Reason.CODE_ISSUER_UNKNOWN, "")
        return verify(claimed, ISSUERS[claimed.key_id])
    if claimed.subject not in PEOPLE:
        raise CodeRefused(Reason.PERSON_UNKNOWN, "")
    return verify(claimed, from_compressed(PEOPLE[claimed.subject].keys[0]))


def outcome(vector: dict[str, Any]) -> tuple[str, str | None]:
    """The reason, and the digest where the signature verified."""
    code: Code | None = None
    refused: Reason | None = None
    try:
        if vector["kind"] == "device":
            terms = DOCUMENT["device_code_policy"]
            digest = verify_device_code(
                vector["text"],
                lambda name: [DEVICES[name]] if name in DEVICES else [],
                now=vector["at"],
                fresh=terms["fresh_seconds"],
                skew=terms["skew_seconds"],
            ).digest
            return "ok", digest
        code = verified(vector["text"])
    except CodeRefused as error:
        refused = error.reason
    situation = Situation(
        place=vector["place"],
        now=datetime.fromtimestamp(vector["at"], UTC),
        clock_trusted=vector["clock_trusted"],
        refused=refused,
        code=code,
        person=PEOPLE.get(code.subject) if code else None,
        reading=Reading(ThermalState.OK, 365),
        last_issued_at=vector["last_issued_at"],
    )
    decision = decide(situation, POLICY)
    assert (decision.verdict is Verdict.ALLOW) == (decision.reasons == (Reason.OK,))
    return str(decision.reasons[0]), code.digest if code else None


@named(VECTORS)
def test_our_implementation_gives_the_expected_result(vector: dict[str, Any]) -> None:
    reason, digest = outcome(vector)
    assert reason == vector["reason"]
    assert (reason == "ok") == (vector["result"] == "taken")
    assert digest in (None, vector.get("digest"))
    if reason == "ok":
        assert digest


def key_of(vector: dict[str, Any]) -> str:
    """The name of the key that the code says it is signed with, or that really signed it if nobody has it."""
    by_kid = {key["kid"]: name for name, key in DOCUMENT["keys"].items()}
    kid = vector["header"].get("4")
    if kid:
        return by_kid[kid]
    return "stranger" if vector["claims"].get("2", make_vectors.SUBJECT) not in PEOPLE else "person"


def verifies_by_hand(vector: dict[str, Any]) -> bool:
    """RFC 9052, section 4.4, with nothing but CBOR and the primitives."""
    protected, _unprotected, payload, signature = cbor2.loads(bytes.fromhex(vector["cose"])).value
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    public = KEYS[key_of(vector)]
    try:
        if vector["header"]["1"] == -8:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, structure)
        elif len(signature) != 64:
            return False
        else:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public)
            key.verify(encode_dss_signature(r, s), structure, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@named(SIGNED)
def test_plain_cbor_and_primitives_agree_on_every_signature(vector: dict[str, Any]) -> None:
    assert verifies_by_hand(vector) == (vector["reason"] not in UNTRUE)


@named(SIGNED)
def test_pycose_agrees_on_every_signature(vector: dict[str, Any]) -> None:
    pytest.importorskip("pycose")
    from pycose.keys import EC2Key, OKPKey
    from pycose.messages import Sign1Message

    public = KEYS[key_of(vector)]
    message = Sign1Message.decode(bytes.fromhex(vector["cose"]))
    if vector["header"]["1"] == -8:
        message.key = OKPKey(crv="ED25519", x=public)
    else:
        numbers = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public).public_numbers()
        message.key = EC2Key(crv="P_256", x=numbers.x.to_bytes(32, "big"), y=numbers.y.to_bytes(32, "big"))
    assert message.verify_signature() == (vector["reason"] not in UNTRUE)


def test_what_phone_issuer_and_terminal_make_are_the_same_signed_bytes() -> None:
    by_name = {vector["name"]: vector for vector in VECTORS}
    person, issuer, device = (make_vectors.KEYS[name] for name in ("person", "issuer", "device"))
    at = make_vectors.AT
    made = personal_code(person, make_vectors.SUBJECT, at)
    assert parse(made).signed.digest == by_name["personal, fresh"]["digest"]
    made = personal_code(person, make_vectors.SUBJECT, at, audience="north-gate")
    assert verify(parse(made), person.public_key()).audience == "north-gate"
    made = pass_code(
        issuer,
        make_vectors.SUBJECT,
        PassKind.VISITOR,
        not_before=at - 3600,
        expires_at=at + 3600,
        places=("north-gate",),
    )
    assert parse(made).signed.digest == by_name["pass, visitor"]["digest"]
    made = device_code(
        make_vectors.URL, device=make_vectors.DEVICE, place=make_vectors.GATE, issued_at=at, key=device
    )
    assert made == by_name["device, fresh"]["text"]


@named([v for v in SIGNED if v["reason"] == "ok" and v["kind"] != "device" and "unsigned" not in v["name"]])
def test_no_character_of_a_code_can_be_changed(vector: dict[str, Any]) -> None:
    text = vector["text"]
    for at in range(4, len(text), 5):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert outcome(vector | {"text": changed})[0] != "ok"
