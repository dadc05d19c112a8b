"""Cameras: each gives frames, or says what is wrong with it; what is no picture costs one read."""

from __future__ import annotations

import multiprocessing
import os
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import cv2
import numpy as np
import pytest

from hw.camera import checked, described, open_camera
from hw.camera_simulated import Stage
from hw.errors import CameraAbsent, CameraGarbage
from tests.hw.conftest import MakeSettings

SIZE = (48, 64)  # height, width


def _grey(level: int) -> np.ndarray:
    return np.full((*SIZE, 3), level, np.uint8)


def _save(path: Path, level: int) -> None:
    assert cv2.imwrite(str(path), _grey(level))


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "pictures"
        made.mkdir()
        return made

    def test_plays_its_pictures_by_name_over_and_over(self, folder: Path, make_settings: MakeSettings):
        for name, level in (("b.png", 20), ("a.png", 10), ("c.bmp", 30)):
            _save(folder / name, level)
        with closing(open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))) as camera:
            frames = [camera.read() for _ in range(4)]
        assert [int(frame.image[0, 0, 0]) for frame in frames] == [10, 20, 30, 10]
        assert [frame.number for frame in frames] == [0, 1, 2, 3]

    @pytest.mark.timeout(30)
    def test_no_directory_and_no_pipe_is_one_of_them(self, folder: Path, make_settings: MakeSettings):
        _save(folder / "b.png", 20)
        (folder / "a.png").mkdir()
        os.mkfifo(folder / "c.png")
        with closing(open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))) as camera:
            assert [int(camera.read().image[0, 0, 0]) for _ in range(3)] == [20, 20, 20]

    def test_gives_frames_no_faster_than_the_settings_say(self, folder: Path, make_settings: MakeSettings):
        _save(folder / "a.png", 10)
        camera = open_camera(make_settings(camera={"driver": "folder", "path": "pictures", "fps": 20.0}))
        times = [camera.read().captured_at for _ in range(6)]
        assert times[-1] - times[0] >= 5 / 20 - 0.01

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"just text, renamed\n",
            b"\x89PNG\r\n\x1a\n",
            os.urandom(4096),
            b"BM"
            + struct.pack("<IIIIiiHHIIiiII", 58, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 4, 0, 0, 0, 0)
            + b"rest",
        ],
        ids=["no bytes", "text", "half a header", "noise", "a header of more pixels than OpenCV allows"],
    )
    def test_a_file_that_is_no_picture_costs_one_read(
        self, content: bytes, folder: Path, make_settings: MakeSettings
    ):
        (folder / "a.png").write_bytes(content)
        _save(folder / "b.png", 77)
        camera = open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))
        with pytest.raises(CameraGarbage, match=r"a\.png"):
            camera.read()
        assert camera.read().image[0, 0, 0] == 77

    def test_a_truncated_picture_is_garbage_or_a_picture_but_no_crash(
        self, folder: Path, make_settings: MakeSettings
    ):
        noise = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
        whole = cv2.imencode(".png", noise)[1].tobytes()
        for cut in range(10, len(whole), 997):
            (folder / "a.png").write_bytes(whole[:cut])
            camera = open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))
            try:
                frame = camera.read()
            except CameraGarbage:
                continue
            assert frame.image.shape == (*SIZE, 3)

    def test_that_vanishes_is_an_absent_camera(self, folder: Path, make_settings: MakeSettings):
        _save(folder / "a.png", 10)
        camera = open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))
        camera.read()
        (folder / "a.png").unlink()
        folder.rmdir()
        with pytest.raises(CameraAbsent, match="cannot be read"):
            camera.read()

    def test_that_is_missing_or_empty_is_an_absent_camera(self, folder: Path, make_settings: MakeSettings):
        (folder / "notes.txt").write_text("no picture")
        with pytest.raises(CameraAbsent, match="holds no picture"):
            open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))
        with pytest.raises(CameraAbsent, match=r"cannot be listed.*camera\.path"):
            open_camera(make_settings(camera={"driver": "folder", "path": "nowhere"}))

    def test_a_picture_too_small_for_any_code_is_garbage(self, folder: Path, make_settings: MakeSettings):
        cv2.imwrite(str(folder / "a.png"), np.zeros((15, 64, 3), np.uint8))
        camera = open_camera(make_settings(camera={"driver": "folder", "path": "pictures"}))
        with pytest.raises(CameraGarbage, match="64x15"):
            camera.read()


