"""CODES.md and ROSTER.md say what is so: the CDDL fits the vectors, sizes are measured, named tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import cbor2
import pytest
import segno

from terminal.codes import MAX_PLACE, MAX_PLACES, MAX_SUBJECT, MAX_TEXT, Claim, parse
from terminal.device_code import FRESH, MAX_DEVICE, MAX_URL, RENEW_AFTER, SKEW
from terminal.reasons import Reason
from tests.terminal.make_vectors import SUBJECT, card, code_text, personal, shown, token, url_text
from tests.terminal.test_code_vectors import SIGNED

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "terminal" / "CODES.md").read_text("utf-8")
ROSTER = (ROOT / "terminal" / "ROSTER.md").read_text("utf-8")
CDDL = "\n".join(re.findall(r"```cddl\n(.*?)```", TEXT, re.S))

TYPICAL: dict[str, tuple[str, dict[int, Any]]] = {
    "personal": ("person", personal()),
    "personal, bound to a place": ("person", personal(aud="north-gate")),
    "personal, with a declaration": ("person", personal(declaration=[365, 31, True])),
    "personal, bound and with a declaration": (
        "person",
        personal(aud="north-gate", declaration=[365, 31, True]),
    ),
    "pass, card": ("issuer", card()),
    "pass, visitor, two places, issuer's name": (
        "issuer",
        card(kind="visitor", places=["north-gate", "library"], iss="reception"),
    ),
    "device code, URL of 25 characters": ("device", shown()),
}


def measured(name: str) -> str:
    """The row of the size table."""
    signer, claims = TYPICAL[name]
    cose = token(signer, claims)
    device = signer == "device"
    text = url_text(cose) if device else code_text(cose)
    level = "l" if device else "m"
    version = segno.make(text, error=level, micro=False, boost_error=False).version
    return f"| {name} | {len(cose)} | {len(text)} | {version}-{level.upper()} |"


@pytest.mark.parametrize("name", TYPICAL)
def test_the_sizes_are_the_measured_ones(name: str) -> None:
    assert measured(name) in TEXT


def test_the_size_table_has_no_other_rows() -> None:
    rows = re.findall(r"^\| (?:personal|pass|device code)[^|]* \| \d+ \| \d+ \| \S+ \|$", TEXT, re.M)
    assert sorted(rows) == sorted(map(measured, TYPICAL))
    assert parse(code_text(token("person", personal()))).subject == SUBJECT


def test_every_refusal_of_a_code_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(code\.[a-z-]+)`", TEXT))
    settings = {"code.untrusted_clock", "code.fresh_seconds", "code.skew_seconds"}
    assert named - settings == {str(reason) for reason in Reason if reason.value.startswith("code.")}


def test_every_refusal_of_a_roster_is_in_its_attack_table() -> None:
    named = set(re.findall(r"`(roster\.[a-z-]+)`", ROSTER))
    assert named == {str(reason) for reason in Reason if reason.value.startswith("roster.")}


def test_every_claim_and_limit_is_named_with_its_number() -> None:
    for claim in Claim:
        assert re.search(rf"^\| {int(claim)} \| {claim.name.lower()} ", TEXT, re.M), claim
    limits = (MAX_TEXT, MAX_SUBJECT, MAX_PLACE, MAX_PLACES, MAX_DEVICE, MAX_URL)
    for limit in (*limits, FRESH, SKEW, RENEW_AFTER):
        assert re.search(rf"\b{limit:,}\b", TEXT), limit


@pytest.mark.parametrize("vector", SIGNED, ids=[vector["name"] for vector in SIGNED])
def test_the_grammar_takes_what_is_well_formed_and_only_that(vector: dict[str, Any]) -> None:
    pycddl = pytest.importorskip("pycddl")
    protected, _unprotected, payload, _signature = cbor2.loads(bytes.fromhex(vector["cose"])).value
    # Each part against its own rule: the tool does not follow .cbor into an array.
    parts = {
        "code": bytes.fromhex(vector["cose"]),
        "header": protected,
        "claims": payload,
    }
    kind = vector["kind"]
    refused = [name for name, data in parts.items() if not _matches(pycddl, _rule(kind, name), data)]
    malformed = {
        "personal, signature of 63 bytes": ["code"],
        "personal, kid in the unsigned header": [],  # forbidden in words
        "device, a person's code": ["header"],
    }.get(vector["name"], ["claims"] if vector["reason"] == "code.damaged" else [])
    assert refused == malformed


def _rule(kind: str, part: str) -> str:
    return "sign1" if part == "code" else f"{kind}-{part}"


def _matches(pycddl: Any, rule: str, data: bytes) -> bool:
    schema = pycddl.Schema(f"start = {rule}\n{CDDL}")
    try:
        schema.validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT + ROSTER)))


@pytest.mark.parametrize(("document", "least"), [(TEXT, 20), (ROSTER, 12)], ids=["codes", "roster"])
def test_the_attack_table_has_a_row_for_each_attack_and_each_is_whole(document: str, least: int) -> None:
    table = document[document.index("| Attack |") :]
    rows = [row.split(" | ") for row in table.split("\n\n")[0].splitlines()[2:]]
    assert len(rows) >= least
    for row in rows:
        assert len(row) == 4, row[0]
        assert all(cell.strip("| ") for cell in row), f"{row[0]}: an empty cell"
        assert "::" in row[2], f"{row[0]}: no test shows it"


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
