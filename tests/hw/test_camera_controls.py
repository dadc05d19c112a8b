"""What is asked of a camera, what it refuses, and a CSI camera through a stand-in for Picamera2."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from config.settings import Settings, parse_settings
from hw import camera_auto as auto_module
from hw import camera_v4l2 as v4l2_module
from hw.camera import open_camera
from hw.camera_auto import AutoCamera
from hw.camera_picamera2 import Picamera2Camera
from hw.camera_v4l2 import V4L2Camera
from hw.errors import CameraAbsent, CameraGarbage


def settings_for(tmp_path: Path, camera: str) -> Settings:
    text = f'[device]\nname = "g"\nplace = "p"\n[central]\nurl = "https://c.example"\n[camera]\n{camera}\n'
    return parse_settings(text, source="test", base=tmp_path)


class Webcam:
    """A device behind `cv2.VideoCapture`'s interface: remembers what it was set to, unless it refuses."""

    def __init__(self, refuses: dict[int, float] | None = None) -> None:
        self.values: dict[int, float] = {}
        self.order: list[int] = []
        self._refuses = refuses or {}
        self.released = False

    def __call__(self, node: str, api: int) -> Webcam:
        assert (Path(node).exists(), api) == (True, cv2.CAP_V4L2)
        return self

    def isOpened(self) -> bool:
        return True

    def set(self, control: int, value: float) -> bool:
        self.order.append(control)
        self.values[control] = self._refuses.get(control, value)
        return control not in self._refuses

    def get(self, control: int) -> float:
        return self.values.get(control, 0.0)

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((720, 1280, 3), np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "video7"
    path.touch()
    return path


def opened(tmp_path: Path, node: Path, webcam: Webcam, camera: str = "") -> V4L2Camera:
    return V4L2Camera(settings_for(tmp_path, f'device = "{node}"\n{camera}'), opener=webcam)  # type: ignore[arg-type]


def test_a_camera_that_takes_everything_leaves_no_remark(tmp_path: Path, node: Path) -> None:
    webcam = Webcam()
    camera = opened(tmp_path, node, webcam, "exposure_ms = 8.0\nfocus = 40")
    assert camera.remarks == ()
    assert webcam.values[cv2.CAP_PROP_EXPOSURE] == 80  # in 100 microseconds
    assert webcam.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
    assert webcam.values[cv2.CAP_PROP_FOCUS] == 40
    assert webcam.values[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert webcam.order[0] == cv2.CAP_PROP_FOURCC  # the size that fits the format comes after it


def test_what_is_not_asked_for_is_not_touched(tmp_path: Path, node: Path) -> None:
    webcam = Webcam()
    opened(tmp_path, node, webcam)
    untouched = (
        cv2.CAP_PROP_EXPOSURE,
        cv2.CAP_PROP_AUTO_EXPOSURE,
        cv2.CAP_PROP_FOCUS,
        cv2.CAP_PROP_AUTOFOCUS,
    )
    assert not set(untouched) & set(webcam.values)


@pytest.mark.parametrize(
    ("control", "gives", "remark"),
    [
        (cv2.CAP_PROP_FRAME_WIDTH, 640.0, "camera.width: asked for 1280, the camera gives 640"),
        (cv2.CAP_PROP_FPS, 10.0, "camera.fps: asked for 30, the camera gives 10"),
        (
            cv2.CAP_PROP_FOURCC,
            float(cv2.VideoWriter.fourcc(*"YUYV")),
            "camera.format MJPG: gives YUYV instead",
        ),
        (cv2.CAP_PROP_FOURCC, -1.0, "camera.format MJPG: gives ???? instead"),
        (cv2.CAP_PROP_EXPOSURE, 333.0, "camera.exposure_ms: asked for 80, the camera gives 333"),
        (cv2.CAP_PROP_AUTOFOCUS, 1.0, "camera.focus: autofocus off: asked for 0, the camera gives 1"),
    ],
)
def test_what_the_camera_refuses_is_remarked(
    tmp_path: Path, node: Path, control: int, gives: float, remark: str
) -> None:
    camera = opened(tmp_path, node, Webcam({control: gives}), "exposure_ms = 8.0\nfocus = 40")
    remarks = [line.replace("�", "?") for line in camera.remarks]
    assert remarks == [remark]
    assert camera.read() is not None


class LateWebcam(Webcam):
    """Takes a size as OpenCV does with Video4Linux: a width counts once the height has come too."""

    def __init__(self) -> None:
        super().__init__()
        self._pending: dict[int, float] = {}
        self.values = {cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0}

    def set(self, control: int, value: float) -> bool:
        if control not in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            return super().set(control, value)
        self._pending[control] = value
        if len(self._pending) == 2:
            self.values |= self._pending
        return True


def test_a_size_that_counts_only_when_complete_is_not_remarked(tmp_path: Path, node: Path) -> None:
    camera = opened(tmp_path, node, LateWebcam())
    assert camera.remarks == ()


class Picamera2:
    """Picamera2's interface over made-up planes, as its manual (chapters 4 and 6) describes it."""

    # As libcamera names them on a Raspberry Pi 4: the CSI cameras first, then USB.
    info: tuple[dict[str, Any], ...] = (
        {"Model": "imx708", "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a", "Num": 0},
        {"Model": "C920", "Id": "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0892", "Num": 1},
    )
    gives: Any = None
    size: tuple[int, int] | None = None

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.running = False

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return list(cls.info)

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def camera_configuration(self) -> dict[str, Any]:
        return {"main": {"size": self.size or self.configuration["main"]["size"]}}

    def start(self) -> None:
        self.running = True

    def capture_array(self, name: str, wait: float) -> np.ndarray:
        assert (name, wait > 0, self.running) == ("main", True, True)
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives

    def stop(self) -> None:
        self.running = False

    def close(self) -> None:
        self.running = False


@pytest.fixture
def csi(monkeypatch: pytest.MonkeyPatch) -> type[Picamera2]:
    class Fresh(Picamera2):
        pass

    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=Fresh))
    return Fresh


