"""Self-enrolment over real HTTP: a claim ties a phone's key to a person, once, and tells no more."""

from __future__ import annotations

import csv
import io
import logging
import sqlite3
import time
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from config.keys import new_p256
from sync.central.claims import typed, written
from sync.central.enrolment import ENROLMENTS, Limit, _network, proof_text
from sync.central.mint import personal_code
from sync.protocol import encode_base64url
from terminal.codes import compressed, parse, verify
from tests.sim.campus import Campus
from tests.sync.batches import assert_problem
from tests.sync.office import good, opened, refused
from tests.sync.world import at, downlink_from, open_roster, publish


def request(claim: str, key: EllipticCurvePrivateKey, **swap: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    x, y = (encode_base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    r, s = decode_dss_signature(key.sign(proof_text(typed(claim)), ECDSA(SHA256())))
    proof = encode_base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return {"claim": claim, "public_key": jwk, "proof": proof, **swap}


def enrol(url: str, document: Any) -> requests.Response:
    return requests.post(url + ENROLMENTS, json=document, timeout=30)


def claims(campus: Campus, *arguments: str) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(good(campus.site, "roster", "claim", *arguments)))
    return {row["sub"]: row["claim"] for row in rows}


@pytest.fixture
def subject(campus: Campus) -> str:
    return campus.citizens[0].person.subject


@given(st.binary(min_size=16, max_size=16), st.integers(0, 27), st.sampled_from("0123456789ABCXYZ"))
def test_a_claim_is_read_as_people_type_it_and_a_slip_is_noticed(secret: bytes, at: int, other: str) -> None:
    text = written(secret)
    assert len(text) == 34
    assert typed(text) == secret
    assert typed(f" {text.lower().replace('-', '').replace('0', 'o').replace('1', 'l')} ") == secret
    plain = text.replace("-", "")
    slipped = plain[:at] + other + plain[at + 1 :]
    if slipped == plain:
        return
    try:
        read = typed(slipped)
    except ValueError:
        return
    assert read != secret  # one in 4,096 slips passes for another claim, which nobody has


def test_a_phone_takes_over_and_the_old_one_opens_nothing_more(
    campus: Campus, central: str, subject: str
) -> None:
    claim = claims(campus, subject)[subject]
    new, old = new_p256(), campus.citizens[0].phone
    done = enrol(central, request(claim, new))
    assert (done.status_code, done.json()) == (201, {"sub": subject})
    publish(campus)
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
    person = open_roster(campus).person(subject)
    assert person
    assert person.keys == (compressed(new.public_key()),)
    verify(parse(personal_code(new, subject, 1)), new.public_key())
    assert compressed(old.public_key()) not in person.keys


def test_unknown_used_expired_and_revoked_look_alike_outside_and_differ_in_the_log(
    campus: Campus, central: str, caplog: pytest.LogCaptureFixture
) -> None:
    people = [citizen.person.subject for citizen in campus.citizens[:4]]
    made = claims(campus, *people)
    assert enrol(central, request(made[people[0]], new_p256())).status_code == 201
    with sqlite3.connect(campus.site.directory / "central.db") as db:
        db.execute("update claim set expires_at = ? where subject = ?", (int(time.time()), people[1]))
    db.close()
    good(campus.site, "roster", "revoke", people[2])
    replaced = made[people[3]]
    claims(campus, people[3])
    tries = [made[people[0]], made[people[1]], made[people[2]], replaced, written(b"x" * 16)]
    with caplog.at_level(logging.WARNING, logger="sync.central.enrolment"):
        answers = [enrol(central, request(claim, new_p256())) for claim in tries]
    for answer in answers:
        assert_problem(answer, 403, "claim")
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.keys())) for answer in answers}) == 1
    refused = [record for record in caplog.records if record.levelno == logging.WARNING]
    causes = [record.getMessage().split()[3].rstrip(",") for record in refused]
    assert causes == ["used", "expired", "person", "unknown", "unknown"]
    assert not any(claim in caplog.text or claim[:9] in caplog.text for claim in tries)