class TestVideo:
    def test_plays_in_a_loop(self, tmp_path: Path, make_settings: MakeSettings):
        film = cv2.VideoWriter(
            str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (SIZE[1], SIZE[0])
        )
        for level in (40, 120, 200):
            film.write(_grey(level))
        film.release()
        camera = open_camera(make_settings(camera={"driver": "video", "path": "film.avi", "fps": 200.0}))
        with closing(camera):
            levels = [float(camera.read().image.mean()) for _ in range(7)]
        assert levels == pytest.approx([40, 120, 200, 40, 120, 200, 40], abs=4)

    @pytest.mark.parametrize("content", [b"", b"not a film", bytes(5000)], ids=["empty", "text", "zeros"])
    def test_a_file_that_is_no_video_is_an_absent_camera(
        self, content: bytes, tmp_path: Path, make_settings: MakeSettings
    ):
        (tmp_path / "film.avi").write_bytes(content)
        with pytest.raises(CameraAbsent, match="is not a video"):
            open_camera(make_settings(camera={"driver": "video", "path": "film.avi"}))

    @pytest.mark.parametrize("path", ["missing.avi", "/dev/null", "/"])
    def test_a_path_that_is_no_file_is_an_absent_camera(self, path: str, make_settings: MakeSettings):
        with pytest.raises(CameraAbsent, match=r"no such file.*camera\.path"):
            open_camera(make_settings(camera={"driver": "video", "path": path}))


class TestV4L2:
    @pytest.mark.parametrize("device", [63, "/dev/video-not-here"])
    def test_a_device_that_is_not_there_is_absent(self, device: int | str, make_settings: MakeSettings):
        with pytest.raises(CameraAbsent, match=r"no such camera; plug it in or set camera\.device"):
            open_camera(make_settings(camera={"driver": "v4l2", "device": device}))

    @pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/", "/etc/passwd"])
    def test_a_path_that_is_no_camera_is_absent(
        self, device: str, make_settings: MakeSettings, capfd: pytest.CaptureFixture[str]
    ):
        with pytest.raises(CameraAbsent, match="cannot be opened"):
            open_camera(make_settings(camera={"driver": "v4l2", "device": device}))
        assert capfd.readouterr().err == "", "OpenCV chatters on stderr"


def _paint(path: Path, ready: Event, stop: Event) -> None:
    stage, level = Stage(path, (240, 320)), 0
    while not stop.is_set():
        level = (level + 1) % 256
        stage.show(np.full((240, 320, 3), level, np.uint8))
        ready.set()
        if level % 16 == 0:  # a painter that never rests overtakes every reader, on some machines for ever
            time.sleep(0.002)


