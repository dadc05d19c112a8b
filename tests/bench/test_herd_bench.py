"""The simulation itself, small: the table is whole, and central's model admits no more than it may."""

from __future__ import annotations

import json
import random
from pathlib import Path

from click.testing import CliRunner

from sync.central.shedding import BATCHES_AT_ONCE
from tests.bench.herd import OVER_HTTP, WAYS, Campus, Central, main, measured_cost, simulate


def test_a_small_run_has_every_measure(tmp_path: Path) -> None:
    arguments = ["--terminals", "200", "--outage", "10", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "herd.json").read_text("utf-8"))
    assert set(report["results"]) == {way.name for way in WAYS}
    for result in report["results"].values():
        assert result["drained"] == 200
        assert result["half_drained"] <= result["all_drained"]
        assert result["records"] >= 200 * 60
    assert "peak requests/s" in done.output


def test_central_admits_its_limit_and_turns_the_rest_away_until_one_is_done() -> None:
    central = Central(1, (1.0, 0.0), random.Random(1))
    answers = [central.request(0.0, 5) for _ in range(BATCHES_AT_ONCE + 3)]
    assert [answer.stored for answer in answers] == [5] * BATCHES_AT_ONCE + [0] * 3
    assert all((answer.retry_after or 0) >= 1 for answer in answers[BATCHES_AT_ONCE:])
    assert central.request(1.5, 5).stored == 5
    assert central.shed == 3


def test_the_same_seed_is_the_same_return() -> None:
    campus = Campus(50, 300.0, 6.0, 20, 36_000.0)
    one, same, other = (
        simulate(campus, WAYS[2], Central(1, (0.05, 0.001), random.Random(1)), seed) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_the_cost_of_a_batch_comes_from_two_sizes(tmp_path: Path) -> None:
    assert "assumed" in measured_cost(tmp_path)[1]
    results = {"200": {"rates": {OVER_HTTP: 5000.0}}, "2000": {"rates": {OVER_HTTP: 9090.9}}}
    (tmp_path / "ingest.json").write_text(json.dumps({"results": results}), "utf-8")
    (request, record), said = measured_cost(tmp_path)
    assert said == "measured by bench-ingest"
    assert abs(request - 0.02) < 1e-4
    assert abs(record - 1e-4) < 1e-6
