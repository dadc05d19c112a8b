"""The settings reference: every key, and what it says is what is allowed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from config.reference import every_setting, markdown, reference
from config.settings import Settings, parse_settings

FILLED = {"name": '"gate-1"', "place": '"north"', "url": '"https://central.example"'}


def filled(text: str) -> str:
    return re.sub(r"^(\w+) = $", lambda m: f"{m[1]} = {FILLED[m[1]]}", text, flags=re.M)


def test_the_reference_is_a_settings_file_once_the_needed_keys_are_filled_in(tmp_path: Path) -> None:
    settings = parse_settings(filled(reference()), source="reference", base=tmp_path)
    assert settings.device.name == "gate-1"


def test_every_default_in_the_reference_is_the_default(tmp_path: Path) -> None:
    plain = parse_settings(filled(reference()), source="reference", base=tmp_path)
    uncommented = re.sub(r"^# (\w+ = .+)$", r"\1", filled(reference()), flags=re.M)
    explicit = parse_settings(uncommented, source="reference", base=tmp_path)
    assert explicit.model_dump() == plain.model_dump()


def test_every_key_is_there_with_a_description() -> None:
    text = reference()
    for table, field in Settings.model_fields.items():
        section = text.split(f"[{table}]")[1].split("\n[")[0]
        for key, setting in field.annotation.model_fields.items():  # type: ignore[union-attr]
            assert re.search(rf"^(# )?{key} =", section, re.M), f"{table}.{key}"
            assert setting.description, f"{table}.{key}"
            assert setting.description in section


def test_what_is_allowed_is_named() -> None:
    text = reference()
    assert 'one of "secure", "safe"' in text
    assert "160 to 7680" in text
    assert "more than 0 to 120" in text


def test_it_is_toml_as_it_stands_but_for_what_must_be_filled_in() -> None:
    without = re.sub(r"^\w+ = $", "", reference(), flags=re.M)
    assert set(tomllib.loads(without)) == set(Settings.model_fields)


def test_the_document_in_the_tree_is_what_is_generated() -> None:
    document = Path(__file__).parents[2] / "config" / "SETTINGS.md"
    assert document.read_text("utf-8") == markdown(), (
        "campusgate terminal settings --markdown > config/SETTINGS.md"
    )


def test_every_key_is_a_row_of_the_document() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) == len(every_setting())
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "| `pin` | whole number: 0 to 27 | `17` | GPIO number (BCM), 0 to 27 |" in rows
    assert "| `name` | text | *must be given* |" in "\n".join(rows)
