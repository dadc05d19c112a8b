"""The clock, and whether to believe it.

A Pi without an RTC boots at its last shutdown time or in 1970, and anyone may set a clock. So wall time is
trusted only while something vouches for it (network time, an RTC that set the system clock, or the settings)
and while it is not before a floor that is certainly past. Otherwise the time that central signed in this boot
is used, plus what CLOCK_BOOTTIME has counted since; without that, the time that maintenance staff set in this
boot, counted on alike; without that too, the time is not trusted.

Setting the system clock steps it against CLOCK_BOOTTIME, which nothing can set and which is slewed alike. So
a vouched clock stays vouched for, network or not, until it is stepped; then only a source that is asked after
the step vouches for it again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from hw.clock_sources import MachineSources

MADE = datetime(2026, 11, 1, tzinfo=UTC)
"""No terminal with this version ran before this."""

STEP = timedelta(seconds=2)  # more than a leap second or a busy machine makes between two clocks
_RTC_RATE = 1e-4  # how far an RTC and the kernel's clock drift apart, of the time since boot
_CONTRADICTED = timedelta(seconds=60)  # that an RTC may be off what central signed
_ASK_EVERY = 1.0  # seconds between two looks at the sources while the clock is not stepped


class Source(StrEnum):
    """What vouches for the time."""

    NETWORK = "network"
    CENTRAL = "central"  # its signed time
    RTC = "rtc"
    SYSTEM = "system"  # the settings say that the machine's clock is kept right
    STAFF = "staff"  # maintenance staff set it in this boot
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Basis:
    """How a time is known. boot: names the boot (hex). uptime: seconds of CLOCK_BOOTTIME at that time."""

    source: Source = Source.SYSTEM
    boot: str = ""
    uptime: float = 0.0


GIVEN = Basis()
"""Of a time that comes from somewhere else than this machine's clock."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the clock: UTC wall time, monotonic seconds, and whether the wall time is believable."""

    wall: datetime
    monotonic: float
    trusted: bool
    basis: Basis = GIVEN