def test_a_phone_that_never_saw_the_answer_may_ask_again(campus: Campus, central: str, subject: str) -> None:
    document = request(claims(campus, subject)[subject], new_p256())
    assert [enrol(central, document).status_code for _ in range(2)] == [201, 201]
    second = claims(campus, subject)[subject]
    assert enrol(central, request(second, new_p256())).status_code == 201
    assert enrol(central, document).status_code == 403  # its key was replaced since


def test_what_is_malformed_is_named_and_never_echoed(campus: Campus, central: str, subject: str) -> None:
    claim, key = claims(campus, subject)[subject], new_p256()
    whole = request(claim, key)
    jwk = whole["public_key"]
    wrong = [
        ([], "the whole body"),
        ({**whole, "claim": 7}, "claim"),
        ({**whole, "claim": "A" * 100}, "claim"),
        ({**whole, "public_key": {**jwk, "crv": "P-384"}}, "public_key"),
        ({**whole, "public_key": {**jwk, "y": jwk["x"]}}, "public_key"),
        ({**whole, "proof": whole["proof"][:-1]}, "proof"),
        ({**whole, "proof": "A" * 86}, "does not verify"),
        ({**whole, "claim": claim[:-1] + ("0" if claim[-1] != "0" else "1")}, "mistyped"),
        (request(claim, key, public_key=request(claim, new_p256())["public_key"]), "does not verify"),
        ({**request(written(b"y" * 16), key), "claim": claim}, "does not verify"),
    ]
    for document, said in wrong:
        answer = enrol(central, document)
        problem = assert_problem(answer, 400, "malformed")
        assert said in problem["title"] + problem.get("detail", ""), document
        assert claim[:9] not in answer.text
    large = requests.post(central + ENROLMENTS, data=b"x" * 5000, timeout=30)
    assert_problem(large, 413, "too-large")
    assert enrol(central, whole).status_code == 201  # none of this used it up


def test_guessing_is_slowed_down(central: str) -> None:
    answers = [enrol(central, {}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [400] * 20 + [429]
    assert_problem(answers[-1], 429, "busy")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 601


def test_the_limit_is_for_each_address_and_for_all_and_passes() -> None:
    now = [0.0]
    limit = Limit(each=2, total=5, window=10, clock=lambda: now[0])
    for _ in range(2):
        limit.failed("10.0.0.1")
    assert (limit.wait("10.0.0.1"), limit.wait("10.0.0.2")) == (10, 0)
    now[0] = 4
    for number in range(3):
        limit.failed(f"10.0.1.{number}")
    assert limit.wait("10.9.9.9") == 6
    now[0] = 10
    assert (limit.wait("10.0.0.1"), limit.wait("10.9.9.9")) == (0, 0)
    for number in range(100):
        limit.failed(f"10.0.2.{number}")
    assert len(limit._by_address) <= 5
    assert _network("2001:db8:1:2:3::4") == _network("2001:db8:1:2::9") != _network("2001:db8:1:3::9")


def test_central_keeps_no_claim_that_could_be_read(campus: Campus, subject: str) -> None:
    claim = claims(campus, subject)[subject]
    stored = b"".join(file.read_bytes() for file in campus.site.directory.glob("central.db*"))
    assert claim.encode() not in stored
    assert claim.replace("-", "").encode() not in stored
    assert typed(claim) not in stored
    assert typed(claim).hex().encode() not in stored


def test_claims_are_made_for_those_who_need_one(campus: Campus, subject: str) -> None:
    assert claims(campus, "--without-key") == {}
    with opened(campus.site) as store:
        store.put_people([p for p in store.people() if p.subject != subject][:0])
    assert "name people by SUBJECT, or" in refused(campus.site, "roster", "claim")
    assert "name people by SUBJECT, or" in refused(campus.site, "roster", "claim", subject, "--without-key")
    good(campus.site, "roster", "suspend", subject)
    assert f"{subject} is suspended" in refused(campus.site, "roster", "claim", subject)
