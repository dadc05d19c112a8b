"""What the tests of thermal drivers share: settings that lose no time, and waiting for a state."""

from __future__ import annotations

from typing import Any

from hw.thermal import Reading, Thermal, ThermalState
from tests.hw.conftest import MakeSettings
from tests.sim.processes import wait_until

RETRY = 0.05  # seconds


def quick(make_settings: MakeSettings, driver: str, **more: Any) -> Any:
    """Settings of `driver` that tries again at once."""
    return make_settings(thermal={"driver": driver, "retry_seconds": RETRY, **more})


def reaches(thermal: Thermal, state: ThermalState, seconds: float = 30.0) -> bool:
    """Whether `thermal` comes to say `state`."""
    return wait_until(lambda: thermal.read().state is state, seconds)


def comes_to(thermal: Thermal, state: ThermalState, seconds: float = 30.0) -> Reading:
    """The first reading with `state`; fails with the last other one."""
    last = thermal.read()

    def there() -> bool:
        nonlocal last
        last = thermal.read()
        return last.state is state

    assert wait_until(there, seconds), f"{last}; {getattr(thermal, 'sentence', '')}"
    return last
