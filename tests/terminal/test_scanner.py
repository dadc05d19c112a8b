"""The scanner on real frames: what it reads, what it must never read, and what a bad frame costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import segno

from hw.frame import Frame
from terminal.codes import CodeRefused, parse
from terminal.reasons import Reason
from terminal.scanner import RUNGS, Scanner, read_picture, zxing
from terminal.scanner import decoders as decoders_module
from terminal.scanner import ladder as ladder_module
from terminal.scanner.choice import foremost
from terminal.scanner.deblur import gaussian, motion, smeared_along
from terminal.scanner.decoders import zbar
from terminal.scanner.ladder import Ladder, Rung
from terminal.scanner.likeness import likely, whole
from terminal.scanner.sighting import Symbol, grey
from tests.sim.footage import KINDS, graded
from tests.sim.optics import Weather, empty
from tests.sim.scenery import scene

TEXT = "CC1:" + "RRQXO8O608CKRX3WD0DNA846+Q6646" * 5


def frame(image: np.ndarray, number: int = 0) -> Frame:
    return Frame(image, time.monotonic(), number)


def qr(text: str, scale: int = 6) -> np.ndarray:
    """A black-on-white QR picture, grey."""
    modules = np.array([list(row) for row in segno.make(text, error="m", micro=False).matrix], np.uint8)
    padded = np.pad(modules, 4)
    return np.kron(255 * (1 - padded), np.ones((scale, scale), np.uint8)).astype(np.uint8)


def placed(*codes: tuple[str, int, int, int]) -> np.ndarray:
    """A grey frame 1280x720 with codes given as (text, x, y, pixels a module)."""
    picture = np.full((720, 1280), 120, np.uint8)
    for text, x, y, scale in codes:
        code = qr(text, scale)
        picture[y : y + code.shape[0], x : x + code.shape[1]] = code
    return picture


@pytest.mark.parametrize("kind", KINDS)
def test_reads_every_kind_of_difficulty_that_is_not_extreme(kind: str) -> None:
    scanner = Scanner(budget=1.0, eager=True)
    for number, grade in enumerate((0.0, 0.3, 0.6)):
        rng = np.random.default_rng([41, KINDS.index(kind), number])
        scan = scanner.scan(frame(graded(kind, grade, rng, TEXT)))
        assert scan.sighting is not None, f"{kind} at grade {grade}"
        assert scan.sighting.text == TEXT


def test_reads_what_neither_zxing_nor_zbar_reads_alone() -> None:
    gained = 0
    for seed in range(40):
        kind = ("motion", "dim", "crack", "far", "glare", "moire")[seed % 6]
        image = graded(kind, 1.0, np.random.default_rng([7, seed]), TEXT)
        flat = grey(image)
        alone = any(s.text == TEXT for s in (*zxing(flat).symbols, *zbar(flat).symbols))
        ours = Scanner(budget=1.0, eager=True).scan(frame(image)).sighting
        assert ours is not None or not alone, f"seed {seed}: a peer reads it and we do not"
        gained += ours is not None and not alone
    assert gained >= 3


@pytest.mark.parametrize("start", [b"", b"CC1:"])
def test_bytes_that_are_no_text_are_seen_and_refused_by_name(start: bytes) -> None:
    data = start + bytes(range(1, 256))
    side = segno.make(data, mode="byte").symbol_size(scale=4)[0]
    image = np.full((720, 1280, 3), 120, np.uint8)
    matrix = np.array(list(segno.make(data, mode="byte").matrix_iter(scale=4)), np.uint8)
    image[100 : 100 + side, 400 : 400 + side] = ((1 - matrix) * 255)[:, :, None]
    sighting = Scanner().scan(frame(image)).sighting
    assert sighting is not None
    with pytest.raises(CodeRefused) as caught:
        parse(sighting.text)
    assert caught.value.reason is (Reason.CODE_DAMAGED if start else Reason.CODE_FOREIGN)


def test_says_where_the_code_is() -> None:
    scan = Scanner().scan(frame(placed((TEXT, 500, 150, 6))))
    side = qr(TEXT, 6).shape[0]
    assert scan.sighting is not None
    assert scan.sighting.centre == pytest.approx((500 + side / 2, 150 + side / 2), abs=4)
    assert scan.sighting.size == pytest.approx(side - 48, abs=12)


def test_a_code_appearing_in_an_empty_scene_is_seen_within_two_frames() -> None:
    rng = np.random.default_rng(3)
    background = scene(rng)
    scanner = Scanner()
    for number in range(30):
        assert scanner.scan(frame(empty(background, Weather(noise=3.0), rng), number)).sighting is None
    code = graded("dim", 0.9, np.random.default_rng(12), TEXT)
    assert any(scanner.scan(frame(code, 30 + k)).sighting for k in range(2))


def test_no_text_is_ever_read_in_noise() -> None:
    eager = Scanner(budget=0.2, eager=True)
    for seed in range(950):
        rng = np.random.default_rng([8, seed])
        noise = rng.integers(0, 256, (96, 128), np.uint8)
        side = int(rng.integers(3, 9))
        blocks = np.kron(
            rng.integers(0, 2, (96 // side, 128 // side), np.uint8) * 255, np.ones((side, side), np.uint8)
        )
        for image in (noise, blocks.astype(np.uint8)):
            assert eager.scan(frame(image)).sighting is None


def test_no_text_is_ever_read_in_scenes_without_a_code() -> None:
    scanner = Scanner()
    for seed in range(40):
        rng = np.random.default_rng([9, seed])
        background = scene(rng)
        for number in range(6):
            weather = Weather(
                noise=rng.uniform(0, 8),
                defocus=rng.uniform(0, 2),
                gain=rng.uniform(0.05, 2),
                gamma=rng.uniform(0.5, 2),
            )
            assert scanner.scan(frame(empty(background, weather, rng), number)).sighting is None


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((15, 4000), np.uint8),
        np.zeros((100, 100), np.uint16),
        np.zeros((100, 100), np.float32),
        np.zeros((100, 100, 1), np.uint8),
        np.zeros((100, 100, 2), np.uint8),
        np.zeros((100, 100, 4), np.uint8),
        np.zeros((4, 100, 100, 3), np.uint8),
        np.full((4320, 7680), 200, np.uint8),
    ],
    ids=lambda image: f"{image.dtype} {image.shape}",
)
def test_an_absurd_frame_is_a_frame_without_a_code(image: np.ndarray) -> None:
    scanner = Scanner()
    assert scanner.scan(frame(image)).sighting is None
    assert scanner.scan(frame(placed((TEXT, 400, 100, 6)))).sighting is not None


def test_an_8k_frame_is_read_and_measured_in_its_own_pixels() -> None:
    big = cv2.resize(placed((TEXT, 400, 100, 6)), (7680, 4320), interpolation=cv2.INTER_NEAREST)
    scan = Scanner().scan(frame(big))
    assert scan.sighting is not None
    assert scan.sighting.centre[0] == pytest.approx(6 * (400 + qr(TEXT, 6).shape[0] / 2), rel=0.02)


def test_views_that_are_not_contiguous_are_read() -> None:
    wide = np.zeros((720, 2560), np.uint8)
    wide[:, ::2] = placed((TEXT, 400, 100, 6))
    assert Scanner().scan(frame(wide[:, ::2])).sighting is not None


def test_a_decoder_that_raises_costs_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner, good = Scanner(), placed((TEXT, 400, 100, 6))

    def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("decoder fell over")

    with monkeypatch.context() as patch:
        patch.setattr(decoders_module.zxingcpp, "read_barcodes", broken)
        assert scanner.scan(frame(good)).sighting is None
    assert scanner.scan(frame(good)).sighting is not None


def test_an_orientation_that_pyzbar_does_not_know_is_nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_args: object, **_options: object) -> None:
        raise ValueError("4294967295 is not a valid ZBarOrientation")

    monkeypatch.setattr(decoders_module.pyzbar, "decode", odd)
    assert zbar(placed((TEXT, 400, 100, 6))).symbols == ()


def test_the_larger_and_more_central_of_two_codes_is_taken() -> None:
    scan = Scanner().scan(frame(placed((TEXT, 480, 200, 6), ("CC1:OTHER", 20, 20, 3))))
    assert scan.sighting is not None
    assert scan.sighting.text == TEXT


def test_of_two_codes_side_by_side_none_is_taken() -> None:
    scan = Scanner().scan(frame(placed((TEXT, 200, 200, 6), (TEXT[:-1] + "9", 720, 200, 6))))
    assert scan.sighting is None
    assert scan.codes == 2


def test_the_same_text_twice_in_view_is_one_code() -> None:
    scan = Scanner().scan(frame(placed((TEXT, 200, 200, 6), (TEXT, 720, 200, 6))))
    assert scan.sighting is not None
    assert scan.codes == 1


def test_half_a_small_code_that_an_unlucky_repair_completes_is_not_believed() -> None:
    image = graded("finger", 1.03125, np.random.default_rng(233), "Y")
    image[:, 632:] = 0
    assert Scanner(budget=1.0, eager=True).scan(frame(image)).sighting is None
    assert read_picture(frame(image)) == []


def test_a_small_code_that_two_repairs_read_alike_is_believed() -> None:
    image = cv2.GaussianBlur(placed(("HTTPS://A.EXAMPLE", 500, 200, 4)), (0, 0), 2.2)
    assert zxing(image).symbols == ()
    scan = Scanner(budget=1.0, eager=True).scan(frame(image))
    assert scan.sighting is not None
    assert scan.sighting.text == "HTTPS://A.EXAMPLE"


def test_foremost_of_nothing_is_nothing() -> None:
    assert foremost([], 640, 480) == (None, 0)


def test_foremost_prefers_the_middle_among_equals() -> None:
    def symbol(text: str, x: float) -> Symbol:
        return Symbol(text, ((x, 200.0), (x + 100, 200.0), (x + 100, 300.0), (x, 300.0)))

    chosen, codes = foremost([symbol("edge", 0.0), symbol("middle", 270.0)], 640, 480)
    assert (chosen and chosen.text, codes) == ("middle", 2)


def test_a_busy_pattern_that_is_no_code_is_soon_climbed_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    picture = np.full((720, 1280), 128, np.uint8)
    picture[200:500, 400:700] = cv2.resize(
        rng.integers(0, 2, (60, 60), np.uint8) * 255, (300, 300), interpolation=0
    )
    climbed: list[int] = []
    scanner = Scanner(budget=1.0)
    real = scanner._ladder.climb

    def counting(*args: object, rungs: int, **options: object) -> list[Symbol]:
        climbed.append(rungs)
        return real(*args, rungs=rungs, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scanner._ladder, "climb", counting)
    for number in range(40):
        assert scanner.scan(frame(picture, number)).sighting is None
    assert climbed[0] < climbed[1] < len(RUNGS)
    assert climbed[2] == len(RUNGS)
    assert sum(rungs == len(RUNGS) for rungs in climbed[10:]) <= 8


def test_a_climb_that_runs_out_of_time_goes_on_in_the_next_frame() -> None:
    rng = np.random.default_rng(2)
    region = cv2.resize(rng.integers(0, 2, (60, 60), np.uint8) * 255, (300, 300), interpolation=0)
    scanner = Scanner(budget=0.0)
    picture = np.full((720, 1280), 128, np.uint8)
    picture[200:500, 400:700] = region
    scanner.scan(frame(picture))
    assert scanner._ladder._resume == 0  # not even begun
    scanner._budget = 0.004
    for number in range(12):
        scanner.scan(frame(picture, number))
    assert 0 <= scanner._ladder._resume < len(RUNGS)


class Steps:
    """Rungs that read nothing and take as long as they say, by a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *rungs: tuple[str, float, float]) -> None:
        """rungs: name, seconds, cost."""
        self.now, self.climbed = 0.0, list[str]()
        made = tuple(Rung(name, partial(self._climb, name, seconds), cost) for name, seconds, cost in rungs)

        def clock() -> float:
            return self.now

        monkeypatch.setattr(ladder_module, "RUNGS", made)
        monkeypatch.setattr(ladder_module, "time", SimpleNamespace(perf_counter=clock, thread_time=clock))

    def _climb(self, name: str, seconds: float, _region: np.ndarray) -> Iterator[tuple[Symbol, ...]]:
        self.climbed.append(name)
        self.now += seconds
        yield ()

    def taken(self, ladder: Ladder, *, looked: float = 0.0) -> tuple[float, list[str]]:
        """Seconds, with a quick look that took `looked`, and rungs of one climb in a budget of 33 ms."""
        begun, self.climbed = self.now, []
        self.now += looked
        image = np.zeros((50, 50), np.uint8)
        found = ladder.climb(image, whole(image), seconds=0.033, rungs=9, begun=begun, looked=looked)
        assert found == []
        return self.now - begun, self.climbed