def test_a_csi_camera_gives_the_luminance_plane(tmp_path: Path, csi: type[Picamera2]) -> None:
    planes = np.arange(1080 * 1344, dtype=np.uint32).astype(np.uint8).reshape(1080, 1344)  # 64 px of padding
    csi.gives = planes
    camera = Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"\nexposure_ms = 4.0'))
    frame = camera.read()
    assert frame is not None
    assert np.array_equal(frame.image, planes[:720, :1280])
    assert camera.remarks == ()
    assert camera._device.configuration["controls"] == {
        "FrameRate": 30.0,
        "AeEnable": False,
        "ExposureTime": 4000,
    }
    camera.close()
    assert not camera._device.running


def test_a_csi_camera_that_is_silent_gives_no_frame(tmp_path: Path, csi: type[Picamera2]) -> None:
    csi.gives = TimeoutError()
    assert Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"')).read() is None


def test_a_csi_camera_that_fails_is_absent(tmp_path: Path, csi: type[Picamera2]) -> None:
    csi.gives = RuntimeError("camera frontend has timed out")
    camera = Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"'))
    with pytest.raises(CameraAbsent, match="timed out"):
        camera.read()


def test_a_csi_camera_of_another_size_says_so(tmp_path: Path, csi: type[Picamera2]) -> None:
    csi.size, csi.gives = (640, 480), np.zeros((720, 640), np.uint8)
    camera = Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"'))
    assert camera.remarks == ("camera.width and height: asked for 1280x720, the camera gives 640x480",)
    frame = camera.read()
    assert frame is not None
    assert frame.image.shape == (480, 640)


