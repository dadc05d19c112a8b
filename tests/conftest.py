"""What all tests share: hypothesis draws the same examples in every run; nothing outside is touched."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "campusgate",
    derandomize=True,
    database=None,
    deadline=None,
    # A fixture that a test of properties uses is one that no example changes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("campusgate")


def _one_after_the_other(install: Callable[[Any], None]) -> Callable[[Any], None]:
    """Before Python 3.12 two threads that take coverage's tracer up at once end one of them, now and then."""

    def installed(tracer: Any) -> None:
        for _ in range(100):
            try:
                return install(tracer)
            except RuntimeError:
                time.sleep(0.001)
        return install(tracer)

    return installed


if sys.version_info < (3, 12):
    sys.settrace = _one_after_the_other(sys.settrace)


@pytest.fixture(autouse=True, scope="session")
def no_real_installation_is_touched() -> Iterator[None]:
    """The tests may run as root on a machine that is a terminal: its keys and journal are not theirs."""
    places = [Path("/var/lib/campusgate"), Path("/etc/campusgate"), Path("/run/campusgate")]
    before = [place.stat().st_mtime_ns if place.exists() else None for place in places]
    yield
    assert [place.stat().st_mtime_ns if place.exists() else None for place in places] == before


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the report of the fault schedules, if any were run, and write it to bench-out/faults.json."""
    from tests.sim.report import REPORT, Report

    tests = [test for kind in ("passed", "failed") for test in terminalreporter.getreports(kind)]
    found = [json.loads(value) for test in tests for name, value in test.user_properties if name == REPORT]
    if found:
        report = Report.of(found)
        terminalreporter.section("fault schedules")
        for line in report.lines():
            terminalreporter.line(line)
        file = Path(__file__).parents[1] / "bench-out" / "faults.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(report.document(), indent=2) + "\n", "utf-8")
