"""The devices of a running terminal, opened by its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from hw.camera import open_camera
from hw.camera_feed import CameraFeed
from hw.clock import SystemClock
from hw.indicators import Indicators
from hw.relay import Relay
from hw.thermal import Thermal, open_thermal
from terminal.case import Case
from terminal.journal import Journal
from terminal.portal import Portal
from terminal.sight import Sight


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a running terminal. journal: gives the open one, if there is one."""

    portal: Portal
    thermal: Thermal
    case: Case
    indicators: Indicators
    feed: CameraFeed
    sight: Sight
    clock: SystemClock
    journal: Callable[[], Journal | None]


def open_devices(settings: Settings, clock: SystemClock, journal: Callable[[], Journal | None]) -> Devices:
    """All that `settings` name. Raises: UnknownDriver; RelayError; IndicatorError; OSError."""
    return Devices(
        portal=Portal(Relay(settings.relay)),  # first: until then nothing holds the gate
        thermal=open_thermal(settings),
        case=Case(settings.inputs),
        indicators=Indicators(settings.indicators),
        feed=CameraFeed(lambda: open_camera(settings), retry=settings.camera.retry_seconds),
        sight=Sight(),
        clock=clock,
        journal=journal,
    )
