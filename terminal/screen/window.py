"""The window on the gate's monitor, or a picture in memory where there is none: shows one View at a time.

It belongs to the main thread, since SDL does: opening, show() and close() elsewhere raise RuntimeError;
only png() may be called from any thread. It never draws a line itself, never touches sound or joysticks,
and never stops the gate: where no monitor opens, it goes on offscreen and says why in `fallback`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import pygame

from terminal.screen.draw import draw
from terminal.screen.fonts import Fonts, find
from terminal.screen.testcard import draw_testcard
from terminal.screen.view import Mode, Picture, View

_DRIVER = "SDL_VIDEODRIVER"
_UNSEEN = frozenset({"dummy", "offscreen"})
DEVICES = Path("/dev/dri")
_NAMED_KEYS = {pygame.K_F2: "*", pygame.K_KP_ENTER: "\r"}  # F2: most keyboards hide the asterisk


def display_claimed() -> bool:
    """Whether this machine says it has a display: X11, Wayland, or a graphics card on its console."""
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(named) or any(DEVICES.glob("card*"))


class Window:
    """The screen of one terminal. Main thread only, except png()."""

    closed: bool
    """True after somebody closed the window, and after close(). No key does: anybody may press one."""
    driver: str
    """SDL's video driver in use, e.g. "x11", "kmsdrm", "dummy"."""
    fallback: str | None
    """Why a display that should be there is not used; None if all is as it should be."""
    size: tuple[int, int]
    """Width and height in pixels, as opened."""

    def __init__(
        self, size: tuple[int, int] = (800, 480), *, fullscreen: bool = False, fonts: Fonts | None = None
    ) -> None:
        """Open the window; `size` in pixels, which a full screen replaces by its own.

        SDL_VIDEODRIVER is obeyed if set. Without a display, or if it does not open, the window is
        offscreen. Raises RuntimeError outside of the main thread.
        """
        _main_thread_only()
        # SDL would otherwise turn SIGTERM into an event, and a busy terminal would outlive its service stop.
        os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
        self.closed = False
        self.fallback = None
        wanted = os.environ.get(_DRIVER)
        if wanted or display_claimed():
            try:
                self._surface = _opened(size, fullscreen)
                if not wanted and pygame.display.get_driver() in _UNSEEN:
                    self.fallback = "no display opened, the screen is kept in memory"
            except pygame.error as error:
                pygame.display.quit()
                self.fallback = f"the display does not open ({error}), the screen is kept in memory"
        if self.fallback or not (wanted or display_claimed()):
            with _offscreen():
                self._surface = _opened(size, False)
        self.driver = pygame.display.get_driver()
        self.size = self._surface.get_size()
        self.fonts = fonts or Fonts(find())
        self._keys = ""
        self._shown: View | None = None
        self._card = ""  # the device whose test card is shown
        self._preview: Picture | None = None
        self._lock = threading.Lock()
        self._picture = self._pixels()

    @property
    def offscreen(self) -> bool:
        """Whether nobody can see the window, only ask for its png()."""
        return self.driver in _UNSEEN

    def show(self, view: View) -> bool:
        """Show a view and handle the window's events; call it some times a second even if nothing changed.

        Returns whether anything was redrawn: only for other words, or in IDLE another camera picture.
        Does nothing once the window is closed. Raises RuntimeError outside of the main thread.
        """
        _main_thread_only()
        if self.closed:
            return False
        self._pump()
        if self.closed or (view == self._shown and self._same(view.preview)):
            return False
        draw(self._surface, view, self.fonts)
        pygame.display.flip()
        self._shown, self._card = view, ""
        # A copy: a camera may write its next picture into the same array.
        preview = view.preview if view.mode is Mode.IDLE else None
        self._preview = None if preview is None else preview.copy()
        self._keep()
        return True

    def show_testcard(self, device: str) -> bool:
        """Show the test card of `device`, as `show` shows a view; whether it is on the screen.

        Raises RuntimeError outside of the main thread.
        """
        _main_thread_only()
        if not self.closed:
            self._pump()
        if self.closed:
            return False
        if self._card != device:
            draw_testcard(self._surface, device, self.fonts)
            pygame.display.flip()
            self._shown, self._card = None, device
            self._keep()
        return True

    def keys(self) -> str:
        """The keys pressed since the last call, as hw.keypad has them. Main thread only."""
        keys, self._keys = self._keys, ""
        return keys

    def png(self) -> bytes:
        """The last picture as a PNG file; black before the first show(). Safe from any thread."""
        with self._lock:
            picture = self._picture  # never written to again, so the lock need not cover the encoding
        done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not done:
            raise RuntimeError("OpenCV could not encode the screen as PNG")
        return data.tobytes()

    def close(self) -> None:
        """Close the window, again without effect; png() still gives the last picture.

        Raises RuntimeError outside of the main thread.
        """
        _main_thread_only()
        self.closed = True
        pygame.display.quit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pump(self) -> None:
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.closed = True
            elif event.type == pygame.KEYDOWN:
                self._keys += _NAMED_KEYS.get(event.key, event.unicode)
            elif event.type == pygame.WINDOWEXPOSED:  # another window lay over this one
                pygame.display.flip()

    def _same(self, preview: Picture | None) -> bool:
        if self._shown is None or self._shown.mode is not Mode.IDLE:
            return True
        if preview is None or self._preview is None:
            return preview is self._preview
        return np.array_equal(preview, self._preview)

    def _keep(self) -> None:
        picture = self._pixels()
        with self._lock:
            self._picture = picture

    def _pixels(self) -> Picture:
        width, height = self._surface.get_size()
        data = pygame.image.tobytes(self._surface, "RGB")
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _opened(size: tuple[int, int], fullscreen: bool) -> pygame.Surface:
    pygame.display.init()
    pygame.display.set_caption("campusgate")
    # A console has no windows: any other size than the monitor's would leave a part of it black.
    driver = pygame.display.get_driver()
    if driver == "KMSDRM" or (fullscreen and driver not in _UNSEEN):
        surface = pygame.display.set_mode((0, 0), pygame.FULLSCREEN)
        pygame.mouse.set_visible(False)
        return surface
    return pygame.display.set_mode(size)


@contextmanager
def _offscreen() -> Iterator[None]:
    """Have SDL open its dummy driver; the environment is as before afterwards, programs inherit it."""
    before = os.environ.get(_DRIVER)
    pygame.display.quit()
    os.environ[_DRIVER] = "dummy"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_DRIVER]
        else:
            os.environ[_DRIVER] = before


def _main_thread_only() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the screen belongs to the main thread; only png() may be called elsewhere")
