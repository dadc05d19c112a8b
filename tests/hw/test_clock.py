"""The clock: the time, what vouches for it, and whether to believe it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw import clock
from hw.clock import MADE, STEP, Anchor, Basis, Facts, Source, SystemClock, judge
from hw.clock_sources import MachineSources

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
BOOT, OTHER = "0123456789abcdef", "fedcba9876543210"
FACTS = Facts(NOON, 1000.0, BOOT)
CENTRAL = Anchor(NOON - timedelta(seconds=100), Basis(Source.CENTRAL, BOOT, 900.0), 0.6)
HELD = Anchor(NOON - timedelta(seconds=500), Basis(Source.NETWORK, BOOT, 500.0))


@dataclass
class SetSources:
    """Sources that a test sets."""

    synchronised: bool = False
    stamp: int | None = None
    rtc_says: datetime | None = None
    boot: str = BOOT

    def kernel(self) -> bool:
        return self.synchronised

    def timesyncd(self) -> int | None:
        return self.stamp

    def rtc(self) -> datetime | None:
        return self.rtc_says


class Machine:
    """A machine whose wall clock and CLOCK_BOOTTIME a test sets, seen through the real SystemClock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.uptime = NOON, 1000.0
        self.sources = SetSources()
        machine = self

        class Wall(datetime):
            @classmethod
            def now(cls, tz=None):  # noqa: ARG003
                return machine.wall

        monkeypatch.setattr(clock, "datetime", Wall)
        monkeypatch.setattr(clock.time, "clock_gettime", lambda _: machine.uptime)
        self.clock = SystemClock(sources=self.sources)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.uptime += seconds

    def source(self) -> Source:
        return self.clock.now().basis.source


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_tells_the_time_in_utc_and_monotonic_seconds():
    moment = SystemClock().now()
    assert abs(moment.wall.timestamp() - time.time()) < 1
    assert moment.wall.tzinfo is UTC
    assert 0 <= time.monotonic() - moment.monotonic < 1
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - moment.basis.uptime < 1


def test_nothing_vouches_for_a_clock_but_its_sources():
    assert judge(FACTS, floor=MADE) == (NOON, Source.NONE)
    assert judge(replace(FACTS, network=True), floor=MADE) == (NOON, Source.NETWORK)
    assert judge(replace(FACTS, system=True), floor=MADE) == (NOON, Source.SYSTEM)
    assert judge(replace(FACTS, rtc=NOON), floor=MADE) == (NOON, Source.RTC)
    assert judge(FACTS, floor=MADE, held=HELD) == (NOON, Source.NETWORK)
    assert judge(FACTS, floor=MADE, central=CENTRAL) == (NOON, Source.CENTRAL)


def test_the_time_that_central_signed_goes_on_with_the_boot_whatever_the_system_clock_says():
    for wall in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)):
        assert judge(replace(FACTS, wall=wall), floor=MADE, central=CENTRAL) == (NOON, Source.CENTRAL)


def test_what_was_vouched_for_in_another_boot_counts_for_nothing():
    facts = replace(FACTS, boot=OTHER)
    assert judge(facts, floor=MADE, held=HELD, central=CENTRAL) == (NOON, Source.NONE)
    early = replace(FACTS, uptime=899.0)  # before central said it: not this boot either
    assert judge(early, floor=MADE, central=CENTRAL) == (NOON, Source.NONE)


@pytest.mark.parametrize("vouched", [{"network": True}, {"system": True}, {"rtc": NOON}])
def test_no_source_makes_a_time_before_the_floor_trusted(vouched):
    facts = replace(FACTS, **vouched)
    assert judge(facts, floor=NOON + timedelta(seconds=1)) == (NOON, Source.NONE)
    later = NOON + timedelta(seconds=1)
    assert judge(facts, floor=later, held=HELD, central=CENTRAL) == (NOON, Source.NONE)


def test_an_rtc_that_disagrees_with_the_clock_or_with_central_does_not_vouch_for_it():
    away = replace(FACTS, rtc=NOON - timedelta(seconds=30))
    assert judge(away, floor=MADE) == (NOON, Source.NONE)
    ahead = NOON + timedelta(days=3650)  # a wrong RTC that set the clock
    facts = replace(FACTS, wall=ahead, rtc=ahead)
    assert judge(facts, floor=MADE) == (ahead, Source.RTC)
    assert judge(facts, floor=MADE, central=CENTRAL) == (NOON, Source.CENTRAL)


def test_an_rtc_may_drift_from_the_clock_by_its_rate_since_boot():
    month = replace(FACTS, uptime=30 * 86_400.0, rtc=NOON - timedelta(seconds=60))
    assert judge(month, floor=MADE) == (NOON, Source.RTC)


