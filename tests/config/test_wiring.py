"""Parts that cannot be wired together are refused, and settings hold no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SettingsError
from config.settings import parse_settings

GATE = """
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "https://central.school.example"
"""
SERIAL = "[thermal]\ndriver = 'serial'\ncompensation = 'none'\npattern = 'T=(?P<celsius>[0-9.]+)'\nport = "
REFUSED = {
    "relay and tamper": ("[relay]\npin = 4\n[inputs]\ntamper = 4", "relay.pin and inputs.tamper are both 4"),
    "relay and green": ("[indicators]\ngreen = 17", "relay.pin and indicators.green are both 17"),
    "two lights": ("[indicators]\ngreen = 5\nred = 5", "indicators.green and indicators.red are both 5"),
    "light and buzzer": (
        "[indicators]\nred = 5\nbuzzer = 5",
        "indicators.red and indicators.buzzer are both",
    ),
    "tamper and buzzer": (
        "[indicators]\nbuzzer = 6\n[inputs]\ntamper = 6",
        "inputs.tamper and indicators.buzzer are both 6",
    ),
    "the data line of I2C 1": (
        "[relay]\npin = 2\n[thermal]\ndriver = 'mlx90614'",
        "relay.pin is 2, which thermal.bus 1 (I2C) uses; take another pin",
    ),
    "the clock line of I2C 1": (
        "[inputs]\ntamper = 3\n[thermal]\ndriver = 'mlx90640'",
        "inputs.tamper is 3, which thermal.bus 1",
    ),
    "I2C 0": (
        "[indicators]\nred = 0\n[thermal]\ndriver = 'mlx90640'\nbus = 0",
        "indicators.red is 0, which thermal.bus 0",
    ),
    "the sensor on the Pi's UART": (
        f"[relay]\npin = 14\n{SERIAL}'/dev/serial0'",
        "relay.pin is 14, which thermal.port /dev/serial0 (UART) uses",
    ),
    "the console on the Pi's UART": (
        "[indicators]\nbuzzer = 15\n[console]\nport = '/dev/ttyAMA0'",
        "indicators.buzzer is 15, which console.port /dev/ttyAMA0 (UART) uses",
    ),
    "written otherwise": (
        "[indicators]\nbuzzer = 15\n[console]\nport = '/dev/../dev//ttyS0'",
        "console.port /dev/ttyS0 (UART)",
    ),
    "sensor and console on one line": (
        f"[console]\nport = '/dev/ttyUSB0'\n{SERIAL}'/dev/ttyUSB0'",
        "thermal.port and console.port are one line, /dev/ttyUSB0",
    ),
    "sensor and console on one UART by two names": (
        f"[console]\nport = '/dev/ttyAMA0'\n{SERIAL}'/dev/serial0'",
        "thermal.port and console.port are one line, /dev/ttyAMA0",
    ),
}
ALLOWED = {
    "I2C pins without an I2C sensor": "[relay]\npin = 2\n[inputs]\ntamper = 3",
    "I2C 1 pins while the sensor is on another bus": (
        "[relay]\npin = 2\n[thermal]\ndriver = 'mlx90614'\nbus = 4"
    ),
    "UART pins while all is on USB": (
        f"[relay]\npin = 14\n[console]\nport = '/dev/ttyGS0'\n{SERIAL}'/dev/ttyUSB0'"
    ),
    "a port that no driver uses": (
        "[console]\nport = '/dev/ttyUSB0'\n[thermal]\nport = '/dev/ttyUSB0'\n[relay]\npin = 15"
    ),
    "everything at once": (
        "[relay]\npin = 17\n[inputs]\ntamper = 4\n[indicators]\ngreen = 5\nred = 6\nbuzzer = 13\n"
        f"[console]\nport = '/dev/serial0'\n{SERIAL}'/dev/ttyUSB0'"
    ),
}


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, source="gate.toml", base=Path("/etc"))
    return caught.value.problems


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_wired_together_is_refused_and_says_which_keys(case: str) -> None:
    text, expected = REFUSED[case]
    (line,) = problems(GATE + text)
    assert expected in line
    assert line.startswith("gate.toml: ")


@pytest.mark.parametrize("case", ALLOWED)
def test_what_can_be_wired_together_is_allowed(case: str) -> None:
    parse_settings(GATE + ALLOWED[case], source="gate.toml", base=Path("/etc"))


def test_all_that_does_not_go_together_is_named_at_once() -> None:
    (line,) = problems(GATE + "[indicators]\ngreen = 17\nred = 17")
    assert line.count("are both 17") == 3


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("[central]\nurl = 'https://gate:s3cret@central.example'", "central.url"),
        ("[central]\nurl = 'https://s3cret@central.example'", "central.url"),
        ("[central]\nurl = 'https://:s3cret@central.example'", "central.url"),
        ("[central]\nurl = 'http://a:s3cret@localhost'", "central.url"),
        ("[central]\nurl = 'https://a:s3cret/x@central.example'", "central.url"),
        ("[central]\nurl = 'ftp://a:s3cret@central.example'", "central.url"),
        ("[screen]\ndevice_code_url = 'https://a:s3cret@school.example/c#'", "screen.device_code_url"),
        ("[sync]\npoll_seconds = 'https://a:s3cret@school.example/c#'", "sync.poll_seconds"),
    ],
)
def test_a_url_with_a_user_or_a_password_is_refused_and_not_repeated(line: str, key: str) -> None:
    text = (
        GATE.replace('[central]\nurl = "https://central.school.example"\n', "") if "central" in key else GATE
    )
    found = problems(text + line)
    assert found[0].startswith(f"gate.toml: {key}: '")
    assert "s3cret" not in "".join(found)
    assert "***@" in found[0]


def test_the_new_tables_have_defaults_that_old_files_are_valid_with() -> None:
    settings = parse_settings(GATE, source="gate.toml", base=Path("/etc"))
    console, lights = settings.console, settings.indicators
    assert (console.port, console.baud, console.idle_minutes) == (None, 115_200, 10)
    assert (console.sticks, console.group) == ("/media", None)
    assert (lights.green, lights.red, lights.buzzer) == (None, None, None)
    assert settings.machine.driver == "linux"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[console]\nbaud = 115201", "console.baud: 115201 is not allowed: input should be 9600"),
        ("[console]\nidle_minutes = 0", "console.idle_minutes: 0 is not allowed"),
        ("[console]\ngroup = 'a b'", "console.group: 'a b' is not allowed"),
        ("[indicators]\nred = 28", "indicators.red: 28 is not allowed"),
        ("[machine]\ndriver = 'simulated'", "driver 'simulated' needs machine.path"),
    ],
)
def test_what_the_new_tables_do_not_allow_is_named(text: str, expected: str) -> None:
    (line,) = problems(GATE + text)
    assert expected in line
