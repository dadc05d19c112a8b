"""Wiener deconvolution for a hand that moved and a lens out of focus.

The blur is not known, so a few are tried: a Gaussian, and straight motion along the direction in which the
picture has the least detail, which is the direction in which it was smeared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from terminal.scanner.sighting import Grey

Kernel = npt.NDArray[np.float32]
_NOISE = 0.01  # noise-to-signal power; higher rings less and sharpens less
_LENGTHS = (7, 11, 16)  # px of motion
_DIRECTIONS = 12


def deblurred(image: Grey) -> Iterator[Grey]:
    """`image` undone by each likely blur, the most likely first. One costs about two milliseconds."""
    height, width = image.shape
    # To sides that are quick to transform: those with a large prime factor cost two to three times as much.
    sides = (cv2.getOptimalDFTSize(height), cv2.getOptimalDFTSize(width))
    padded = cv2.copyMakeBorder(image, 0, sides[0] - height, 0, sides[1] - width, cv2.BORDER_REPLICATE)
    spectrum = np.fft.rfft2(padded.astype(np.float32))
    angle = smeared_along(image)
    kernels = [motion(length, angle) for length in _LENGTHS] + [gaussian(2.0)]
    for kernel in kernels:
        response = np.fft.rfft2(_centred(kernel, sides))
        restored = np.fft.irfft2(spectrum * np.conj(response) / (np.abs(response) ** 2 + _NOISE), s=sides)
        yield np.clip(restored[:height, :width], 0, 255).astype(np.uint8)


def smeared_along(image: Grey) -> float:
    """The direction (radians, 0 is across) along which `image` varies least."""
    gx = cv2.Sobel(image, cv2.CV_32F, 1, 0)
    gy = cv2.Sobel(image, cv2.CV_32F, 0, 1)
    angles = [math.pi * k / _DIRECTIONS for k in range(_DIRECTIONS)]
    return min(angles, key=lambda a: float(np.abs(math.cos(a) * gx + math.sin(a) * gy).mean()))


def motion(length: int, angle: float) -> Kernel:
    """A straight smear of `length` px along `angle` radians; its sum is 1."""
    side = length + 2 | 1
    kernel = np.zeros((side, side), np.float32)
    middle, reach = side / 2, length / 2
    ends = [
        (
            round(16 * (middle + s * reach * math.cos(angle)) - 8),
            round(16 * (middle + s * reach * math.sin(angle)) - 8),
        )
        for s in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, shift=4)
    return np.asarray(kernel / kernel.sum(), np.float32)


def gaussian(sigma: float) -> Kernel:
    """A round blur of `sigma` px; its sum is 1."""
    line = cv2.getGaussianKernel(2 * math.ceil(3 * sigma) + 1, sigma)
    return (line @ line.T).astype(np.float32)


def _centred(kernel: Kernel, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """`kernel` in a picture of `shape`, its middle at the origin, so that the result is not shifted."""
    canvas = np.zeros(shape, np.float32)
    canvas[: kernel.shape[0], : kernel.shape[1]] = kernel
    return np.roll(canvas, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))