STAFF = Anchor(NOON - timedelta(seconds=50), Basis(Source.STAFF, BOOT, 950.0))


def test_what_staff_set_vouches_in_that_boot_where_nothing_better_does():
    assert judge(FACTS, floor=MADE, staff=STAFF) == (NOON, Source.STAFF)
    wrong = replace(FACTS, wall=NOON - timedelta(days=9))
    assert judge(wrong, floor=MADE, staff=STAFF) == (NOON, Source.STAFF), "a clock that could not be set"
    assert judge(replace(FACTS, network=True), floor=MADE, staff=STAFF) == (NOON, Source.NETWORK)
    assert judge(FACTS, floor=MADE, held=HELD, staff=STAFF) == (NOON, Source.NETWORK)
    assert judge(FACTS, floor=MADE, central=CENTRAL, staff=STAFF) == (NOON, Source.CENTRAL)
    assert judge(replace(FACTS, boot=OTHER), floor=MADE, staff=STAFF) == (NOON, Source.NONE)
    assert judge(FACTS, floor=NOON + timedelta(seconds=1), staff=STAFF) == (NOON, Source.NONE)


def test_an_rtc_that_was_set_with_the_clock_is_still_only_the_word_of_staff():
    assert judge(replace(FACTS, rtc=NOON), floor=MADE, staff=STAFF) == (NOON, Source.STAFF)
    elsewhere = replace(STAFF, time=STAFF.time - timedelta(days=1))
    assert judge(replace(FACTS, rtc=NOON), floor=MADE, staff=elsewhere) == (NOON, Source.RTC)


def test_a_clock_that_staff_set_is_trusted_at_once_and_until_the_network_knows_better(machine: Machine):
    assert machine.source() is Source.NONE
    machine.passes(10)
    machine.wall += timedelta(days=3)
    machine.clock.use_staff(Anchor(machine.wall, Basis(Source.STAFF, BOOT, machine.uptime)))
    moment = machine.clock.now()
    assert (moment.basis.source, moment.wall, moment.trusted) == (Source.STAFF, machine.wall, True)
    assert machine.clock.state().problem == ""
    machine.passes(3600)
    assert machine.clock.now().wall == machine.wall
    machine.sources.synchronised = True
    machine.passes(2)
    assert machine.source() is Source.NETWORK


TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
UPTIMES = st.floats(0, 1e8)
BOOTS = st.sampled_from([BOOT, OTHER, ""])
ANCHORS = st.none() | st.builds(
    Anchor, TIMES, st.builds(Basis, st.sampled_from([Source.NETWORK, Source.RTC]), BOOTS, UPTIMES)
)


@given(
    facts=st.builds(Facts, TIMES, UPTIMES, BOOTS, st.booleans(), st.none() | TIMES, st.booleans()),
    floor=TIMES,
    held=ANCHORS,
    central=ANCHORS,
    staff=ANCHORS,
)
def test_whatever_the_machine_says_a_trusted_time_has_a_source_and_is_not_before_the_floor(
    facts: Facts, floor: datetime, held: Anchor | None, central: Anchor | None, staff: Anchor | None
):
    wall, source = judge(facts, floor=floor, held=held, central=central, staff=staff)
    if source is Source.NONE:
        assert wall == facts.wall
        return
    assert wall >= floor
    if source is Source.CENTRAL:
        assert central is not None
        assert central.basis.boot == facts.boot
        assert wall == central.at(facts.uptime)
    elif source is Source.STAFF:
        assert staff is not None
        assert staff.basis.boot == facts.boot
        assert wall == staff.at(facts.uptime)
    else:
        asked = facts.system or facts.network or facts.rtc is not None
        assert asked or (held is not None and abs(held.at(facts.uptime) - facts.wall) <= STEP)


def test_a_clock_that_was_in_step_once_stays_trusted_without_a_network(machine: Machine):
    machine.sources.synchronised = True
    assert machine.source() is Source.NETWORK
    machine.sources.synchronised = False
    machine.passes(5 * 86_400)
    assert machine.source() is Source.NETWORK


@pytest.mark.parametrize("by", [-3600, 3600, -3, 10 * 365 * 86_400])
def test_a_step_of_the_clock_is_noticed_and_only_a_newer_source_mends_it(machine: Machine, by: int):
    machine.sources.synchronised = True
    machine.sources.stamp = 7
    assert machine.source() is Source.NETWORK
    machine.sources.synchronised = False  # as the kernel does when its clock is set
    machine.passes(60)
    machine.wall += timedelta(seconds=by)
    for _ in range(5):
        machine.passes(60)
        assert machine.source() is Source.NONE
    assert ("back" if by < 0 else "ahead") in machine.clock.state().problem
    machine.sources.stamp = 8  # timesyncd has synchronised it again
    machine.passes(60)
    assert machine.source() is Source.NETWORK
    assert machine.clock.state().problem == ""


