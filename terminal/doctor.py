"""The command `campusgate doctor`: what this machine has, and what to do about what it lacks.

It looks and changes nothing. Each check is one function that gives one Finding.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import click

from config.errors import CampusgateError
from config.options import settings_option
from config.settings import Settings, load_settings
from hw.thermal import Reading, ThermalState, Watched, degrees, open_thermal

_LITTLE_SPACE = 500_000_000  # bytes
_CLOCK_ADVICE = (
    "wait for network time (timedatectl), fit an RTC, or let sync reach central"
    " (campusgate terminal status says whether its time is used);"
    " set it at the console (`time set`), which holds for this boot;"
    ' clock.trust = "system" if this machine\'s clock is kept right by other means'
)
_SETTLING = 3.0  # seconds for a thermal sensor to give its first sample


class Health(StrEnum):
    """How a finding is meant."""

    GOOD = "good"
    LACKING = "lacking"  # the terminal works without it, or only the settings can tell
    BAD = "bad"  # the terminal will not work


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked for, how it is, what was found, and what to do."""

    what: str
    health: Health
    found: str
    advice: str = ""


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def doctor(path: Path, as_json: bool) -> None:
    """Check what this machine has: camera, thermal sensor, pins, buses, decoders, fonts, clock, settings.

    Exit status 1 if something is missing that the terminal cannot do without.

    \b
    Example:
      campusgate doctor
    """
    findings = examine(path)
    for finding in findings:
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            mark = {"good": "ok", "lacking": "--", "bad": "!!"}[finding.health]
            click.echo(f"{mark}  {finding.what:<10} {finding.found}")
            if finding.advice:
                click.echo(f"               {finding.advice}")
    sys.exit(1 if any(finding.health is Health.BAD for finding in findings) else 0)


def examine(path: Path) -> list[Finding]:
    """All findings on this machine, with the settings file at `path` if it is there."""
    settings, first = _settings(path)
    checks: list[Callable[[Settings | None], Finding]] = [
        _camera, _thermal, _pins, _i2c, _serial, _zbar, _font, _clock, _space,
    ]  # fmt: skip
    return [first, *(_guarded(check, settings) for check in checks)]


def look_around(settings: Settings) -> list[Finding]:
    """What can be found on a terminal at work: camera and thermal sensor are left to it."""
    checks = [_pins, _i2c, _serial, _zbar, _font, _clock, _space]
    return [_guarded(check, settings) for check in checks]


def _guarded(check: Callable[[Settings | None], Finding], settings: Settings | None) -> Finding:
    """A check that fails itself is a finding: the doctor is called when things are broken."""
    try:
        return check(settings)
    except Exception as error:  # noqa: BLE001
        return Finding(check.__name__.strip("_"), Health.BAD, f"cannot be checked: {error!r}")


def _settings(path: Path) -> tuple[Settings | None, Finding]:
    from terminal.provision import trust

    if not path.exists():
        advice = "on a terminal: campusgate terminal init --help"
        return None, Finding("settings", Health.LACKING, f"{path}: not there", advice)
    try:
        settings = load_settings(path)
        trust(settings)
    except CampusgateError as error:
        return None, Finding("settings", Health.BAD, str(error), "mend what is named, or provision again")
    device = settings.device
    return settings, Finding("settings", Health.GOOD, f"{path}: {device.name} at {device.place}")


def _camera(settings: Settings | None) -> Finding:
    from hw.camera import described, open_camera
    from hw.camera_auto import AutoCamera

    nodes = sorted(str(node) for node in Path("/dev").glob("video*"))
    listed = ", ".join(nodes) or "no /dev/video*"
    if settings is None:
        if nodes:
            return Finding("camera", Health.GOOD, listed)
        return Finding("camera", Health.LACKING, listed, "plug in a USB camera, or enable the CSI camera")
    try:
        camera = open_camera(settings)
        try:
            frame = camera.read()
        finally:
            camera.close()
    except CampusgateError as error:
        return Finding(
            "camera", Health.BAD, str(error), f"set camera.driver and camera.device; there is: {listed}"
        )
    name = described(settings.camera, camera.taken if isinstance(camera, AutoCamera) else "")
    if frame is None:
        return Finding("camera", Health.BAD, f"{name}: opens but gives no picture")
    height, width = frame.image.shape[:2]
    found = f"{name}: {width}x{height}"
    if camera.remarks:
        return Finding("camera", Health.LACKING, found, "; ".join(camera.remarks))
    return Finding("camera", Health.GOOD, found)


