"""Serial modules: whole lines that match and nothing else, bounded memory, and a cable that is pulled."""

from __future__ import annotations

import os
import re
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.errors import ThermalAbsent, ThermalGarbage
from hw.thermal import ThermalState
from hw.thermal_serial import LONGEST, Lines, SerialThermal, open_port, parse_line
from tests.hw.conftest import MakeSettings
from tests.hw.thermal_rig import comes_to, quick, reaches

PATTERN = r"T=(?P<celsius>-?[0-9.]+)( A=(?P<ambient>-?[0-9.]+))?( D=(?P<distance_mm>[0-9]+))?"
COMPILED = re.compile(PATTERN, re.ASCII)


class Module:
    """A thermal module on a real pseudo-terminal, opened by `link` as /dev/ttyUSB0 would be."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._master = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def plug(self) -> None:
        """Appear at `link`."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        """Vanish: whoever has it open finds out at the next read."""
        self.hush()
        self._link.unlink(missing_ok=True)
        os.close(self._master)

    def send(self, data: bytes) -> None:
        """Say `data` once."""
        os.write(self._master, data)

    def repeat(self, data: bytes) -> None:
        """Say `data` twenty times a second until hushed."""
        self.hush()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, args=(data, self._stop), daemon=True)
        self._thread.start()

    def hush(self) -> None:
        """Say nothing more."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _repeat(self, data: bytes, stop: threading.Event) -> None:
        os.set_blocking(self._master, False)
        while not stop.wait(0.05):
            try:
                os.write(self._master, data)
            except BlockingIOError:
                continue  # nobody reads: a real wire does not wait either


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Module]:
    """A module that is plugged in and says nothing yet."""
    made = Module(tmp_path / "ttyUSB0")
    made.plug()
    yield made
    made.unplug()


@pytest.fixture
def run(tmp_path: Path, make_settings: MakeSettings) -> Iterator[Callable[..., SerialThermal]]:
    """Runs the driver on the module's port, closed at the end of the test."""
    drivers = []

    def start(**more: Any) -> SerialThermal:
        said = {"port": str(tmp_path / "ttyUSB0"), "pattern": PATTERN, "window_seconds": 1.0} | more
        drivers.append(SerialThermal(quick(make_settings, "serial", **said)))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


# --- Lines


