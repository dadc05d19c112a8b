"""Settings: what is wrong is named with file, key, value and what is allowed; what is absent is default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.errors import SettingsError
from config.settings import load_settings, parse_settings

GOOD = """
[device]
name = "north-gate-1"
place = "north-gate"
[central]
url = "https://central.school.example/"
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, source="gate.toml", base=Path("/etc"))
    return caught.value.problems


BAD = {
    "a wrong type": ("[relay]\npin = '17'", r"relay\.pin: '17' .*integer"),
    "true is no number": ("[relay]\npin = true", r"relay\.pin: True .*integer"),
    "a pin that no Pi has": ("[relay]\npin = 28", r"relay\.pin: 28 .*less than or equal to 27"),
    "a negative pin": ("[relay]\npin = -1", r"relay\.pin: -1 .*greater than or equal to 0"),
    "a safe state that is none": (
        "[relay]\nsafe_state = 'open'",
        r"relay\.safe_state: 'open' .*'secure' or 'safe'",
    ),
    "an unknown key": ("[relay]\npinn = 4", r"relay\.pinn: unknown key; allowed here: active_high, pin"),
    "an unknown table": ("[relais]\npin = 4", r"relais: unknown key; allowed here: camera, central"),
    "a table that is a number": ("camera = 3", r"camera: 3 is not allowed"),
    "out of range": ("[sync]\nbatch_records = 0", r"sync\.batch_records: 0 .*greater than or equal to 1"),
    "not a number at all": ("[sync]\npoll_seconds = nan", r"sync\.poll_seconds: nan is not allowed"),
    "endless": ("[sync]\nbackoff_seconds = inf", r"sync\.backoff_seconds: inf .*less than or equal to 3600"),
    **{
        f"a device code url {url!r}": (
            f"[screen]\ndevice_code_url = {url!r}",
            r"screen\.device_code_url: .*https:// URL that ends in # or =",
        )
        for url in (
            "http://a.b/c#",
            "https://a.b/c",
            "https:///c#",
            "https://a.b/c c#",
            "https://a.b/码#",
            "",
        )
    },
    "a list for a device": ("[camera]\ndevice = [1]", r"camera\.device.*: \[1\] is not allowed"),
    "video without path": ("[camera]\ndriver = 'video'", r"camera: .*driver 'video' needs camera\.path"),
    "folder without path": ("[camera]\ndriver = 'folder'", r"camera: .*driver 'folder' needs camera\.path"),
    "thermal without path": (
        "[thermal]\ndriver = 'simulated'",
        r"thermal: .*driver 'simulated' needs thermal\.path",
    ),
    "serial without port": (
        "[thermal]\ndriver = 'serial'",
        r"thermal: .*driver 'serial' needs thermal\.port",
    ),
    "serial without pattern": (
        "[thermal]\ndriver = 'serial'\nport = '/dev/ttyUSB0'",
        r"thermal: .*driver 'serial' needs thermal\.pattern, such as T=",
    ),
    "a pattern that is none": (
        "[thermal]\npattern = '(?P<celsius>[0-9'",
        r"thermal\.pattern: .* is not allowed: a regular expression; this one is not: unterminated",
    ),
    "a pattern without temperature": (
        "[thermal]\npattern = 'T=([0-9.]+)'",
        r"thermal\.pattern: .*needs a group named celsius",
    ),
    "a pattern with a group nobody knows": (
        "[thermal]\npattern = '(?P<celsius>[0-9.]+) (?P<humidity>[0-9]+)'",
        r"thermal\.pattern: .*groups are ambient, celsius, distance_mm, not humidity",
    ),
    "skin without ambient": (
        "[thermal]\ndriver = 'serial'\nport = '/dev/ttyUSB0'\npattern = 'T=(?P<celsius>[0-9.]+)'",
        r"thermal: .*no group ambient.*thermal\.compensation = 'none'",
    ),
    "an offset too large": ("[thermal]\noffset = 3.1", r"thermal\.offset: 3\.1 .*less than or equal to 3"),
    "an offset that is no number": ("[thermal]\noffset = nan", r"thermal\.offset: nan "),
    "a simulated machine without path": (
        "[machine]\ndriver = 'simulated'",
        r"machine: .*driver 'simulated' needs machine\.path",
    ),
    "a light on the relay's pin": (
        "[indicators]\nred = 17",
        r"relay\.pin and indicators\.red are both 17; each needs its own",
    ),
    "two indicators on one pin": (
        "[indicators]\ngreen = 5\nbuzzer = 5",
        r"indicators\.green and indicators\.buzzer are both 5",
    ),
    "an address that no chip has": ("[thermal]\naddress = 0x78", r"thermal\.address: 120 .*equal to 119"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_wrong_value_is_one_line_that_names_it(case: str) -> None:
    text, expected = BAD[case]
    lines = problems(("" if text.startswith("[") else text) + GOOD + (text if text.startswith("[") else ""))
    assert all(line.startswith("gate.toml: ") and "\n" not in line for line in lines)
    assert any(re.search(expected, line) for line in lines), lines


@pytest.mark.parametrize("name", ["", "-gate", "North", "a b", "门", "a" * 64, "../up"])
def test_a_device_name_that_would_not_do_is_refused(name: str) -> None:
    (line,) = problems(GOOD.replace("north-gate-1", name))
    assert line.startswith(f"gate.toml: device.name: {name!r} is not allowed")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://central.school.example", "https:// is needed"),
        ("http://127.0.0.1.evil.example", "https:// is needed"),
        ("http://10.0.0.1", "https:// is needed"),
        ("ftp://central.school.example", "a URL such as"),
        ("central.school.example", "a URL such as"),
        ("https://", "a URL such as"),
        ("", "a URL such as"),
        ("https://[::1", "IPv6"),
        ("http://127.0.0.1:99999", "port"),
        ("http://127.0.0.1:http", "port"),
    ],
)
def test_a_central_that_records_must_not_go_to_is_refused(url: str, allowed: str) -> None:
    (line,) = problems(GOOD.replace("https://central.school.example/", url))
    assert line.startswith(f"gate.toml: central.url: {url!r} is not allowed: ")
    assert allowed.lower() in line.lower()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80", "https://c.example"]
)
def test_https_and_this_machine_itself_are_allowed(url: str) -> None:
    text = GOOD.replace("https://central.school.example/", url)
    assert parse_settings(text, source="x", base=Path()).central.url == url