def test_what_takes_longer_than_two_frames_is_left_out_and_the_rest_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = Steps(monkeypatch, ("local", 0.004, 1), ("endless", 0.1, 30), ("last", 0.004, 1))
    ladder = Ladder()
    for _ in range(3):
        seconds, climbed = steps.taken(ladder)
        assert seconds < 0.066
        assert climbed == ["local", "last"]


def test_what_would_make_two_frames_late_is_put_off_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(
        monkeypatch, ("local", 0.004, 1), ("long", 0.028, 7), ("longer", 0.05, 13), ("last", 0.0, 1)
    )
    ladder = Ladder()
    assert steps.taken(ladder) == (pytest.approx(0.032), ["local", "long", "last"])
    assert steps.taken(ladder) == (pytest.approx(0.054), ["local", "longer"])


def test_a_rung_that_turns_out_to_take_too_long_does_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, ("local", 0.004, 1), ("surprise", 0.2, 1))
    ladder = Ladder()
    assert steps.taken(ladder)[1] == ["local", "surprise"]
    assert [steps.taken(ladder)[1] for _ in range(3)] == [["local"]] * 3


def test_a_rung_not_measured_yet_is_believed_to_be_as_slow_as_it_ever_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = Steps(monkeypatch, ("local", 0.002, 5), ("zbar", 0.016, 55), ("last", 0.002, 1.5))
    ladder = Ladder()
    assert [steps.taken(ladder)[1] for _ in range(2)] == [["local", "last"]] * 2