def _thermal(settings: Settings | None) -> Finding:
    advice = "set thermal.driver; without it, policy says whether people without a temperature may enter"
    if settings is None or settings.thermal.driver == "none":
        return Finding("thermal", Health.LACKING, "no sensor in the settings", advice)
    try:
        sensor = open_thermal(settings)
    except CampusgateError as error:
        return Finding("thermal", Health.BAD, str(error), "set thermal.driver")
    try:
        reading = sensor.read()
        until = time.monotonic() + (_SETTLING if isinstance(sensor, Watched) else 0)
        while reading.state in (ThermalState.ABSENT, ThermalState.STALE) and time.monotonic() < until:
            time.sleep(0.05)
            reading = sensor.read()
        sentence, remarks = (sensor.sentence, sensor.remarks) if isinstance(sensor, Watched) else ("", ())
    finally:
        sensor.close()
    found = f"{settings.thermal.driver}: {reading.state}{_seen(reading)}"
    if reading.state in (ThermalState.ABSENT, ThermalState.STALE):
        return Finding("thermal", Health.BAD, found, sentence or "check that it is connected and powered")
    if sentence or remarks:
        return Finding("thermal", Health.LACKING, found, "; ".join(filter(None, (sentence, *remarks))))
    # Nobody stands before the sensor while a technician asks: implausible and too far are no faults then.
    return Finding("thermal", Health.GOOD, found)


def _seen(reading: Reading) -> str:
    seen = [("surface", reading.surface), ("ambient", reading.ambient), ("body", reading.decidegrees)]
    return "".join(f", {name} {degrees(value)} °C" for name, value in seen if value is not None)


def _pins(settings: Settings | None) -> Finding:
    from hw.relay import on_gpio_machine

    del settings
    if not on_gpio_machine():
        return Finding("pins", Health.LACKING, "not a Raspberry Pi", "the relay is simulated on this machine")
    chips = sorted(str(chip) for chip in Path("/dev").glob("gpiochip*"))
    if not chips:
        return Finding("pins", Health.BAD, "no /dev/gpiochip*", "use a kernel with GPIO character devices")
    try:
        with Path(chips[0]).open("rb"):
            return Finding("pins", Health.GOOD, ", ".join(chips))
    except OSError as error:
        advice = "add the user to the group gpio: sudo usermod -aG gpio USER, then log in again"
        return Finding("pins", Health.BAD, f"{chips[0]}: {error.strerror}", advice)


def _i2c(settings: Settings | None) -> Finding:
    del settings
    buses = sorted(str(bus) for bus in Path("/dev").glob("i2c-*"))
    if buses:
        return Finding("i2c", Health.GOOD, ", ".join(buses))
    return Finding(
        "i2c", Health.LACKING, "no /dev/i2c-*", "for an I2C sensor: sudo raspi-config nonint do_i2c 0"
    )


def _serial(settings: Settings | None) -> Finding:
    from serial.tools.list_ports import comports

    del settings
    ports = sorted(port.device for port in comports())
    if ports:
        return Finding("serial", Health.GOOD, ", ".join(ports))
    advice = "for maintenance: plug in a USB serial adapter, or sudo raspi-config nonint do_serial_hw 0"
    return Finding("serial", Health.LACKING, "no serial port", advice)


def _zbar(settings: Settings | None) -> Finding:
    del settings
    try:
        import pyzbar.pyzbar  # noqa: F401 - loading it loads libzbar
        import zxingcpp  # noqa: F401
    except ImportError as error:
        return Finding("decoders", Health.BAD, str(error), "sudo apt install libzbar0")
    return Finding("decoders", Health.GOOD, f"zxing-cpp {version('zxing-cpp')}, libzbar")


def _font(settings: Settings | None) -> Finding:
    from terminal.screen.fonts import MissingFont, find

    del settings
    font = find()
    if font:
        return Finding("font", Health.GOOD, f"{font.name} has Chinese")
    missing = MissingFont()
    return Finding("font", Health.LACKING, missing.reason, missing.advice)


def _clock(settings: Settings | None) -> Finding:
    from hw.clock import Source, SystemClock
    from hw.clock_sources import MachineSources
    from terminal.staff_clock import machine_clock

    clock = machine_clock(settings) if settings else SystemClock()
    now, sources = clock.now(), MachineSources()
    says = f"{now.wall:%Y-%m-%d %H:%M} UTC"
    if now.wall < clock.floor:
        return Finding("clock", Health.BAD, f"{says} is past", "set the time, or fit an RTC")
    rtc = sources.rtc()
    beside = f"RTC says {rtc:%Y-%m-%d %H:%M}" if rtc else "no RTC set it"
    source = now.basis.source
    if source is Source.NONE:
        offer = bool(settings and settings.clock_offer.exists())
        found = f"{says}, nothing vouches for it: no network time, {beside}"
        found += ", central has offered its time" if offer else ", central has offered none"
        return Finding("clock", Health.LACKING, found, _CLOCK_ADVICE)
    found = f"{says}, {source} vouches for it, {beside}"
    if source is Source.SYSTEM:
        found += ' (clock.trust = "system")'
    if rtc or source is Source.SYSTEM:
        return Finding("clock", Health.GOOD, found)
    return Finding("clock", Health.LACKING, found, "an RTC keeps time through power cuts without a network")


def _space(settings: Settings | None) -> Finding:
    place = settings.state if settings and settings.state.exists() else Path("/")
    free = shutil.disk_usage(place).free
    found = f"{place}: {free / 1e9:.1f} GB free"
    if free < _LITTLE_SPACE:
        return Finding(
            "space", Health.BAD, found, "free some space: records that cannot be written close the gate"
        )
    return Finding("space", Health.GOOD, found)