@dataclass(frozen=True, slots=True)
class Anchor:
    """The true time at one instant of a boot. uncertainty: seconds, either way."""

    time: datetime
    basis: Basis
    uncertainty: float = 0.0

    def at(self, uptime: float) -> datetime:
        """The true time at that uptime. Raises: OverflowError beyond the year 9999."""
        return self.time + timedelta(seconds=uptime - self.basis.uptime)


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at the machine's clocks, and at its sources if they were asked.

    rtc: what the RTC that set the system clock says now.
    """

    wall: datetime
    uptime: float
    boot: str
    network: bool = False
    rtc: datetime | None = None
    system: bool = False


def judge(
    facts: Facts,
    *,
    floor: datetime,
    held: Anchor | None = None,
    central: Anchor | None = None,
    staff: Anchor | None = None,
) -> tuple[datetime, Source]:
    """The time, and what vouches for it: the clock rule.

    held: when something last vouched for the system clock in this boot. central: its signed time. staff: the
    time that staff set. An RTC that agrees with it was set with it, and is no word of its own.
    """
    signed, told = _counted_on(central, facts), _counted_on(staff, facts)
    source = Source.NONE
    if facts.system:
        source = Source.SYSTEM
    elif facts.network:
        source = Source.NETWORK
    elif held and held.basis.boot == facts.boot and abs(held.at(facts.uptime) - facts.wall) <= STEP:
        source = held.basis.source
    elif facts.rtc and facts.rtc >= floor and _agree(facts.rtc, facts):
        source = Source.RTC
    if source is Source.RTC and told and abs(told - facts.wall) <= STEP:
        source = Source.NONE
    if source is Source.RTC and signed and abs(signed - facts.wall) > _CONTRADICTED:
        source = Source.NONE
    if source is not Source.NONE and facts.wall >= floor:
        return facts.wall, source
    if signed and signed >= floor:
        return signed, Source.CENTRAL
    if told and told >= floor:
        return told, Source.STAFF
    return facts.wall, Source.NONE


def _counted_on(anchor: Anchor | None, facts: Facts) -> datetime | None:
    """The time by `anchor`, if it is of this boot."""
    if anchor and anchor.basis.boot == facts.boot and anchor.basis.uptime <= facts.uptime:
        return anchor.at(facts.uptime)
    return None


def _agree(rtc: datetime, facts: Facts) -> bool:
    return abs(rtc - facts.wall) <= STEP + timedelta(seconds=facts.uptime * _RTC_RATE)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Moment:
        """The time now."""


class Sources(Protocol):
    """What the machine can say for its clock; see `MachineSources`."""

    @property
    def boot(self) -> str: ...
    def kernel(self) -> bool: ...
    def timesyncd(self) -> int | None: ...
    def rtc(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class ClockState:
    """What is known of the clock beside the time. since: uptime when the present source began to vouch.

    problem: why nothing vouches for it, or that it was stepped; "" for neither.
    """

    since: float = 0.0
    problem: str = ""
    central: Anchor | None = None


class SystemClock:
    """The operating system's clock. floor: a time that is certainly past (UTC). May be used by threads.

    trust: "system" when the machine's clock is kept right by other means; the floor holds all the same.
    """

    def __init__(
        self,
        floor: datetime = MADE,
        *,
        trust: Literal["auto", "system"] = "auto",
        sources: Sources | None = None,
    ) -> None:
        self._floor = max(floor, MADE)
        self._system = trust == "system"
        self._sources: Sources = sources or MachineSources()
        self._lock = threading.Lock()
        self._last: Facts | None = None
        self._held: Anchor | None = None
        self._central: Anchor | None = None
        self._staff: Anchor | None = None
        self._asked_at = float("-inf")  # uptime
        self._stale: int | None = None  # what timesyncd's file said when the clock was stepped
        self._source: Source | None = None
        self._since = 0.0
        self._step = ""

    @property
    def floor(self) -> datetime:
        """No time before this is trusted."""
        return self._floor

    def raise_floor(self, floor: datetime) -> None:
        """Trust no time before `floor` from now on, nor before what held until now."""
        with self._lock:
            self._floor = max(self._floor, floor)

    def use(self, central: Anchor | None) -> None:
        """Take `central` for the time that central signed in this boot."""
        with self._lock:
            self._central = central

    def use_staff(self, staff: Anchor | None) -> None:
        """Take `staff` for the time that maintenance staff set in this boot."""
        with self._lock:
            self._staff = staff

    def now(self) -> Moment:
        """See `Clock.now`."""
        with self._lock:
            facts = self._look()
            wall, source = judge(
                facts, floor=self._floor, held=self._held, central=self._central, staff=self._staff
            )
            basis = Basis(source, facts.boot, facts.uptime)
            if source is Source.STAFF:
                self._step = ""  # that was how staff set it
            elif source not in (Source.CENTRAL, Source.NONE):
                # From the first look on, lest many small steps add up to a large one unseen.
                asked = facts.network or facts.system
                if asked or not self._held or self._held.basis.source is not source:
                    self._held = Anchor(facts.wall, basis)
                self._step = ""
            if source is not self._source:
                self._source, self._since = source, facts.uptime
            self._last = facts
            return Moment(wall, time.monotonic(), source is not Source.NONE, basis)

    def state(self) -> ClockState:
        """What is known of the clock beside the time, as of the last look."""
        with self._lock:
            problem = self._step
            if not problem and self._source is Source.NONE and self._last:
                early = self._last.wall < self._floor
                problem = f"it is before {self._floor:%Y-%m-%d %H:%M} UTC, which is past" if early else ""
                problem = problem or "nothing vouches for it"
            return ClockState(self._since, problem, self._central)

    def _look(self) -> Facts:
        while True:
            uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
            wall = datetime.now(UTC)
            if time.clock_gettime(time.CLOCK_BOOTTIME) - uptime < 0.1:  # else it was put to sleep between
                break
        facts = Facts(wall, uptime, self._sources.boot, system=self._system)
        stepped = self._stepped(facts)
        if stepped:
            self._stale = self._sources.timesyncd()
            self._held = None
        if self._system or not (stepped or uptime >= self._asked_at + _ASK_EVERY):
            return facts
        # Asked after the clocks were read: what vouches now vouches for that time or for a later one.
        self._asked_at = uptime
        synchronised = self._sources.timesyncd()
        network = self._sources.kernel() or (synchronised is not None and synchronised != self._stale)
        return Facts(wall, uptime, facts.boot, network=network, rtc=self._sources.rtc())

    def _stepped(self, facts: Facts) -> bool:
        """Whether the system clock was set since the last look."""
        if self._last is None:
            return False
        by = facts.wall - self._last.wall - timedelta(seconds=facts.uptime - self._last.uptime)
        if abs(by) <= STEP:
            return False
        self._step = f"it was set {'back' if by < timedelta() else 'ahead'} by {abs(by)}"
        return True