def test_a_slow_quick_look_counts_and_a_hopeless_one_leaves_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, ("local", 0.008, 2), ("long", 0.026, 3), ("last", 0.001, 1.5))
    assert steps.taken(Ladder(), looked=0.001) == (pytest.approx(0.035), ["local", "long"])
    assert steps.taken(Ladder(), looked=0.017) == (pytest.approx(0.051), ["local", "long"])
    assert steps.taken(Ladder(), looked=0.020) == (pytest.approx(0.054), ["local", "long"])
    assert steps.taken(Ladder(), looked=0.025) == (pytest.approx(0.025), [])


def test_what_a_rung_took_counts_for_that_view_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, ("local", 0.004, 1), ("surprise", 0.2, 1))
    ladder = Ladder()
    assert [steps.taken(ladder)[1] for _ in range(2)] == [["local", "surprise"], ["local"]]
    ladder.forget()
    assert steps.taken(ladder)[1] == ["local", "surprise"]


@pytest.mark.parametrize("seed", range(20))
def test_no_climb_in_a_new_view_makes_two_frames_late(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Rungs that never take more than their cost says, in views that make all of them slow or fast."""
    rng = np.random.default_rng([11, seed])
    looked = rng.uniform(0.0005, 0.04)
    first = looked * rng.uniform(0.2, 5)
    names = [(rung.name, first * rung.cost * rng.uniform(0.1, 1), rung.cost) for rung in RUNGS[1:]]
    steps = Steps(monkeypatch, ("local", first, RUNGS[0].cost), *names)
    ladder = Ladder()
    for _ in range(12):
        assert steps.taken(ladder, looked=looked)[0] <= 0.066 + 1e-9


def test_something_like_a_code_is_found_where_it_is() -> None:
    region = likely(placed((TEXT, 700, 300, 6)))
    side = qr(TEXT, 6).shape[0]
    assert region is not None
    assert region.left <= 730
    assert region.top <= 330
    assert region.left + region.width >= 700 + side - 30
    assert region.width < 2 * side


def test_an_even_wall_is_like_no_code() -> None:
    assert likely(np.full((720, 1280), 90, np.uint8)) is None


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2, 2.4])
def test_the_direction_of_a_smear_is_found(angle: float) -> None:
    smeared = cv2.filter2D(placed((TEXT, 400, 100, 6)), -1, motion(15, angle))
    off = abs(smeared_along(smeared) - angle) % np.pi
    assert min(off, np.pi - off) < 0.3


@pytest.mark.parametrize("kernel", [motion(7, 0.0), motion(16, 1.0), gaussian(2.0)])
def test_a_blur_kernel_keeps_the_light(kernel: np.ndarray) -> None:
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert (kernel >= 0).all()


def test_all_texts_in_a_picture_are_listed_once() -> None:
    texts = read_picture(frame(placed((TEXT, 100, 100, 5), ("CC1:SECOND", 700, 100, 8), (TEXT, 100, 420, 4))))
    assert sorted(texts) == sorted([TEXT, "CC1:SECOND"])


def test_a_picture_of_nothing_has_no_texts() -> None:
    assert read_picture(frame(np.zeros((50, 50, 3), np.uint8))) == []
    assert read_picture(frame(np.zeros((2, 2, 3), np.uint8))) == []
