"""The doctor names what is there, what is missing, and what to do; it changes nothing and never fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from config.settings import Settings, load_settings
from hw import camera_auto
from hw.camera_simulated import SimulatedCamera, Stage
from terminal import doctor as module
from terminal.doctor import Finding, Health, doctor, examine
from tests.sim.campus import build

NAMES = ("settings", "camera", "thermal", "pins", "i2c", "serial", "decoders", "font", "clock", "space")


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("doctor"), seed=4, link_url="http://127.0.0.1:1").settings_file


def found(path: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(path)}


def test_everything_an_owner_asks_about_is_looked_at(tmp_path: Path) -> None:
    assert tuple(found(tmp_path / "none.toml")) == NAMES


def test_what_is_not_good_says_what_to_do(tmp_path: Path) -> None:
    for finding in examine(tmp_path / "none.toml"):
        assert finding.health is Health.GOOD or finding.advice, finding


def test_a_provisioned_terminal_with_a_camera_is_well(settings_file: Path) -> None:
    stage = Stage(settings_file.parent / "stage.frames", (720, 1280))
    stage.show(np.full((720, 1280, 3), 80, np.uint8))
    (settings_file.parent / "thermal.txt").write_text("36.5\nambient 21.0", "ascii")
    findings = found(settings_file)
    assert findings["settings"].found.endswith("north-gate-1 at north-gate")
    assert findings["camera"] == Finding("camera", Health.GOOD, "simulated stage.frames: 1280x720")
    assert not [f for f in findings.values() if f.health is Health.BAD]


def test_what_the_camera_refuses_is_said(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(settings_file.parent / "stage.frames", (720, 1280))
    stage.show(np.full((720, 1280, 3), 80, np.uint8))
    remark = "camera.fps: asked for 30, the camera gives 10"
    monkeypatch.setattr(SimulatedCamera, "remarks", (remark,))
    camera = found(settings_file)["camera"]
    assert (camera.health, camera.advice) == (Health.LACKING, remark)


def test_which_camera_was_taken_is_said(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Csi(SimulatedCamera):
        remarks = ()

        def __init__(self, settings: Settings) -> None:
            super().__init__(settings.model_copy(update={"camera": simulated}))

    stage = Stage(settings_file.parent / "stage.frames", (720, 1280))
    stage.show(np.full((720, 1280, 3), 80, np.uint8))
    simulated = load_settings(settings_file).camera
    monkeypatch.setattr(camera_auto, "Picamera2Camera", Csi)
    monkeypatch.setattr(camera_auto, "_csi_camera", lambda _: (True, ""))
    text = re.sub(r"(?s)\[camera\].*?(?=\n\[|$)", "[camera]\n", settings_file.read_text("utf-8"))
    other = settings_file.parent / "auto.toml"
    other.write_text(text, "utf-8")
    assert found(other)["camera"] == Finding("camera", Health.GOOD, "auto (picamera2) 0: 1280x720")


def test_a_thermal_sensor_is_asked_what_it_sees(settings_file: Path) -> None:
    (settings_file.parent / "thermal.txt").write_text("36.5\nambient 21.0", "ascii")
    thermal = found(settings_file)["thermal"]
    assert thermal.health is Health.GOOD
    assert thermal.found == "simulated: ok, surface 36.5 °C, ambient 21.0 °C, body 36.5 °C"


def test_a_thermal_sensor_that_is_not_there_is_bad(settings_file: Path) -> None:
    (settings_file.parent / "thermal.txt").unlink(missing_ok=True)
    finding = found(settings_file)["thermal"]
    assert (finding.health, finding.found) == (Health.BAD, "simulated: absent")
    assert "connected" in finding.advice


def test_a_real_sensor_on_a_bus_that_is_not_there_is_told_how_to_get_one(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLING", 0.5)
    text = settings_file.read_text("utf-8")
    text = re.sub(r"(?s)\[thermal\].*?(?=\n\[|$)", '[thermal]\ndriver = "mlx90614"\nbus = 97\n', text)
    other = settings_file.parent / "other.toml"
    other.write_text(text, "utf-8")
    finding = found(other)["thermal"]
    assert (finding.health, finding.found) == (Health.BAD, "mlx90614: absent")
    assert "/dev/i2c-97" in finding.advice
    assert "raspi-config" in finding.advice


def test_no_thermal_sensor_in_the_settings_is_no_fault(tmp_path: Path) -> None:
    assert found(tmp_path / "none.toml")["thermal"].health is Health.LACKING


def test_a_camera_that_the_settings_name_and_that_is_not_there_is_bad(settings_file: Path) -> None:
    (settings_file.parent / "stage.frames").unlink(missing_ok=True)
    result = CliRunner().invoke(doctor, ["--settings", str(settings_file)])
    assert result.exit_code == 1
    assert "!!  camera" in result.output
    assert "set camera.driver and camera.device" in result.output


def test_broken_settings_are_named_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text("[device]\nnam = 3\n", "utf-8")
    findings = found(path)
    assert findings["settings"].health is Health.BAD
    assert "device.nam: unknown key" in findings["settings"].found
    assert tuple(findings) == NAMES


def test_a_check_that_fails_itself_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_settings: object) -> Finding:
        raise RuntimeError("no such bus")

    monkeypatch.setattr(module, "_i2c", broken)
    assert "no such bus" in next(f.found for f in examine(tmp_path / "none.toml") if f.what == "broken")


def test_decoders_are_really_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(tmp_path / "none.toml")["decoders"].health is Health.GOOD
    monkeypatch.setitem(module.sys.modules, "pyzbar.pyzbar", None)
    finding = found(tmp_path / "none.toml")["decoders"]
    assert (finding.health, finding.advice) == (Health.BAD, "sudo apt install libzbar0")


def test_little_space_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LITTLE_SPACE", 10**15)
    assert found(tmp_path / "none.toml")["space"].health is Health.BAD


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(doctor, ["--json", "--settings", str(tmp_path / "none.toml")])
    assert [json.loads(line)["what"] for line in result.output.splitlines()] == list(NAMES)
