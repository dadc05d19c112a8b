"""The benchmark itself, small: a real backlog arrives whole, and the tables are whole."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from terminal.journal import JournalReader
from tests.bench.backlog import chain, journal_of, record_key
from tests.bench.drain import main
from tests.terminal.world import chained


def test_a_small_run_has_every_measure(tmp_path: Path) -> None:
    arguments = ["--records", "1200", "--turns", "3", "--sample", "4", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "sync.json").read_text("utf-8"))
    assert 1 <= len(report["turns"]) <= 3
    assert all(value > 0 for turn in report["turns"] for name, value in turn.items() if "cpu" not in name)
    assert set(report["shares"]) == {"reading", "http", "central_cpu"}
    assert report["resident"]["end"] > 1_000_000
    assert "times the loop, the aim is 20" in done.output
    assert not list(tmp_path.glob("bench-sync-*"))


def test_a_made_journal_is_whole_and_made_only_once(tmp_path: Path) -> None:
    path = journal_of(7, "bench-1", tmp_path)
    made = path.stat().st_mtime_ns
    events = JournalReader(path).after(0, records=100, size=10**6)
    assert len(events) == 7
    assert chained(events)
    assert journal_of(7, "bench-1", tmp_path).stat().st_mtime_ns == made


def test_a_made_chain_is_chained() -> None:
    assert chained(list(chain("bench-1", 5, record_key())))
