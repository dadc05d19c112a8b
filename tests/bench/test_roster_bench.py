"""The benchmark itself, small: it measures what it says and its table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bench.roster import exponent, main


def test_a_small_run_has_every_measure(tmp_path: Path) -> None:
    arguments = ["--people", "100", "--people", "400", "--lookups", "50", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "roster.json").read_text("utf-8"))
    assert set(report["results"]) == {"campusgate", "sqlite", "json"}
    ours = report["results"]["campusgate"]["400"]
    assert 0 < ours["change_bytes"] < 20_000 < ours["first_bytes"]
    assert 0 < ours["p50"] <= ours["p99"] < 0.1
    assert "lookup p99" in done.output


@pytest.mark.parametrize(("small", "large", "slope"), [(1, 100, 1.0), (5, 5, 0.0), (1, 10, 0.5)])
def test_an_exponent_is_the_slope_of_the_logarithms(small: float, large: float, slope: float) -> None:
    assert exponent({10: {"x": small}, 1000: {"x": large}}, "x") == pytest.approx(slope)
