"""Drivers by name: those that are installed are found, another name is told which there are."""

from __future__ import annotations

import pytest

from hw.camera_auto import AutoCamera
from hw.camera_files import FolderCamera, VideoCamera
from hw.camera_simulated import SimulatedCamera
from hw.camera_v4l2 import V4L2Camera
from hw.drivers import load_driver
from hw.errors import UnknownDriver
from hw.thermal import NoThermal, SimulatedThermal
from hw.thermal_mlx90614 import Mlx90614Thermal
from hw.thermal_mlx90640 import Mlx90640Thermal
from hw.thermal_serial import SerialThermal


@pytest.mark.parametrize(
    ("device", "name", "driver"),
    [
        ("camera", "auto", AutoCamera),
        ("camera", "folder", FolderCamera),
        ("camera", "video", VideoCamera),
        ("camera", "v4l2", V4L2Camera),
        ("camera", "simulated", SimulatedCamera),
        ("thermal", "mlx90614", Mlx90614Thermal),
        ("thermal", "mlx90640", Mlx90640Thermal),
        ("thermal", "none", NoThermal),
        ("thermal", "serial", SerialThermal),
        ("thermal", "simulated", SimulatedThermal),
    ],
)
def test_every_packaged_driver_is_found_by_its_name(device: str, name: str, driver: type):
    assert load_driver(device, name) is driver


@pytest.mark.parametrize("name", ["webcam", "", "V4L2", "hw.camera_v4l2:V4L2Camera"])
def test_an_unknown_camera_is_told_which_there_are(name: str):
    with pytest.raises(UnknownDriver, match=rf"^camera\.driver: no driver '{name}' is installed") as told:
        load_driver("camera", name)
    assert "auto, folder, picamera2, simulated, v4l2, video" in str(told.value)


def test_an_unknown_sensor_is_told_which_there_are():
    with pytest.raises(UnknownDriver, match=r"^thermal\.driver: .*none, serial, simulated"):
        load_driver("thermal", "lidar")
