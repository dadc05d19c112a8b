"""Which port the console serves: a wrong setting makes it not deaf, and a sensor's line is not its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from config.settings_history import SettingsHistory
from hw.serial_line import LineLost
from terminal.console import cli
from tests.terminal.console.null_modem import NullModem
from tests.terminal.console.rig import ConsoleRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ConsoleRig]:
    """Its console is to be started; the cable is the one usual port of this machine."""
    made = ConsoleRig(tmp_path)
    yield made
    made.close()


def start(rig: ConsoleRig) -> None:
    usual = f"import terminal.console.cli as cli; cli._USUAL = ({str(rig.cable.near)!r},);"
    rig.start("--port", "auto", program_text=f"{usual} from config.cli import main; main()")


def append(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text('utf-8')}\n{text}\n", "utf-8")


def test_a_port_that_is_not_there_is_stood_in_for_until_it_is(rig: ConsoleRig, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    append(rig.settings_file, f'[console]\nport = "{second / "near"}"')
    start(rig)
    with rig.picocom() as person:
        rig.log_in(person)
        adapter = NullModem(second)
    own, rig.cable = rig.cable, adapter
    try:
        with rig.picocom() as person:
            rig.log_in(person)
    finally:
        own.close()
    assert "is there now, and is served instead" in rig.log.read_text()


def test_the_set_port_and_speed_hold_also_while_the_settings_are_broken(rig: ConsoleRig) -> None:
    text = rig.settings_file.read_text("utf-8")
    SettingsHistory(rig.settings_file).commit(f'{text}\n[console]\nport = "{rig.cable.near}"\n', "anna")
    rig.settings_file.write_text("[relay\n", "utf-8")
    rig.start("--port", "auto")  # none of the usual ports is this cable
    with rig.picocom() as person:
        rig.log_in(person)


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two ports that this machine has."""
    ports = [tmp_path / "ttyAMA0", tmp_path / "ttyUSB0"]
    for port in ports:
        port.touch()
    monkeypatch.setattr(cli, "_USUAL", tuple(map(str, ports)))
    return ports


_PATTERN = "pattern = 'T=(?P<celsius>[0-9.]+)'\ncompensation = 'none'"


def settings_with(directory: Path, text: str) -> Settings:
    path = directory / "campusgate.toml"
    path.write_text(
        f'[device]\nname = "a"\nplace = "b"\n[central]\nurl = "https://central.example"\n{text}', "utf-8"
    )
    return load_settings(path)


def test_the_thermal_sensors_line_is_never_taken_by_itself(usual: list[Path], tmp_path: Path) -> None:
    alias = tmp_path / "serial0"
    alias.symlink_to(usual[0])
    for port, expected in ((usual[0], usual[1]), (alias, usual[1]), (usual[1], usual[0])):
        found = settings_with(tmp_path, f'[thermal]\ndriver = "serial"\nport = "{port}"\n{_PATTERN}')
        assert cli._port(lambda found=found: found, "auto") == (str(expected), 115_200, None)


def test_without_any_port_it_says_which_it_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_USUAL", ("/dev/none-here",))
    found = settings_with(tmp_path, '[console]\nport = "/dev/none-there"\n')
    with pytest.raises(LineLost, match=r"none of /dev/none-there, /dev/none-here; set console\.port"):
        cli._port(lambda: found, "auto")
