"""Whatever happens to power, disk, clock and network, every durable record is at central exactly once.

More by `make soak`. The report is at the end of pytest's output and in bench-out/faults.json.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.sim.exactly_once import Outcome
from tests.sim.report import REPORT, Report
from tests.sim.schedule import KINDS, Schedule, schedule
from tests.sim.soak import trials
from tests.sim.trial import Trial, make_template
from tests.sim.writer import sworn
from tests.sim.zygote import Call, Zygote

SCHEDULES = 200
GROUP = 25


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """One process that has imported everything."""
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campus that all runs begin with."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.mark.kill
@pytest.mark.parametrize("first", range(0, SCHEDULES, GROUP))
def test_every_durable_record_is_at_central_exactly_once_in_order(
    first: int,
    tmp_path: Path,
    zygote: Zygote,
    template: Path,
    record_property: Callable[[str, object], None],
) -> None:
    report = Report()
    for outcome in trials(range(first, first + GROUP), tmp_path, zygote, template):
        report.add(outcome)
    record_property(REPORT, json.dumps(report.document()))
    assert report.failed == {}, f"python -m tests.sim.soak --only {next(iter(report.failed))}"
    assert report.schedules == GROUP
    assert report.durable > GROUP
    assert report.injected.total() > 2 * GROUP


def test_a_seed_gives_the_same_schedule_for_ever_and_seeds_in_a_row_hold_every_fault() -> None:
    assert [schedule(seed) for seed in range(SCHEDULES)] == [schedule(seed) for seed in range(SCHEDULES)]
    for start in (0, 7, 1000):
        seeds = range(start, start + len(KINDS))
        assert {fault.kind for seed in seeds for fault in schedule(seed).faults} == set(KINDS)


@pytest.fixture
def trial(
    tmp_path: Path, zygote: Zygote, template: Path
) -> Iterator[Callable[[Mapping[str, Sequence[Call]]], Trial]]:
    """Makes a trial without faults but those that a test adds, whose victims prepare themselves."""
    made: list[Trial] = []

    def make(prepared: Mapping[str, Sequence[Call]]) -> Trial:
        made.append(Trial(Schedule(1, 0.01, ()), tmp_path / "trial", template, zygote, prepared))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_harness_reports_a_daemon_that_takes_what_it_sent_as_arrived(
    trial: Callable[[Mapping[str, Sequence[Call]]], Trial],
) -> None:
    broken = trial({"sync": (("tests.sim.sabotage:believe_that_sent_is_arrived",),)})
    broken.network.out("reset")
    outcome = _written_and_settled(broken)
    assert outcome.lost >= outcome.durable > 10
    assert not outcome.clean


def test_the_harness_reports_a_central_that_answers_before_it_has_stored(
    trial: Callable[[Mapping[str, Sequence[Call]]], Trial],
) -> None:
    broken = trial({"central": (("tests.sim.sabotage:answer_before_committing",),)})
    outcome = _written_and_settled(broken)
    assert outcome.lost >= outcome.durable > 10
    assert not outcome.clean


def _written_and_settled(trial: Trial) -> Outcome:
    """Some records, all of them acknowledged, everything healed and ended: the audit."""
    trial.start("terminal")
    assert trial.until(lambda: len(sworn(trial.oath)) > 10, 60)
    trial.stop("terminal")
    for victim in ("central", "sync"):
        trial.start(victim)
    assert trial.until(trial.settled, 60)
    trial.network.well()
    for victim in ("sync", "central"):
        trial.stop(victim)
    return trial.outcome()


def test_an_honest_run_of_the_same_kind_is_clean(
    trial: Callable[[Mapping[str, Sequence[Call]]], Trial],
) -> None:
    outcome = _written_and_settled(trial({}))
    assert outcome.clean, outcome
    assert outcome.at_central >= outcome.durable


def test_reports_add_up_and_name_what_failed() -> None:
    clean = Outcome(7, durable=5, at_central=5, lost=0, duplicated=0, broken=0, alarms=0)
    bad = dataclasses.replace(clean, seed=8, lost=2, trouble="acknowledged up to 3 only")
    first, second = Report(), Report()
    first.add(clean)
    second.add(bad)
    total = Report.of(json.loads(json.dumps(one.document())) for one in (first, second))
    assert (total.schedules, total.durable, total.lost) == (2, 10, 2)
    assert total.failed == {"8": "lost 2, acknowledged up to 3 only"}
    assert any("seed 8: lost 2" in line for line in total.lines())
