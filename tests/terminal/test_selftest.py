"""Signed reports: what verifies, what must not, and how they are kept."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from terminal.device_code import device_code
from terminal.selftest import MAX_REPORT, ReportRefused, Reports, parse_report, signed, summary, verify_report

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
REPORT = {
    "device": "north-gate-1",
    "results": [
        {"part": "relay", "passed": True, "found": "GPIO 17: 好"},
        {"part": "camera", "passed": False, "found": "dark"},
        {"part": "lights", "passed": None, "found": "no light is fitted"},
    ],
}
KEYS = {"north-gate-1": [KEY.public_key()], "south-gate-1": [OTHER.public_key()]}
FILE = signed(REPORT, issued_at=1_800_000_000, key=KEY)


def verified(data: bytes) -> object:
    return verify_report(data, lambda device: KEYS.get(device, []))


def edited(**changes: object) -> bytes:
    return json.dumps(json.loads(FILE) | changes).encode()


def test_a_report_verifies_with_the_key_of_its_device_however_its_json_is_laid_out():
    assert verified(FILE) == REPORT
    assert verified(json.dumps(json.loads(FILE), sort_keys=True).encode()) == REPORT
    KEYS["north-gate-1"].insert(0, OTHER.public_key())  # while a key is being renewed there are two
    try:
        assert verified(FILE) == REPORT
    finally:
        KEYS["north-gate-1"].pop(0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (edited(report=REPORT | {"results": []}), "was altered"),
        (edited(report=REPORT | {"device": "south-gate-1"}), "south-gate-1 has no trusted key"),
        (edited(report=REPORT | {"device": "nowhere"}), "nowhere has no trusted key"),
        (signed(REPORT, issued_at=1, key=OTHER), "has no trusted key"),
        (signed(REPORT | {"device": "south-gate-1"}, issued_at=1, key=KEY), "has no trusted key"),
        (edited(statement=base64.b64encode(b"nothing").decode()), "its signature does not hold"),
        (edited(statement="!"), "is no report"),
        (edited(report={}), "is no report"),
        (edited(report=REPORT | {"results": [1]}), "is no report"),
        (edited(report=REPORT | {"size": 1 << 70}), "is no report"),
        (b"", "is no report"),
        (b"[" * 9000, "is no report"),
        (b" " * (MAX_REPORT + 1), "more than"),
    ],
)
def test_what_the_device_did_not_sign_so_is_refused_and_says_why(data: bytes, why: str):
    with pytest.raises(ReportRefused, match=why):
        verified(data)


def test_a_code_that_the_same_key_signed_for_the_screen_is_no_signature_of_a_report():
    url = device_code("https://x/#", device="north-gate-1", place="north-gate", issued_at=1, key=KEY)
    token = url.split("#")[1]
    token = base64.b64encode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))).decode()
    with pytest.raises(ReportRefused, match="is for something else"):
        verified(edited(statement=token))


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_no_changed_byte_makes_another_report(place: int, by: int):
    altered = bytearray(FILE)
    altered[place] ^= by
    with contextlib.suppress(ReportRefused):
        assert verified(bytes(altered)) == REPORT  # such as another blank between two names


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_no_file_does_more_than_be_refused(data: bytes):
    with pytest.raises(ReportRefused):
        verified(data)


def test_reports_are_numbered_and_found_again(tmp_path: Path):
    reports = Reports(tmp_path / "reports")
    assert reports.names() == []
    with pytest.raises(ReportRefused, match="`test all` makes one"):
        reports.path()
    names = [reports.keep(FILE) for _ in range(2)]
    assert names == reports.names() == ["selftest-0001.json", "selftest-0002.json"]
    assert reports.path().name == names[1]
    assert reports.read(names[0]) == parse_report(FILE)
    assert (tmp_path / "reports" / names[0]).stat().st_mode & 0o777 == 0o600
    (tmp_path / "reports" / names[0]).unlink()
    (tmp_path / "reports" / "selftest-9999.json").write_bytes(FILE)
    assert reports.keep(FILE) == "selftest-10000.json"
    assert reports.path().name == "selftest-10000.json"


@pytest.mark.parametrize("name", ["../keys/device.pem", "/etc/passwd", "selftest-0002.json", "."])
def test_only_a_report_can_be_named(tmp_path: Path, name: str):
    reports = Reports(tmp_path)
    reports.keep(FILE)
    with pytest.raises(ReportRefused, match="there is no report"):
        reports.path(name)


def test_a_damaged_report_says_which(tmp_path: Path):
    reports = Reports(tmp_path)
    reports.keep(b"{}")
    with pytest.raises(ReportRefused, match=r"selftest-0001\.json: is no report"):
        reports.read()


def test_the_summary_counts_and_names():
    assert summary(REPORT["results"]) == "1 of 3 passed; failed: camera; not told: lights"
    assert summary([]) == "0 of 0 passed"
