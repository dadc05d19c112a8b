"""The benchmark itself, small: all candidates write durably, and the table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bench.journal import file_system, main
from tests.bench.journal_peers import PEERS


def test_a_small_run_has_every_measure(tmp_path: Path) -> None:
    arguments = ["--rounds", "2", "--appends", "3", "--directory", str(tmp_path), "--out", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "journal.json").read_text("utf-8"))
    assert set(report["results"]) == {"journal", "journal, person remembered", *PEERS}
    for measured in report["results"].values():
        assert 0 < measured["p50"] <= measured["p99"] <= measured["max"]
    assert 400 <= report["event_bytes"] <= 900
    assert "of write + fdatasync, the aim is" in done.output
    assert not list(tmp_path.glob("bench-journal-*"))


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_keeps_what_it_is_given(name: str, tmp_path: Path) -> None:
    append = PEERS[name](tmp_path)
    append("a text that is nowhere else")
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"a text that is nowhere else" in data for data in files)


def test_the_file_system_is_named() -> None:
    assert file_system(Path("/proc")) == "proc"
