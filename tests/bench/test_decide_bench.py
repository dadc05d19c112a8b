"""The benchmark itself, small: its mix reaches what decisions are about, and it is the same every time."""

from __future__ import annotations

import json
import random
from pathlib import Path

from click.testing import CliRunner

from sync.central.policy_file import read_policy
from tests.bench.decide import SAMPLE, main, situation


def test_a_small_run_has_every_measure_and_a_mix_worth_measuring(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--situations", "3000", "--out", str(tmp_path)])
    report = json.loads((tmp_path / "decide.json").read_text("utf-8"))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert all(report["verdicts"][verdict] > 100 for verdict in ("allow", "deny", "refer"))
    assert len(report["reasons"]) > 20
    for name in ("decide", "let in", "es256"):
        times = report["times"][name]
        assert 0 < times["p50"] <= times["p99"] <= times["max"]
    assert "decide / es256" in done.output


def test_the_mix_is_the_same_for_the_same_seed() -> None:
    policy = read_policy(SAMPLE).policy
    one, same, other = ([situation(policy, random.Random(seed)) for _ in range(50)] for seed in (1, 1, 2))
    assert one == same != other