def test_garbage_from_a_csi_camera_is_called_so(tmp_path: Path, csi: type[Picamera2]) -> None:
    csi.gives = np.zeros((0, 0), np.uint8)
    with pytest.raises(CameraGarbage):
        Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"')).read()


def test_no_csi_camera_and_no_picamera2_each_say_what_to_do(
    tmp_path: Path, csi: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CameraAbsent, match="cable"):
        Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"\ndevice = 3'))
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraAbsent, match="apt install python3-picamera2"):
        Picamera2Camera(settings_for(tmp_path, 'driver = "picamera2"'))


def auto(tmp_path: Path, camera: str = "") -> AutoCamera:
    camera_ = open_camera(settings_for(tmp_path, camera))
    assert isinstance(camera_, AutoCamera)
    return camera_


def test_a_csi_camera_is_taken_by_picamera2_without_a_setting(tmp_path: Path, csi: type[Picamera2]) -> None:
    csi.gives = np.zeros((1080, 1280), np.uint8)
    camera = auto(tmp_path)
    assert (camera.taken, camera.recorded, camera.remarks) == ("picamera2", False, ())
    frame = camera.read()
    assert frame is not None
    assert frame.image.shape == (720, 1280)
    camera.close()
    assert not camera._camera._device.running  # type: ignore[attr-defined]


def test_a_csi_camera_that_picamera2_lists_without_numbers_is_taken(
    tmp_path: Path, csi: type[Picamera2]
) -> None:
    csi.info = tuple({"Model": info["Model"], "Id": info["Id"]} for info in Picamera2.info)
    assert auto(tmp_path).taken == "picamera2"


@pytest.mark.parametrize("device", ["{node}", "1", "7"])
def test_what_is_no_csi_camera_is_left_to_v4l2(
    tmp_path: Path, node: Path, csi: type[Picamera2], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(auto_module, "V4L2Camera", partial(V4L2Camera, opener=Webcam()))
    monkeypatch.setattr(v4l2_module, "Path", lambda _: node)
    value = f'"{node}"' if device == "{node}" else device
    assert auto(tmp_path, f"device = {value}").taken == "v4l2"


@pytest.mark.parametrize("info", [(), Picamera2.info[1:]])
def test_without_a_csi_camera_picamera2_is_not_used(
    tmp_path: Path, csi: type[Picamera2], monkeypatch: pytest.MonkeyPatch, info: tuple[dict[str, Any], ...]
) -> None:
    csi.info = info
    monkeypatch.setattr(v4l2_module, "Path", lambda _: tmp_path / "none")
    with pytest.raises(CameraAbsent, match=r"none: no such camera; plug it in or set camera\.device$"):
        auto(tmp_path)


def test_picamera2_that_is_not_installed_is_not_mentioned(
    tmp_path: Path, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(auto_module, "import_module", missing)
    monkeypatch.setattr(auto_module, "V4L2Camera", partial(V4L2Camera, opener=Webcam()))
    monkeypatch.setattr(v4l2_module, "Path", lambda _: node)
    camera = auto(tmp_path)
    assert (camera.taken, camera.remarks) == ("v4l2", ())


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'libcamera'", name="libcamera"),
        ValueError("numpy.dtype size changed"),
    ],
)
def test_picamera2_that_does_not_load_is_remarked_beside_v4l2(
    tmp_path: Path, node: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(_name: str) -> Any:
        raise error

    monkeypatch.setattr(auto_module, "import_module", broken)
    with pytest.raises(CameraAbsent, match=rf"no such camera.*does not work: {error}"):
        auto(tmp_path, "device = 97")
    monkeypatch.setattr(auto_module, "V4L2Camera", partial(V4L2Camera, opener=Webcam()))
    monkeypatch.setattr(v4l2_module, "Path", lambda _: node)
    camera = auto(tmp_path)
    assert (camera.taken, camera.remarks) == ("v4l2", (f"picamera2 is installed but does not work: {error}",))
    assert camera.read() is not None
    camera.close()
