"""Records: sealed to central alone, bound to device and number, chained, and read back without surprises."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.clock import Basis, Source
from hw.thermal import Reading, ThermalState
from terminal.codes import Code, CodeKind
from terminal.decision import Decision
from terminal.declaration import Declaration, Symptom
from terminal.events import FIRST_DIGEST, SCAN, Event, RecordError, canonical, parse_event
from terminal.reasons import Notice, Reason, Verdict
from terminal.records import Record, seal, unseal
from tests.terminal.world import NOW, RECORD_KEY, scan_record

AT = int(NOW.timestamp())
DECLARED = Code(
    CodeKind.PERSONAL,
    "S1",
    "ab" * 32,
    issued_at=AT - 7,
    declaration=Declaration(371, Symptom.COUGH | Symptom.FEVER, True),
)
FULL = scan_record(
    code=DECLARED,
    reading=Reading(ThermalState.OK, 365),
    decision=Decision(Verdict.REFER, (Reason.HEALTH_DECLARED,), (Notice.ROSTER_OLD,)),
)
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7",
    "source": "urn:campusgate:device:north-gate-1",
    "type": SCAN,
    "time": "2026-11-03T07:30:00.000Z",
    "datacontenttype": "application/json",
    "clocktrusted": True,
    "previous": FIRST_DIGEST,
    "data_base64": base64.b64encode(b"sealed").decode(),
}


def sealed(record: Record = FULL, *, sequence: int = 1, previous: str = FIRST_DIGEST) -> Event:
    return seal(record, device="d", sequence=sequence, previous=previous, key=RECORD_KEY.public_key())


def test_central_reads_what_the_terminal_sealed() -> None:
    assert unseal(sealed(), RECORD_KEY) == {
        "record": "scan-1",
        "place": "north-gate",
        "verdict": "refer",
        "reasons": ["health.declared"],
        "notices": ["roster-old"],
        "subject": "S1",
        "code": {"kind": "personal", "digest": "ab" * 32, "issued_at": AT - 7, "skew": -7},
        "declared": [{"source": "code", "celsius": "37.1", "symptoms": ["cough", "fever"], "contact": True}],
        "thermal": {"state": "ok", "celsius": "36.5"},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"code": None},
        {"code": replace(DECLARED, kind=CodeKind.PASS)},
        {"code": DECLARED, "clock_trusted": False},  # compared with what is not known, it says nothing
    ],
)
def test_no_skew_is_recorded_where_none_was_measured(changes: dict[str, Any]) -> None:
    assert "skew" not in unseal(sealed(scan_record(**changes)), RECORD_KEY).get("code", {})


@given(st.integers(-10_000, 10_000), st.floats(0, 0.999))
def test_the_recorded_skew_is_in_whole_seconds_the_phones_lead(skew: int, part: float) -> None:
    at = NOW + timedelta(seconds=part)
    record = scan_record(code=replace(DECLARED, issued_at=AT + skew, audience="north-gate"), happened_at=at)
    code = record.to_document()["code"]
    assert (code["skew"], code["audience"]) == (skew, "north-gate")


def test_nobody_else_opens_a_record() -> None:
    with pytest.raises(RecordError, match="does not open"):
        unseal(sealed(), X25519PrivateKey.generate())


@pytest.mark.parametrize("moved", [{"sequence": 2}, {"device": "e"}, {"device": "d\n1"}, {"device": ""}])
def test_a_record_opens_only_under_its_own_device_and_number(moved: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        unseal(replace(sealed(), **moved), RECORD_KEY)


def test_no_flipped_byte_of_sealed_data_opens() -> None:
    event = sealed()
    for at in range(len(event.sealed)):
        flipped = event.sealed[:at] + bytes([event.sealed[at] ^ 1]) + event.sealed[at + 1 :]
        with pytest.raises(RecordError):
            unseal(replace(event, sealed=flipped), RECORD_KEY)


@given(st.binary(max_size=120))
def test_any_bytes_as_sealed_data_are_a_record_error(data: bytes) -> None:
    with pytest.raises(RecordError):
        unseal(replace(sealed(), sealed=data), RECORD_KEY)


@pytest.mark.parametrize("plain", [b"", b"[1]", b'"text"', b"null", b"7", b"\xff", b"[" * 100_000, b'{"a":'])
def test_data_that_a_stranger_sealed_to_central_is_an_object_or_an_error(plain: bytes) -> None:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    data = suite.encrypt(plain, RECORD_KEY.public_key(), info=b"campusgate record v1\nd\n1")
    with pytest.raises(RecordError):
        unseal(replace(sealed(), sealed=data), RECORD_KEY)


def test_two_seals_of_one_record_have_nothing_in_common() -> None:
    assert sealed().sealed != sealed().sealed


def test_the_envelope_says_nothing_of_the_person() -> None:
    text = sealed(replace(FULL, claimed_subject="S20240001")).text
    envelope = json.loads(text)
    assert envelope.keys() == GOOD.keys() | {"clock"}
    assert not any(word in text for word in ("S20240001", "36.5", "37.1", "refer", "cough"))


def test_each_event_carries_the_digest_of_the_one_before() -> None:
    first = sealed()
    second = sealed(sequence=2, previous=first.digest)
    assert second.previous == hashlib.sha256(first.text.encode()).hexdigest()
    assert sealed(sequence=2).digest != second.digest


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60), st.booleans()
)
def test_an_event_comes_back_from_its_own_text(wall: datetime, offset: int, trusted: bool) -> None:
    at = wall.replace(tzinfo=timezone(timedelta(minutes=offset)))
    event = sealed(scan_record(happened_at=at, clock_trusted=trusted))
    again = parse_event(event.text)
    assert again == event
    assert again.digest == event.digest
    assert timedelta(0) <= at - event.time < timedelta(milliseconds=1)
    assert event.time.tzinfo is UTC
    assert json.loads(event.text)["time"].endswith("Z")


@pytest.mark.parametrize("source", [source for source in Source if source is not Source.NONE])
def test_a_record_says_how_its_time_is_known(source: Source) -> None:
    event = sealed(replace(FULL, basis=Basis(source, "0123456789abcdef", 12.3456)))
    assert (event.clock, event.boot, event.uptime) == (source, "0123456789abcdef", 12_345)
    untrusted = sealed(replace(FULL, clock_trusted=False, basis=Basis(source, "0123456789abcdef", 1.0)))
    assert (untrusted.clock, untrusted.clock_trusted, untrusted.uptime) == ("none", False, 1000)


def test_an_event_of_an_earlier_version_says_nothing_of_how_its_time_is_known() -> None:
    event = parse_event(GOOD)
    assert (event.clock, event.boot, event.uptime) == ("", "", None)


@given(st.permutations(list(GOOD)), st.sampled_from([None, 2]), st.booleans())
def test_the_digest_is_of_the_canonical_form_however_it_was_sent(
    keys: list[str], indent: Any, ascii_: bool
) -> None:
    shuffled = {key: GOOD[key] for key in keys} | {"note": '北门\u2028\x7f\x01"\\'}
    text = json.dumps(shuffled, indent=indent, ensure_ascii=ascii_)
    event = parse_event(text)
    assert event.text == canonical(shuffled) == canonical(json.loads(event.text))
    assert event.digest == parse_event(event.text).digest == parse_event(shuffled).digest
    assert '"note":"北门\u2028\x7f\\u0001\\"\\\\"' in event.text


@pytest.mark.parametrize(
    "change",
    [
        *[
            {key: left_out}
            for key in GOOD
            if key != "datacontenttype"
            for left_out in (None, 5, [], {}, "")
            if (key, left_out) != ("data_base64", "")
        ],
        {"specversion": "0.3"},
        {"type": "com.example"},
        {"source": "urn:other:device:d"},
        {"source": "urn:campusgate:device:"},
        {"source": "urn:campusgate:device:\ud800"},
        *[
            {"id": value}
            for value in ("0", "-1", "01", " 1", "1.0", "１", "1_0", "x", True, 1.5, float("inf"), "9" * 5000)
        ],
        {"previous": "0" * 63},
        {"previous": "0" * 62},
        {"previous": "z" * 64},
        {"clocktrusted": "true"},
        *[{"clock": value} for value in ("sundial", "NETWORK", True, 1)],
        *[{"boot": value} for value in (False, "0123456789ABCDEF", "0123456789abcde", "z" * 16, "１" * 16)],
        *[{"uptime": value} for value in (5, True, "", "-1", "1.5", "01", "1e3", str(2**63), "9" * 5000)],
        *[
            {"time": value}
            for value in (
                "yesterday",
                "2026-13-01T00:00:00Z",
                "2026-11-01",
                "2026-11-01T00:00:00",
                "0001-01-01T00:00:00+14:00",
                "9999-12-31T23:59:59-14:00",
            )
        ],
        {"data_base64": "a"},
        {"data_base64": "????"},
        {"data_base64": "YQ==\n"},
        {"extra": "\udfff"},
        {"extra": 1.0},
        {"extra": float("nan")},
        {"extra": None},
        {"extra": {"deep": []}},
        {"名": "x"},
    ],
)
def test_a_malformed_event_is_a_record_error(change: dict[str, Any]) -> None:
    document = GOOD | change
    with pytest.raises(RecordError):
        parse_event(document)
    with pytest.raises(RecordError):
        parse_event(json.dumps(document))


@pytest.mark.parametrize("key", [key for key in GOOD if key != "datacontenttype"])
def test_an_event_without_a_needed_field_is_a_record_error(key: str) -> None:
    with pytest.raises(RecordError):
        parse_event({name: value for name, value in GOOD.items() if name != key})


@pytest.mark.parametrize(
    "text", ["", "{", "null", "5", '"text"', "[]", "[" * 200_000, '{"a":' * 50_000, "1" * 5000]
)
def test_text_that_is_no_event_is_a_record_error(text: str) -> None:
    with pytest.raises(RecordError):
        parse_event(text)


_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from([*GOOD.values()]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*GOOD]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    st.one_of(
        _JSON, st.dictionaries(st.one_of(st.sampled_from([*GOOD]), st.text(max_size=5)), _JSON, max_size=3)
    )
)
def test_any_json_is_an_event_or_a_record_error(junk: Any) -> None:
    for document in (junk, GOOD | junk if isinstance(junk, dict) else junk):
        try:
            event = parse_event(json.dumps(document))
        except RecordError:
            continue
        assert len(event.digest) == 64
        assert event.sequence >= 1
        assert parse_event(event.text) == event


@given(st.text(max_size=60))
def test_any_text_is_an_event_or_a_record_error(text: str) -> None:
    with pytest.raises(RecordError):
        parse_event(text)


def test_a_record_opens_by_rfc_9180_without_our_functions() -> None:
    event = json.loads(sealed().text)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    plain = suite.decrypt(
        base64.b64decode(event["data_base64"]), RECORD_KEY, info=b"campusgate record v1\nd\n1"
    )
    assert json.loads(plain)["subject"] == "S1"
    assert NOW.strftime("%Y-%m-%dT%H:%M:%S.000Z") == event["time"]
