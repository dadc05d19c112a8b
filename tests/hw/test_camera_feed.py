"""The camera feed: whatever a camera does, the reader gets the newest frame or a state with a sentence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hw.camera import open_camera
from hw.camera_feed import FROZEN_AFTER, CameraFeed, FeedState
from hw.camera_simulated import Stage
from hw.errors import CameraAbsent, CameraGarbage
from hw.frame import Frame
from tests.hw.conftest import MakeSettings
from tests.sim.processes import wait_until

RETRY = 0.05  # seconds
SIZE = (48, 64)


class Scripted:
    """A camera that does in each read what `act` does with the number of the read."""

    def __init__(self, act: Callable[[int], Frame | None], on_close: Callable[[], None] = lambda: None):
        self._act, self._on_close = act, on_close
        self.reads = 0

    recorded = True
    remarks: tuple[str, ...] = ()

    def read(self) -> Frame | None:
        self.reads += 1
        return self._act(self.reads - 1)

    def close(self) -> None:
        self._on_close()


def _frame(number: int) -> Frame:
    time.sleep(0.005)
    return Frame(np.zeros(SIZE, np.uint8), time.monotonic(), number)


def _raise(error: BaseException) -> Frame:
    raise error


@pytest.fixture
def feed_of() -> Iterator[Callable[..., CameraFeed]]:
    """Runs a feed over an opener, closed at the end of the test."""
    feeds = []

    def run(opener: Callable[[], object], retry: float = RETRY) -> CameraFeed:
        feeds.append(CameraFeed(opener, retry=retry))
        return feeds[-1]

    yield run
    for feed in feeds:
        feed.close()


def _reaches(feed: CameraFeed, state: FeedState, seconds: float = 30.0) -> bool:
    return wait_until(lambda: feed.status.state is state, seconds)


def test_an_absent_camera_comes_alive_when_it_appears_and_after_every_replug(
    tmp_path: Path, make_settings: MakeSettings, feed_of: Callable[..., CameraFeed]
):
    settings = make_settings(camera={"driver": "simulated", "path": "stage.frames"})
    feed = feed_of(lambda: open_camera(settings))
    assert _reaches(feed, FeedState.ABSENT)
    assert "no stage" in feed.status.sentence
    for level in (10, 20, 30):
        stage = Stage(tmp_path / "stage.frames", SIZE)
        stage.show(np.full((*SIZE, 3), level, np.uint8))
        assert _reaches(feed, FeedState.LIVE)
        assert feed.status.sentence == ""
        assert feed.newest(1.0).image[0, 0, 0] == level
        (tmp_path / "stage.frames").unlink()
        assert _reaches(feed, FeedState.ABSENT), "an unplugged camera goes unnoticed"
    assert feed.status.frames == 3


@pytest.mark.parametrize(
    "error", [RuntimeError("driver bug"), OSError(5, "I/O"), ValueError(), MemoryError(), KeyError("x")]
)
def test_a_driver_that_raises_anything_while_opening_is_tried_again(
    error: Exception, feed_of: Callable[..., CameraFeed]
):
    openings = iter([error, error])

    def opener() -> Scripted:
        failure = next(openings, None)
        if failure:
            raise failure
        return Scripted(_frame)

    feed = feed_of(opener)
    assert feed.newest(3.0) is not None
    assert _reaches(feed, FeedState.LIVE)


def test_a_driver_that_cannot_be_opened_says_why(feed_of: Callable[..., CameraFeed]):
    feed = feed_of(lambda: _raise(RuntimeError("firmware missing")))
    assert wait_until(lambda: "RuntimeError: firmware missing" in feed.status.sentence, 30)
    assert feed.status.state is not FeedState.LIVE


@pytest.mark.parametrize("error", [RuntimeError("driver bug"), OSError(19, "gone"), CameraAbsent("gone")])
def test_a_driver_that_raises_anything_while_reading_is_opened_again(
    error: Exception, feed_of: Callable[..., CameraFeed]
):
    closed = []
    feed = feed_of(
        lambda: Scripted(lambda i: _frame(i) if i < 2 else _raise(error), lambda: closed.append(True))
    )
    assert wait_until(lambda: len(closed) >= 3, 30), "the camera was not given back before the next try"
    assert feed.newest(1.0) is not None
    assert feed.status.frames >= 4


def test_a_driver_that_fails_even_when_closed_is_opened_again(feed_of: Callable[..., CameraFeed]):
    feed = feed_of(
        lambda: Scripted(
            lambda i: _frame(i) if i < 1 else _raise(CameraAbsent("gone")),
            lambda: _raise(RuntimeError("close failed")),
        )
    )
    assert wait_until(lambda: feed.status.frames >= 3, 30), "one failing close ended the feed for good"


def test_garbage_is_a_state_and_the_next_good_frame_is_given(feed_of: Callable[..., CameraFeed]):
    healed = threading.Event()

    def act(number: int) -> Frame:
        return _frame(number) if healed.is_set() else _raise(CameraGarbage("picture of 3x3 pixels"))

    camera = Scripted(act)
    feed = feed_of(lambda: camera)
    assert _reaches(feed, FeedState.GARBAGE)
    assert "3x3" in feed.status.sentence
    assert feed.newest(0.05) is None
    reads = camera.reads
    time.sleep(0.5)
    assert camera.reads - reads < 20, "a raving camera takes a core"
    healed.set()
    assert _reaches(feed, FeedState.LIVE)
    assert feed.newest(1.0) is not None


def test_a_stage_that_stops_is_frozen_after_two_seconds_and_live_again_at_the_next_frame(
    tmp_path: Path, make_settings: MakeSettings, feed_of: Callable[..., CameraFeed]
):
    settings = make_settings(camera={"driver": "simulated", "path": "stage.frames"})
    stage = Stage(tmp_path / "stage.frames", SIZE)
    picture = np.zeros((*SIZE, 3), np.uint8)
    stage.show(picture)
    feed = feed_of(lambda: open_camera(settings))
    assert _reaches(feed, FeedState.LIVE)
    shown = time.monotonic()
    assert _reaches(feed, FeedState.FROZEN, FROZEN_AFTER + 1)
    assert time.monotonic() - shown > FROZEN_AFTER - 0.3, "called frozen too early"
    assert "no new picture" in feed.status.sentence
    stage.show(picture + 1)
    assert _reaches(feed, FeedState.LIVE)


def test_a_camera_that_gives_the_same_picture_again_and_again_is_frozen(feed_of: Callable[..., CameraFeed]):
    stuck = Scripted(_frame)  # all black, every time
    stuck.recorded = False
    opened = []
    feed = feed_of(lambda: opened.append(1) or stuck)
    assert _reaches(feed, FeedState.FROZEN, FROZEN_AFTER + 1)
    assert _reaches_after(lambda: len(opened) > 1, 1.0), "a frozen camera is opened again"
    assert feed.status.state is FeedState.FROZEN


def test_a_recording_may_show_the_same_picture_for_ever(feed_of: Callable[..., CameraFeed]):
    feed = feed_of(lambda: Scripted(_frame))
    assert not _reaches(feed, FeedState.FROZEN, FROZEN_AFTER + 0.5)
    assert feed.status.state is FeedState.LIVE


def test_what_a_camera_refuses_is_in_the_status_while_it_is_live(feed_of: Callable[..., CameraFeed]):
    camera = Scripted(_frame)
    camera.remarks = ("camera.fps: asked for 30, the camera gives 10",)
    feed = feed_of(lambda: camera)
    assert _reaches(feed, FeedState.LIVE)
    assert feed.status.remarks == camera.remarks


def _reaches_after(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("frames_before", [0, 3])
def test_a_driver_that_hangs_inside_a_read_is_frozen(frames_before: int, feed_of: Callable[..., CameraFeed]):
    released = threading.Event()

    def act(number: int) -> Frame | None:
        if number < frames_before:
            return _frame(number)
        released.wait(20)
        return None

    feed = feed_of(lambda: Scripted(act))
    assert _reaches(feed, FeedState.FROZEN, FROZEN_AFTER + 2)
    released.set()


def test_a_driver_that_hangs_does_not_hold_up_closing_for_long(feed_of: Callable[..., CameraFeed]):
    released = threading.Event()
    feed = feed_of(lambda: Scripted(lambda _: released.wait(20) and None))
    begun = time.monotonic()
    feed.close()
    assert time.monotonic() - begun < 3.5
    released.set()


def test_the_reader_gets_the_newest_frame_and_never_one_twice(feed_of: Callable[..., CameraFeed]):
    camera = Scripted(_frame)
    feed = feed_of(lambda: camera)
    numbers = []
    for _ in range(5):
        time.sleep(0.1)  # a slow decoder
        frame = feed.newest(1.0)
        assert time.monotonic() - frame.captured_at < 0.08, "decoding works on a backlog"
        numbers.append(frame.number)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] > 20, "older frames are to be dropped"


def test_waiting_for_a_frame_ends_in_time(feed_of: Callable[..., CameraFeed]):
    feed = feed_of(lambda: _raise(CameraAbsent("none")))
    begun = time.monotonic()
    assert feed.newest(0.2) is None
    assert 0.15 < time.monotonic() - begun < 0.6


@pytest.mark.parametrize("live", [True, False])
def test_closing_takes_no_longer_than_one_read_and_lets_the_camera_go(
    live: bool, feed_of: Callable[..., CameraFeed]
):
    closed = threading.Event()
    feed = feed_of(lambda: Scripted(_frame, closed.set) if live else _raise(CameraAbsent("none")))
    assert _reaches(feed, FeedState.LIVE if live else FeedState.ABSENT)
    begun = time.monotonic()
    feed.close()
    assert time.monotonic() - begun < 0.5
    assert closed.is_set() is live


@pytest.mark.parametrize("bad", [lambda: None, lambda: _raise(CameraGarbage("picture of 3x3 pixels"))])
def test_a_handle_that_is_bad_for_two_seconds_is_replaced(
    bad: Callable[[], Frame | None], feed_of: Callable[..., CameraFeed]
):
    """As after a replug: the old handle is silent or raves for ever, a new one works."""
    handles = [Scripted(lambda _: bad()), Scripted(_frame)]
    opened = iter([handles[0], *[handles[1]] * 9])
    feed = feed_of(lambda: next(opened), retry=60.0)  # that wait is for absent cameras
    assert _reaches(feed, FeedState.LIVE, FROZEN_AFTER + 1)
    assert handles[0].reads < 100, "a handle that fails at once took a core"