def test_all_that_is_missing_is_named_at_once_with_what_it_is() -> None:
    assert problems("[device]\n") == (
        "gate.toml: device.name: is missing; it is the terminal's name at central: lower-case letters,"
        " digits and -",
        "gate.toml: device.place: is missing; it is the policy's name of the place where it stands,"
        " such as north-gate",
        "gate.toml: central: is missing; it is the table [central]",
    )


def test_what_is_not_given_has_its_default() -> None:
    settings = parse_settings(GOOD, source="x", base=Path("/etc/campusgate"))
    assert settings.central.url == "https://central.school.example"
    assert (settings.central.timeout, settings.central.ca) == (10.0, None)
    assert (settings.relay.pin, settings.relay.safe_state) == (17, "secure")
    assert (settings.camera.driver, settings.thermal.driver) == ("auto", "none")
    assert settings.state == Path("/var/lib/campusgate")
    assert settings.socket("sync") == Path("/run/campusgate/sync.sock")


def test_relative_paths_start_at_the_file_wherever_it_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    text = GOOD + '[storage]\nstate = "state"\nrun = "../run"\n'
    (tmp_path / "etc" / "gate.toml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("etc/gate.toml"))
    monkeypatch.chdir("/")
    assert settings.journal == tmp_path / "etc" / "state" / "journal.db"
    assert settings.socket("terminal").resolve() == tmp_path / "run" / "terminal.sock"


@pytest.mark.parametrize("text", ["[device", "a = ", "a = 1\na = 2", "\x00", "name = 'x"])
def test_what_is_not_toml_is_said_to_be_so(text: str) -> None:
    (line,) = problems(text)
    assert line.startswith("gate.toml: is not TOML: ")


def test_toml_nested_too_deeply_to_be_read_is_said_to_be_so() -> None:
    assert problems(f"a = {'[' * 20_000}") == ("gate.toml: is nested too deeply",)


def test_a_file_that_is_not_utf_8_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_bytes("# 北门\n".encode("gbk"))
    with pytest.raises(SettingsError, match=r"gate\.toml: is not UTF-8 text \(byte 2\)"):
        load_settings(file)


def test_a_file_that_is_not_there_or_no_file_says_so_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file.*terminal init"):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)


def test_settings_cannot_be_changed_by_accident() -> None:
    settings = parse_settings(GOOD, source="x", base=Path())
    with pytest.raises(ValueError, match="frozen"):
        settings.relay.pin = 4