class TestStage:
    @pytest.fixture
    def painter(self, tmp_path: Path) -> Iterator[Path]:
        context = multiprocessing.get_context("spawn")
        ready, stop = context.Event(), context.Event()
        path = tmp_path / "stage.frames"
        process = context.Process(target=_paint, args=(path, ready, stop))
        process.start()
        assert ready.wait(60)
        yield path
        stop.set()
        process.join(60)
        assert process.exitcode == 0

    def test_a_painter_that_hardly_rests_never_gives_a_torn_frame(
        self, painter: Path, make_settings: MakeSettings
    ):
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": str(painter)}))
        frames, levels, deadline = 0, set(), time.monotonic() + 2.0
        with closing(camera):
            while time.monotonic() < deadline:
                frame = camera.read()
                if frame is None:
                    continue
                frames += 1
                levels.add(int(frame.image[0, 0, 0]))
                assert frame.image.min() == frame.image.max(), "half of one frame, half of another"
        assert frames >= 5, "the painter starves the camera: nothing was tested"
        assert len(levels) > 1

    def test_shows_what_was_painted_and_each_frame_once(self, tmp_path: Path, make_settings: MakeSettings):
        stage = Stage(tmp_path / "stage.frames", SIZE)
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": "stage.frames"}))
        stage.show(_grey(5))
        before = time.monotonic()
        first = camera.read()
        assert before <= first.captured_at <= time.monotonic()
        assert (first.image == 5).all()
        assert camera.read() is None, "a still stage is a frozen camera"
        stage.show(_grey(6))
        assert (camera.read().image == 6).all()

    def test_a_frame_stays_as_it_was_when_the_next_is_painted(
        self, tmp_path: Path, make_settings: MakeSettings
    ):
        stage = Stage(tmp_path / "stage.frames", SIZE)
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": "stage.frames"}))
        stage.show(_grey(5))
        frame = camera.read()
        stage.show(_grey(250))
        assert (frame.image == 5).all()

    def test_a_half_painted_frame_is_not_given(self, tmp_path: Path, make_settings: MakeSettings):
        Stage(tmp_path / "stage.frames", SIZE).show(_grey(5))
        with (tmp_path / "stage.frames").open("r+b") as file:
            file.write(struct.pack("<Q", 3))
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": "stage.frames"}))
        assert camera.read() is None

    def test_taken_away_is_an_absent_camera(self, tmp_path: Path, make_settings: MakeSettings):
        stage = Stage(tmp_path / "stage.frames", SIZE)
        stage.show(_grey(5))
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": "stage.frames"}))
        camera.read()
        (tmp_path / "stage.frames").unlink()
        with pytest.raises(CameraAbsent, match="taken away"):
            camera.read()

    def test_set_up_anew_in_its_place_is_a_replug_not_a_crash(
        self, tmp_path: Path, make_settings: MakeSettings
    ):
        settings = make_settings(camera={"driver": "simulated", "path": "stage.frames"})
        Stage(tmp_path / "stage.frames", (480, 640)).show(np.zeros((480, 640, 3), np.uint8))
        camera = open_camera(settings)
        camera.read()
        Stage(tmp_path / "stage.frames", SIZE).show(_grey(9))
        with pytest.raises(CameraAbsent):
            camera.read()
        assert (open_camera(settings).read().image == 9).all()

    @pytest.mark.parametrize(
        "content",
        [
            b"short",
            struct.pack("<QII", 2, 100, 100) + bytes(10),
            struct.pack("<QII", 2, 2**31, 2**31),
            struct.pack("<QII", 2, 0, 64) + bytes(100),
            struct.pack("<QII", 2, 8, 64) + bytes(8 * 64 * 3),
        ],
        ids=["shorter than a header", "shorter than it says", "huge", "no height", "too low"],
    )
    def test_a_file_that_is_no_stage_is_garbage(
        self, content: bytes, tmp_path: Path, make_settings: MakeSettings
    ):
        (tmp_path / "stage.frames").write_bytes(content)
        camera = open_camera(make_settings(camera={"driver": "simulated", "path": "stage.frames"}))
        with closing(camera), pytest.raises(CameraGarbage, match=r"stage\.frames"):
            camera.read()

    def test_an_empty_or_missing_file_is_an_absent_camera(self, tmp_path: Path, make_settings: MakeSettings):
        settings = make_settings(camera={"driver": "simulated", "path": "stage.frames"})
        with pytest.raises(CameraAbsent, match="no stage"):
            open_camera(settings)
        (tmp_path / "stage.frames").touch()
        with pytest.raises(CameraAbsent, match="no stage"):
            open_camera(settings)


@pytest.mark.parametrize("shape", [(48, 64), (16, 16, 3), (720, 1280, 3), (8192, 16)])
def test_a_picture_of_any_usual_shape_is_taken(shape: tuple[int, ...]):
    image = np.zeros(shape, np.uint8)
    assert checked(image, "camera") is image


@pytest.mark.parametrize(
    "image",
    [
        None,
        "picture",
        np.zeros((48, 64), np.float32),
        np.zeros((48, 64), np.uint16),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 1), np.uint8),
        np.zeros(64, np.uint8),
        np.zeros((1, 48, 64, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((15, 64), np.uint8),
        np.zeros((48, 8193), np.uint8),
    ],
    ids=lambda image: f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}",
)
def test_anything_else_is_garbage_that_names_the_camera(image: object):
    with pytest.raises(CameraGarbage, match=r"^camera 7: gave"):
        checked(image, "camera 7")


def test_a_camera_is_described_by_driver_and_place(make_settings: MakeSettings):
    assert described(make_settings().camera) == "auto 0"
    assert described(make_settings().camera, "picamera2") == "auto (picamera2) 0"
    assert described(make_settings(camera={"driver": "video", "path": "a.avi"}).camera) == "video a.avi"
