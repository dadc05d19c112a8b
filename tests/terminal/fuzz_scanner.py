"""`make fuzz-scan`: frames and payloads made up by hypothesis, until the time is over.

Checks what must always hold: `scan` and `read_picture` never raise, and never give a text that is not there.
"""

from __future__ import annotations

import time

import click
import cv2
import numpy as np
import numpy.typing as npt
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.frame import Frame
from terminal.scanner import Scanner, read_picture
from tests.bench.peers import zxing
from tests.sim.footage import KINDS, graded

_ALPHANUMERIC = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", min_size=1, max_size=250)
_PAYLOADS = st.one_of(_ALPHANUMERIC, st.text(min_size=1, max_size=120))
_SHAPES = st.one_of(
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
    st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 5)),
)
_TYPES = st.sampled_from([np.uint8, np.uint8, np.uint8, np.uint16, np.int8, np.float32, np.bool_])


@given(shape=_SHAPES, dtype=_TYPES, seed=st.integers(0, 2**32 - 1), block=st.integers(1, 12))
def arrays(shape: tuple[int, ...], dtype: type, seed: int, block: int) -> None:
    """Arrays of any shape and type, from fine noise to coarse blocks, hold no text."""
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, 2, shape) * 255).astype(dtype)
    if image.ndim == 2 and image.size and dtype is np.uint8:
        image = np.kron(image, np.ones((block, block), np.uint8))[:400, :400]
    _expect(image, allowed=set())


@given(text=_PAYLOADS, seed=st.integers(0, 2**32 - 1), damage=st.integers(0, 400), scale=st.integers(2, 8))
def damaged_codes(text: str, seed: int, damage: int, scale: int) -> None:
    """A code with `damage` random modules turned over is read as it was made or not at all.

    Unless so many are turned over that the symbol has become a valid one of another text: the smallest
    symbols correct five bytes (ISO/IEC 18004, table 9), and any decoder then reads the other text. Campus
    codes are far larger and signed.
    """
    rng = np.random.default_rng(seed)
    # Beyond ASCII only with its encoding named (ECI): otherwise a reader has to guess it.
    plain = {} if text.isascii() else {"encoding": "utf-8", "eci": True}
    code = segno.make(text, error="m", micro=False, **plain)
    modules = np.array([list(row) for row in code.matrix], np.uint8)
    for _ in range(damage):
        modules[rng.integers(len(modules)), rng.integers(len(modules))] ^= 1
    image = np.kron(255 * (1 - np.pad(modules, 4)), np.ones((scale, scale), np.uint8)).astype(np.uint8)
    _expect(image, allowed={text, *zxing(image)})


@given(
    text=_ALPHANUMERIC,
    kind=st.sampled_from(KINDS),
    grade=st.floats(0, 1.5),
    seed=st.integers(0, 2**32 - 1),
    cut=st.tuples(st.integers(0, 719), st.integers(0, 1279)),
)
def rendered_frames(text: str, kind: str, grade: float, seed: int, cut: tuple[int, int]) -> None:
    """A phone under any difficulty, with a part of the frame lost, shows its own text or none."""
    image = graded(kind, grade, np.random.default_rng(seed), text)
    image[cut[0] :, cut[1] :] = 0
    _expect(image, allowed={text})


_scanner = Scanner()


def _expect(image: npt.NDArray[np.generic], allowed: set[str]) -> None:
    frame = Frame(image, time.monotonic(), 0)  # type: ignore[arg-type]
    found = set(read_picture(frame))
    for scanner in (_scanner, Scanner(budget=0.3, eager=True)):
        sighting = scanner.scan(frame).sighting
        found |= {sighting.text} if sighting else set()
    assert found <= allowed, f"read {found - allowed}, shown {allowed}"


@click.command()
@click.option("--seconds", default=600.0, show_default=True, help="How long.")
def main(seconds: float) -> None:
    """Fuzz the scanner; the first failure ends it with hypothesis' smallest example."""
    cv2.setNumThreads(1)
    profile = settings(
        max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    targets = [profile(target) for target in (arrays, damaged_codes, rendered_frames)]
    deadline, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        for target in targets:
            target()
        rounds += 1
        click.echo(
            f"round {rounds}: {300 * rounds} examples, {max(0, deadline - time.monotonic()):.0f} s left"
        )


if __name__ == "__main__":
    main()