def test_many_small_steps_are_seen_as_the_large_one_that_they_make(machine: Machine):
    machine.sources.rtc_says = NOON
    assert machine.source() is Source.RTC
    for _ in range(10):
        machine.passes(1)
        machine.wall -= timedelta(seconds=1.5)
        machine.sources.rtc_says = machine.wall + timedelta(hours=1)
        last = machine.source()
    assert last is Source.NONE


def test_a_step_back_and_forth_leaves_the_clock_untrusted(machine: Machine):
    machine.sources.synchronised = True
    machine.source()
    machine.sources.synchronised = False
    for by in (-600, 600):
        machine.wall += timedelta(seconds=by)
        machine.passes(1)
        assert machine.source() is Source.NONE


def test_after_a_step_central_still_vouches_and_time_goes_on_evenly(machine: Machine):
    machine.clock.use(Anchor(NOON, Basis(Source.CENTRAL, BOOT, 1000.0), 0.6))
    machine.wall = datetime(1970, 1, 1, tzinfo=UTC)
    machine.passes(50)
    assert machine.clock.now().wall == NOON + timedelta(seconds=50)
    machine.wall += timedelta(days=4000)
    machine.passes(50)
    moment = machine.clock.now()
    assert (moment.wall, moment.trusted) == (NOON + timedelta(seconds=100), True)
    assert moment.basis == Basis(Source.CENTRAL, BOOT, 1100.0)


def test_the_floor_rises_and_never_falls(machine: Machine):
    machine.sources.synchronised = True
    machine.clock.raise_floor(NOON + timedelta(minutes=5))
    machine.clock.raise_floor(NOON)
    assert machine.source() is Source.NONE
    assert "is past" in machine.clock.state().problem
    machine.passes(300)
    assert machine.source() is Source.NETWORK


def test_it_is_known_since_when_the_present_source_vouches(machine: Machine):
    machine.source()
    machine.passes(10)
    machine.sources.synchronised = True
    machine.source()
    machine.passes(10)
    machine.source()
    assert machine.clock.state().since == 1010.0


def test_a_time_before_this_version_was_made_is_not_trusted(machine: Machine):
    machine.clock = SystemClock(trust="system", sources=machine.sources)
    machine.wall = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert not machine.clock.now().trusted
    machine.wall = MADE - timedelta(seconds=1)
    assert not SystemClock(floor=datetime(2000, 1, 1, tzinfo=UTC), trust="system").now().trusted


def test_a_time_before_the_newest_record_is_not_trusted():
    now = datetime.now(UTC)
    assert not SystemClock(floor=now + timedelta(minutes=5), trust="system").now().trusted
    assert SystemClock(floor=now - timedelta(minutes=5), trust="system").now().trusted


def test_monotonic_time_never_runs_backwards():
    system = SystemClock()
    moments = [system.now().monotonic for _ in range(1000)]
    assert moments == sorted(moments)


def rtc(root: Path, *, hctosys: str = "1", since_epoch: str = "1804000000", name: str = "rtc0") -> None:
    directory = root / "sys/class/rtc" / name
    directory.mkdir(parents=True)
    (directory / "hctosys").write_text(hctosys + "\n")
    (directory / "since_epoch").write_text(since_epoch + "\n")


def test_a_machine_without_any_source_says_so(tmp_path: Path):
    bare = MachineSources(tmp_path)
    assert (bare.boot, bare.timesyncd(), bare.rtc()) == ("", None, None)


def test_only_the_rtc_that_set_the_clock_counts(tmp_path: Path):
    rtc(tmp_path, hctosys="0", since_epoch="5")
    rtc(tmp_path, name="rtc1")
    assert MachineSources(tmp_path).rtc() == datetime.fromtimestamp(1804000000, UTC)


@pytest.mark.parametrize("damage", [{"since_epoch": "x"}, {"since_epoch": "9" * 30}, {"hctosys": ""}])
def test_an_rtc_that_says_nonsense_says_nothing(tmp_path: Path, damage: dict[str, str]):
    rtc(tmp_path, **damage)
    assert MachineSources(tmp_path).rtc() is None


def test_timesyncd_says_when_it_last_set_the_clock(tmp_path: Path):
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert MachineSources(tmp_path).timesyncd()


def test_the_boot_is_named_by_a_digest_and_not_by_its_id():
    boot = MachineSources().boot
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    assert len(boot) == 16
    assert boot not in kernel.replace("-", "")
    assert boot == MachineSources().boot
    assert MachineSources().kernel() in (True, False)
