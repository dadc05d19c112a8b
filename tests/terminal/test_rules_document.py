"""RULES.md says what is so: its tables are what the code has, its order is that of the decision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from hw.thermal import ThermalState
from terminal import decision
from terminal.decision import Decision, Rule
from terminal.findings import Mark, MarkKind, ViolationKind
from terminal.manual import IDLE_AFTER, PROVE_WITHIN
from terminal.notes import NOTICES, notes
from terminal.reasons import SENTENCES, Notice, Reason, Verdict
from terminal.rules import health

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "terminal" / "RULES.md").read_text("utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the only table whose first column is headed `first`."""
    [found] = re.findall(rf"^\| {first} \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", TEXT, re.M)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found.splitlines()]


def tables_of_rules() -> list[list[list[str]]]:
    found = re.findall(r"^\| Rule \| Function \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", TEXT, re.M)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in t.splitlines()] for t in found]


def functions(rules: Iterable[Rule]) -> list[str]:
    return [f"`{rule.__module__.rpartition('.')[2]}.{rule.__name__}`" for rule in rules]


def rules_in_code() -> set[str]:
    """Every name that a rule gives itself in its findings."""
    names: set[str] = set()
    for path in (ROOT / "terminal" / "rules").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
        names |= {text for text in texts if isinstance(text, str) and re.fullmatch(r"R\d+\w? [\w -]+", text)}
        names |= texts & {"roster age", "entry permits"}
    return names | {"place"}


@pytest.mark.parametrize(
    ("first", "members"),
    [("Code", Reason), ("Notice", Notice), ("Mark", MarkKind), ("Violation", ViolationKind)],
)
def test_each_table_has_every_member_once_in_the_order_of_the_code(
    first: str, members: type[StrEnum]
) -> None:
    assert [row[0] for row in table(first)] == [f"`{member}`" for member in members]


@pytest.mark.parametrize("row", table("Code"), ids=lambda row: row[0])
def test_each_reason_has_the_sentences_of_the_screen(row: list[str]) -> None:
    sentence = SENTENCES[Reason(row[0].strip("`"))]
    said = (sentence.zh, sentence.en, sentence.advice_zh or "–", sentence.advice_en or "–")
    assert tuple(row[1:5]) == said


@pytest.mark.parametrize("row", table("Code"), ids=lambda row: row[0])
def test_each_reason_names_rules_that_there_are(row: list[str]) -> None:
    others = {"none refuses", "before the rules", "no answer: the screen"}
    assert set(row[5].split(", ")) <= rules_in_code() | others


def test_each_reason_that_a_rule_gives_is_said_to_be_of_that_subject() -> None:
    """A reason that no file of the rules names is one of before the rules, and the other way round."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "terminal" / "rules").glob("*.py"))
    code += (ROOT / "terminal" / "decision.py").read_text("utf-8")
    for row in table("Code"):
        reason = Reason(row[0].strip("`"))
        by_a_rule = not row[5].startswith(("before the rules", "no answer", "none"))
        named = bool(re.search(rf"\bReason\.{reason.name}\b", code)) and reason is not Reason.OK
        # What made the code unreadable or untrue is passed on by R3.
        passed_on = row[5] == "R3 code" and not named
        assert named == by_a_rule or passed_on or "roster age" in row[5], reason


@pytest.mark.parametrize("row", table("Notice"), ids=lambda row: row[0])
def test_each_notice_has_the_words_that_the_person_is_told(row: list[str]) -> None:
    note = NOTICES.get(Notice(row[0].strip("`")))
    assert tuple(row[1:3]) == ((note.zh, note.en) if note else ("–", "–"))
    assert row[3]


@pytest.mark.parametrize("row", table("Mark"), ids=lambda row: row[0])
def test_each_mark_has_the_words_that_the_person_is_told(row: list[str]) -> None:
    kind, name = MarkKind(row[0].strip("`")), row[1].strip("`–")

    def said(late: int) -> list[tuple[str, str]]:
        allowed = Decision(Verdict.ALLOW, (Reason.OK,), marks=(Mark(kind, name, late),))
        return [tuple(note) for note in notes(allowed)]

    told = list(dict.fromkeys(said(0) + said(4)))
    chinese, english = "；".join(zh for zh, _ in told) or "–", "; ".join(en for _, en in told) or "–"
    assert row[2:4] == [chinese, english]
    assert row[4] in rules_in_code()


def test_the_evidence_of_each_violation_is_the_fields_that_the_code_writes() -> None:
    documented = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table("Violation")}
    found: dict[str, set[str]] = {}
    for path in (*(ROOT / "terminal" / "rules").glob("*.py"), ROOT / "terminal" / "case.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            nodes = list(ast.walk(function))
            kinds = [one.args[0] for one in nodes if isinstance(one, ast.Call) and _is_violation(one)]
            keys = {
                key.value
                for one in nodes
                if isinstance(one, ast.Dict)
                for key in one.keys
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
            for kind in kinds:
                assert isinstance(kind, ast.Attribute)
                found[str(ViolationKind[kind.attr])] = keys
    assert documented == found


def _is_violation(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "Violation"


def test_the_order_is_that_of_the_decision() -> None:
    who, whether, counts_as = ([row[1] for row in rows] for rows in tables_of_rules())
    alternatives = dict.fromkeys(functions((*decision._WHO[:-1], *decision._WHO_REGISTERED[1:])))
    assert who == ["`decision.judge`", *alternatives]
    assert whether == functions(decision._WHETHER)
    assert counts_as == functions(decision._COUNTS_AS)
    attendants = functions(decision._ATTENDANT)
    assert f"is asked by {', '.join(attendants[:-1])} and {attendants[-1]} alone" in TEXT


def test_every_rule_that_speaks_is_in_the_order_and_no_other() -> None:
    order = TEXT[TEXT.index("## The order") : TEXT.index("## Reasons")]
    for name in rules_in_code():
        assert name in order, f"{name} is not in the order"
    for rows in tables_of_rules():
        assert {row[0] for row in rows} <= rules_in_code()


def test_the_times_of_the_manual_desk_are_those_of_the_code() -> None:
    assert f"within {PROVE_WITHIN:.0f} seconds" in TEXT
    assert f"after {IDLE_AFTER:.0f} seconds without a key" in TEXT


def test_a_temperature_is_missing_for_one_of_two_reasons_of_its_own_or_for_any_other() -> None:
    states = {health._REASONS.get(state, Reason.THERMAL_UNAVAILABLE) for state in ThermalState}
    documented = {row[0].strip("`") for row in table("Code") if row[5] == "R17 temperature"}
    assert documented == states
