"""The signed report of a self-test: who tested what of this terminal when, and how it was.

A report is a JSON file {"report": {...}, "statement": base64}. The statement is a CWT (RFC 8392) in
COSE_Sign1 (RFC 9052) with EdDSA by the device's key, which the header's kid names
(device_code.device_key_id). Claims: iss (1) the device, iat (6) Unix seconds, and under text names "kind",
which is "selftest", and "digest", the SHA-256 of the report in canonical JSON (RFC 8785). So anybody reads a
report, and central tells whose it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cwt import COSE, COSEKey

from config.errors import CampusgateError
from config.files import private_directory, write_atomic
from config.keys import private_pem
from terminal.cose import EDDSA, CodeRefused, check, take_apart
from terminal.device_code import device_key_id
from terminal.events import canonical

MAX_REPORT = 262_144  # bytes
KIND = "selftest"
_ISSUER, _ISSUED_AT = 1, 6  # RFC 8392, section 3.1

Report = Mapping[str, Any]


class ReportRefused(CampusgateError, ValueError):
    """Raised when a file is no report of a self-test, or not as the device that it names signed it."""


def signed(report: Report, *, issued_at: int, key: Ed25519PrivateKey) -> bytes:
    """The file for `report`, whose "device" the key is of. issued_at: Unix seconds.

    Raises: TypeError when it holds what canonical JSON has no form for here.
    """
    claims = {_ISSUER: report["device"], _ISSUED_AT: issued_at, "kind": KIND, "digest": _digest(report)}
    header = {1: EDDSA, 4: bytes.fromhex(device_key_id(key.public_key()))}
    cose_key = COSEKey.from_pem(private_pem(key), alg="EdDSA")
    token = COSE.new().encode(cbor2.dumps(claims), cose_key, protected=header)
    document = {"report": report, "statement": base64.b64encode(token).decode("ascii")}
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_report(data: bytes) -> Report:
    """The report in the file `data`, its signature not looked at. Raises: ReportRefused."""
    return _parsed(data)[0]


def verify_report(data: bytes, keys: Callable[[str], Iterable[Ed25519PublicKey]]) -> Report:
    """The report in the file `data`, if a key of the device that it names signed it as it is.

    keys: gives the keys that may sign for a device's name. Raises: ReportRefused.
    """
    report, token = _parsed(data)
    device = str(report["device"])
    try:
        signature = take_apart(token, algorithm=EDDSA)
        key = next((one for one in keys(device) if device_key_id(one) == signature.key_id), None)
        if key is None:
            raise ReportRefused(f"{device} has no trusted key {signature.key_id or '(none)'}")
        check(signature, key)
    except CodeRefused as refused:
        raise ReportRefused(f"its signature does not hold ({refused})") from refused
    claims: Mapping[Any, Any] = dict(signature.claims)
    said = (claims.get(_ISSUER), claims.get("kind"), claims.get("digest"))
    if said != (device, KIND, _digest(report)):
        raise ReportRefused("it was altered after it was signed, or the signature is for something else")
    return report


def _parsed(data: bytes) -> tuple[Report, bytes]:
    if len(data) > MAX_REPORT:
        raise ReportRefused(f"is no report of a self-test: more than {MAX_REPORT} bytes")
    try:
        document = json.loads(data)
        report, token = document["report"], base64.b64decode(document["statement"], validate=True)
        named = isinstance(report["device"], str) and isinstance(report["results"], list)
        _digest(report)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReportRefused(f"is no report of a self-test: {error!r:.80}") from error
    if not named or not all(isinstance(result, dict) for result in report["results"]):
        raise ReportRefused("is no report of a self-test: device or results are none")
    return report, token


def _digest(report: Report) -> bytes:
    return hashlib.sha256(canonical(report).encode()).digest()


def summary(results: Iterable[Mapping[str, Any]]) -> str:
    """Results in one line: how many parts passed, which failed and which nobody could tell of."""
    listed = list(results)
    said = [f"{sum(one.get('passed') is True for one in listed)} of {len(listed)} passed"]
    for passed, word in ((False, "failed"), (None, "not told")):
        parts = [str(one.get("part")) for one in listed if one.get("passed") is passed]
        said += [f"{word}: {', '.join(parts)}"] if parts else []
    return "; ".join(said)


class Reports:
    """The reports kept in `directory`, numbered as they were made: the clock may not be right."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> list[str]:
        """All of them, the oldest first."""
        return sorted((path.name for path in self._directory.glob("selftest-*.json")), key=_number)

    def path(self, name: str = "") -> Path:
        """The file of the report `name`, or of the newest. Raises: ReportRefused when there is none."""
        names = self.names()
        if not names:
            raise ReportRefused("there is no report yet; `test all` makes one")
        if name and name not in names:
            raise ReportRefused(f"there is no report {name!r:.60}; there are: {', '.join(names[-5:])}")
        return self._directory / (name or names[-1])

    def read(self, name: str = "") -> Report:
        """The report `name`, or the newest. Raises: ReportRefused, OSError."""
        path = self.path(name)
        try:
            return parse_report(path.read_bytes())
        except ReportRefused as refused:
            raise ReportRefused(f"{path}: {refused}") from refused

    def keep(self, data: bytes) -> str:
        """Keep one more, durably; its name. Raises: OSError."""
        names = self.names()
        name = f"selftest-{_number(names[-1]) + 1 if names else 1:04d}.json"
        write_atomic(private_directory(self._directory) / name, data, mode=0o600)
        return name


def _number(name: str) -> int:
    digits = name.removeprefix("selftest-").removesuffix(".json")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