def test_the_first_piece_may_be_the_end_of_a_line_and_is_dropped():
    lines = Lines()
    assert lines.feed(b"6.5\nT=36.5\n") == [b"T=36.5"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\r"])
def test_every_way_to_end_a_line_ends_it(end: bytes):
    lines = Lines()
    lines.feed(b"\n")
    assert lines.feed(b"T=36.5" + end + b"T=36.6" + end) == [b"T=36.5", b"T=36.6"]


@given(
    st.lists(st.binary(max_size=60).map(lambda line: re.sub(rb"[\r\n]", b".", line)), max_size=30), st.data()
)
def test_lines_are_the_same_however_the_bytes_are_cut(said: list[bytes], data: st.DataObject):
    stream = b"\n" + b"".join(line + b"\n" for line in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    lines, heard = Lines(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += lines.feed(stream[start:end])
    assert heard == [line for line in said if line]


@given(st.lists(st.binary(max_size=3000), max_size=30))
def test_whatever_floods_in_memory_is_bounded_and_no_line_is_too_long(chunks: list[bytes]):
    lines = Lines()
    for chunk in chunks:
        assert all(0 < len(line) <= LONGEST for line in lines.feed(chunk))
        assert len(lines._rest) <= LONGEST


def test_after_a_flood_without_an_end_the_rest_of_it_is_dropped_and_the_next_line_counts():
    lines = Lines()
    lines.feed(b"\n")
    for _ in range(1000):
        assert lines.feed(b"x" * 4096) == []
    assert lines.feed(b"T=99\nT=36.5\n") == [b"T=36.5"], "the end of a flood was taken for a line"


# --- What a line says


@given(st.integers(-400, 4500), st.integers(-400, 850), st.integers(0, 5000))
def test_every_number_on_a_line_is_read_back(tenths: int, ambient: int, distance: int):
    line = f"T={tenths / 10} A={ambient / 10} D={distance}".encode()
    sample = parse_line(line, COMPILED, "celsius", 7.0)
    assert (sample.at, sample.surface, sample.ambient, sample.distance_mm) == (
        7.0,
        tenths / 10,
        ambient / 10,
        distance,
    )


@pytest.mark.parametrize(
    ("unit", "line", "celsius"),
    [
        ("celsius", b"T=36.5", 36.5),
        ("fahrenheit", b"T=97.7", 36.5),
        ("tenths", b"T=365", 36.5),
        ("hundredths", b"T=3650", 36.5),
    ],
)
def test_every_unit_becomes_degrees_celsius(unit: str, line: bytes, celsius: float):
    assert parse_line(line, COMPILED, unit, 0.0).surface == pytest.approx(celsius)


@pytest.mark.parametrize(
    "line",
    [
        b"T=36.5 A=",
        b"=36.5",
        b"T=36.5x",
        b"xT=36.5",
        b"T=",
        b"T=3.6.5",
        b"T=.",
        b"\xff\xfe",
        b"",
        b"ERR 4",
        b"T=36,5",
        "T=３６".encode(),
    ],
)
def test_a_line_that_does_not_match_as_a_whole_is_garbage(line: bytes):
    with pytest.raises(ThermalGarbage):
        parse_line(line, COMPILED, "celsius", 0.0)


@given(st.binary(max_size=LONGEST))
def test_any_bytes_are_a_sample_or_garbage(line: bytes):
    loose = re.compile("(?P<celsius>.*?)(;(?P<ambient>.*))?", re.ASCII)
    for pattern in (COMPILED, loose):
        try:
            sample = parse_line(line, pattern, "fahrenheit", 0.0)
        except ThermalGarbage:
            continue
        assert sample.surface is not None
        assert abs(sample.surface) < float("inf")


@pytest.mark.parametrize("word", [b"nan", b"inf", b"-inf", b"1e999", b"infinity"])
def test_a_number_that_is_none_is_garbage(word: bytes):
    with pytest.raises(ThermalGarbage):
        parse_line(word, re.compile("(?P<celsius>.*)"), "celsius", 0.0)


# --- The port


def test_a_module_on_a_real_port_is_read(module: Module, run: Callable[..., SerialThermal]):
    driver = run()
    module.repeat(b"T=34.4 A=22.0 D=400\r\n")
    reading = comes_to(driver, ThermalState.OK)
    assert (reading.decidegrees, reading.surface, reading.ambient, reading.distance_mm) == (
        368,
        344,
        220,
        400,
    )
    assert time.monotonic() - reading.measured_at < 1.0


def test_a_module_that_gives_body_temperature_in_fahrenheit(
    module: Module, run: Callable[..., SerialThermal]
):
    driver = run(compensation="none", unit="fahrenheit", pattern="(?P<celsius>[0-9.]+) F")
    module.repeat(b"97.9 F\n")
    assert comes_to(driver, ThermalState.OK).decidegrees == 366


def test_somebody_too_far_is_told_by_the_modules_distance(module: Module, run: Callable[..., SerialThermal]):
    driver = run()
    module.repeat(b"T=34.4 A=22.0 D=1200\n")
    assert comes_to(driver, ThermalState.TOO_FAR).distance_mm == 1200


def test_garbage_between_good_lines_is_ridden_out(module: Module, run: Callable[..., SerialThermal]):
    driver = run()
    module.repeat(b"\xff\x00garbage\nT=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        assert driver.read().decidegrees == 368
        time.sleep(0.02)


def test_only_garbage_is_stale_with_what_the_line_was(module: Module, run: Callable[..., SerialThermal]):
    driver = run()
    module.repeat(b"T=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)
    module.repeat(b"ERR 7\n")
    assert reaches(driver, ThermalState.STALE)
    assert "thermal.pattern does not match the module's line ERR 7" in driver.sentence
    module.repeat(b"T=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)


def test_half_lines_never_become_temperatures(module: Module, run: Callable[..., SerialThermal]):
    driver = run(compensation="none", pattern="(?P<celsius>[0-9.]+)")
    assert reaches(driver, ThermalState.STALE), "the port was not opened"
    module.send(b"\n136.5\n")
    comes_to(driver, ThermalState.IMPLAUSIBLE)
    module.send(b"1")
    time.sleep(0.3)  # longer than a read waits: the line comes in two reads
    module.send(b"36.5\n")
    comes_to(driver, ThermalState.IMPLAUSIBLE)
    assert driver.read().decidegrees is None, "half of 136.5 was taken for a temperature"


def test_a_flood_without_an_end_is_stale_and_over_when_it_ends(
    module: Module, run: Callable[..., SerialThermal]
):
    driver = run()
    module.repeat(b"T=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)
    module.repeat(b"T" * 3000)
    assert reaches(driver, ThermalState.STALE)
    module.repeat(b"T=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)


def test_a_silent_module_says_to_check_the_baudrate(module: Module, run: Callable[..., SerialThermal]):
    driver = run()
    assert reaches(driver, ThermalState.STALE)
    deadline = time.monotonic() + 3
    while "thermal.baudrate" not in driver.sentence and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "no whole line within 1 s; is thermal.baudrate right?" in driver.sentence


def test_an_unplugged_module_is_absent_soon_and_found_when_it_is_back(
    module: Module, run: Callable[..., SerialThermal]
):
    driver = run()
    for _ in range(2):
        module.repeat(b"T=34.4 A=22.0\n")
        comes_to(driver, ThermalState.OK)
        module.unplug()
        assert reaches(driver, ThermalState.ABSENT, 1.5), "an unplugged module still had a number"
        module.plug()
    module.repeat(b"T=34.4 A=22.0\n")
    comes_to(driver, ThermalState.OK)


def test_a_port_that_is_not_there_says_which(make_settings: MakeSettings, tmp_path: Path):
    settings = quick(make_settings, "serial", port=str(tmp_path / "none"), pattern=PATTERN)
    with pytest.raises(ThermalAbsent, match=r"none: cannot be opened.*set thermal\.port"):
        open_port(settings.thermal)
