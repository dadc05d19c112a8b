"""The screen: every text inside its place and readable at every size, real glyphs only, and a window
that redraws when it must and survives without a monitor. Needs no display; it never opens a real window."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pygame
import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.device_code import device_code
from terminal.screen import draw as drawing
from terminal.screen import fonts as typefaces
from terminal.screen import window as windows
from terminal.screen.draw import PALETTES, draw, layout, symbol
from terminal.screen.figures import qr
from terminal.screen.fonts import FontFile, Fonts, MissingFont, covers, find
from terminal.screen.view import Mode, View
from terminal.screen.window import Window

SIZES = [(480, 320), (800, 480), (1024, 600), (1920, 1080), (480, 800), (600, 1024)]
PLACE = {"place_zh": "北门 1 号通道", "place_en": "North gate, lane 1", "clock": "14:03"}
LONG_PLACE = {
    "place_zh": "图书馆与第二教学楼之间南侧出入口",
    "place_en": "South entrance between the library and teaching building 2",
    "clock": "--:--",
}
WAITING = "12 records waiting / 12 条待上传"
ABSENT = "camera absent / 摄像头未连接"
UNTRUSTED = "clock not trusted / 时钟不可信"
DEVICE_CODE = device_code(
    "https://central.school.example/c#",
    device="north-gate-1",
    place="north-gate",
    issued_at=1_793_700_000,
    key=Ed25519PrivateKey.from_private_bytes(bytes(32)),
)
IDLE = View(Mode.IDLE, "请出示校园码", "Show your campus code", **PLACE)
VIEWS = {
    "idle": IDLE,
    "idle, advice": replace(
        IDLE,
        advice_zh="将二维码对准摄像头",
        advice_en="Hold the QR code up to the camera",
        notices=(ABSENT, WAITING),
    ),
    "idle, device code": replace(IDLE, device_code=DEVICE_CODE),
    "idle, device code, all words": replace(
        IDLE,
        **LONG_PLACE,
        advice_zh="将二维码对准摄像头",
        advice_en="Hold the QR code up to the camera",
        notices=(ABSENT, WAITING),
        device_code=DEVICE_CODE,
    ),
    "allow": View(Mode.ALLOW, "请通行", "Please pass", name="张*", celsius="36.5", **PLACE),
    "expired": View(
        Mode.DENY,
        "校园码已过期",
        "Campus code expired",
        "请刷新校园码后重试",
        "Refresh your code and try again",
    ),
    "long": View(
        Mode.DENY,
        "此校园码已被撤销，不能通行",
        "This campus code has been revoked",
        "如有疑问，请携带校园卡和身份证件到保卫处值班室人工核验",
        "If in doubt, bring your campus card and an identity document to the security office",
        name="阿卜杜拉******",
        celsius="36.5",
        **LONG_PLACE,
        notices=(WAITING, UNTRUSTED, "storage almost full / 存储空间不足"),
    ),
    "refer": View(
        Mode.REFER,
        "请到人工通道",
        "Please see the staff",
        "体温偏高，请由工作人员复测",
        "High temperature: staff will measure again",
        name="欧阳**",
        celsius="37.8",
        **PLACE,
        notices=(WAITING,),
    ),
    "fault": View(
        Mode.FAULT,
        "设备故障",
        "Out of service",
        "请走其他通道",
        "Please use another lane",
        notices=("storage cannot be written / 存储无法写入", UNTRUSTED),
    ),
    "no headline": View(Mode.ALLOW, "", "", name="Li*", celsius="36.5"),
    "nothing": View(Mode.DENY, "", "", clock=""),
    "headline only": View(Mode.FAULT, "暂停使用", ""),
}


@pytest.fixture(scope="module")
def file() -> FontFile:
    found = find()
    if found is None:
        pytest.fail(f"{MissingFont().reason}: {MissingFont().advice}")
    return found


@pytest.fixture(scope="module")
def fonts(file: FontFile) -> Fonts:
    return Fonts(file)


@pytest.fixture(scope="module")
def latin() -> Fonts:
    return Fonts(None)


@pytest.fixture
def headless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(windows, "DEVICES", tmp_path / "no cards here")
    yield
    pygame.display.quit()


def is_han(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def pixels(surface: pygame.Surface) -> np.ndarray:
    return pygame.surfarray.array3d(surface)


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [c / 255 for c in colour]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("chinese", [True, False], ids=["zh+en", "en"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_everything_has_its_own_place_and_is_drawn_there(
    name: str, size: tuple[int, int], chinese: bool, fonts: Fonts, latin: Fonts
) -> None:
    used = fonts if chinese else latin
    view = VIEWS[name]
    plan = layout(size, view, used)
    screen = pygame.Rect(0, 0, *size)
    for block in plan.blocks:
        outer = block.panel or block.rect
        assert not block.text.cut, f"{block.role} ends in an ellipsis: {block.text.lines}"
        assert block.area.contains(outer), f"{block.role} leaves its area"
        assert outer.contains(block.rect), f"{block.role} leaves its pill"
        assert screen.contains(outer)
        drawn = [used.render(line, block.text.px, block.text.bold, block.colour) for line in block.text.lines]
        assert max(line.get_width() for line in drawn) == block.rect.width, "measured is not what is drawn"
        assert max(line.get_height() for line in drawn) * len(drawn) <= block.rect.height
    corner = [("device code", plan.code)] if plan.code else []
    things = [("figure", plan.figure), *corner, *((b.role, b.panel or b.rect) for b in plan.blocks)]
    for (first, one), (second, other) in itertools.combinations(things, 2):
        assert not one.colliderect(other), f"{first} and {second} overlap"

    surface = pygame.Surface(size)
    draw(surface, view, used)
    picture, palette = pixels(surface), PALETTES[view.mode]
    background = np.empty_like(picture)
    background[:] = palette.ground
    background[:, plan.band.top :] = palette.band
    inked = (picture != background).any(axis=2)
    for _, thing in things:
        part = np.s_[thing.left : thing.right, thing.top : thing.bottom]
        assert inked[part].any(), "nothing is drawn where something should be"
        inked[part] = False
    assert not inked.any(), "something is drawn outside of every place"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_answer_is_the_biggest_text_and_the_symbol_bigger(size: tuple[int, int], fonts: Fonts) -> None:
    for view in (VIEWS["allow"], VIEWS["expired"], VIEWS["refer"], VIEWS["fault"]):
        plan = layout(size, view, fonts)
        by_role = {block.role: block.text.px for block in plan.blocks}
        answer = by_role.pop("headline_zh")
        assert answer >= 1.4 * max(by_role.values())
        assert answer >= min(size) / 10
        assert plan.figure.width >= min(size) * 0.3


def test_text_stands_out_from_what_is_behind_it(fonts: Fonts) -> None:
    for view in VIEWS.values():
        for block in layout((800, 480), view, fonts).blocks:
            ratio = contrast(block.colour, block.behind)
            assert ratio >= 4.5, f"{view.mode} {block.role}: {ratio:.1f}"
    for mode, palette in PALETTES.items():
        assert contrast(palette.ink, palette.ground) >= 4.5, f"the symbol of {mode}"


def test_modes_differ_without_colour() -> None:
    answers = [mode for mode in Mode if mode is not Mode.IDLE]
    marks = {}
    for mode in answers:
        sign = symbol(mode, 120)
        seen = pygame.surfarray.array_alpha(sign) > 127
        ink = np.array(PALETTES[mode].ink)
        plate = (np.abs(pixels(sign).astype(int) - ink) < 40).all(axis=2)
        marks[mode] = seen & plate
    for one, other in itertools.combinations(answers, 2):
        differing = np.mean(marks[one] ^ marks[other])
        assert differing > 0.08, f"{one} and {other} look alike in grey"


def test_every_sentence_has_its_glyphs(file: FontFile, fonts: Fonts) -> None:
    font = pygame.font.Font(file.path, 32)
    for view in VIEWS.values():
        texts = [view.headline_zh, view.headline_en, view.advice_zh, view.advice_en, view.name]
        for text in [*texts, view.place_zh, view.place_en, f"{view.celsius}°C", *view.notices]:
            assert covers(font, text), text
            assert fonts.readable(text) == text


def test_a_glyph_that_is_missing_is_seen_to_be_missing(file: FontFile, fonts: Fonts) -> None:
    font, latin = pygame.font.Font(file.path, 32), pygame.font.Font(None, 32)
    assert covers(latin, "Please pass, 36.5 °C")
    assert not covers(latin, "请")
    assert not covers(latin, "Please 请")
    assert not covers(font, "\U0001f600")
    assert not covers(font, "\ud83d")
    assert fonts.readable("\U0001f600*") == "", "a name that cannot be shown is left out"
    assert fonts.readable("  two\n lines\u3000\u202e ") == "two lines"


def test_without_a_chinese_font_no_chinese_glyph_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = Fonts(None)
    tried: list[str] = []
    render = fonts.render

    def spy(text: str, *rest: object) -> pygame.Surface:
        tried.append(text)
        return render(text, *rest)

    monkeypatch.setattr(fonts, "render", spy)
    for view in VIEWS.values():
        draw(pygame.Surface((800, 480)), view, fonts)
        shown = " ".join(tried)
        assert not any(is_han(character) for character in shown)
        assert all(word in shown for word in view.headline_en.split())
        assert "sudo apt install fonts-wqy-microhei" in shown
        tried.clear()
    assert fonts.missing == MissingFont()


def test_a_broken_font_file_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wqy-microhei.ttc").write_bytes(b"not a font")
    monkeypatch.setattr(typefaces, "DIRECTORIES", (tmp_path,))
    monkeypatch.setenv("PATH", str(tmp_path))  # no fontconfig either
    assert find() is None


def test_fontconfig_is_asked_but_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: FontFile
) -> None:
    latin = Path(pygame.font.__file__).with_name(pygame.font.get_default_font())
    program = tmp_path / "fc-list"
    program.write_text(f"#!/bin/sh\necho {latin}\necho {file.path}\n")
    program.chmod(0o755)
    monkeypatch.setattr(typefaces, "DIRECTORIES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() == file
    program.write_text(f"#!/bin/sh\necho {latin}\n")
    assert find() is None


@pytest.mark.parametrize("name", ["idle, device code", "idle, device code, all words"])
@pytest.mark.parametrize("size", SIZES[1:], ids=str)
def test_a_phone_reads_the_device_code_from_the_screen(
    size: tuple[int, int], name: str, fonts: Fonts
) -> None:
    surface = pygame.Surface(size)
    draw(surface, VIEWS[name], fonts)
    plan = layout(size, VIEWS[name], fonts)
    assert plan.code is not None
    assert plan.code.right >= size[0] * 0.9, "it stands in the corner at the right"
    assert plan.code.width <= min(size) // 2, "it is small beside what the gate asks for"
    headline = next(block for block in plan.blocks if block.role == "headline_zh")
    assert headline.text.px >= min(size) / 16
    read = zxingcpp.read_barcodes(np.ascontiguousarray(pixels(surface).swapaxes(0, 1)))
    assert [code.text for code in read] == [DEVICE_CODE]


def test_a_screen_too_small_for_the_device_code_does_without(fonts: Fonts) -> None:
    assert layout((320, 240), VIEWS["idle, device code"], fonts).code is None
    assert qr(DEVICE_CODE, 100) is None
    longest = qr(DEVICE_CODE, 10_000)
    assert longest is not None


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.IDLE])
def test_an_answer_shows_no_device_code(mode: Mode, fonts: Fonts) -> None:
    assert layout((800, 480), replace(VIEWS["idle, device code"], mode=mode), fonts).code is None


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "BGR"])
def test_the_preview_is_a_mirror_in_true_colours(colour: bool, fonts: Fonts) -> None:
    preview = np.zeros((120, 160, 3), np.uint8)
    preview[:, :80] = (0, 0, 250)  # BGR: red on the camera's left
    if not colour:
        preview = preview[:, :, 2]
    surface = pygame.Surface((800, 480))
    draw(surface, replace(IDLE, preview=preview), fonts)
    frame = layout((800, 480), IDLE, fonts).figure
    expected = (250, 0, 0) if colour else (250, 250, 250)
    assert surface.get_at((frame.centerx + 40, frame.centery))[:3] == expected
    assert surface.get_at((frame.centerx - 40, frame.centery))[:3] == (0, 0, 0)


def test_a_preview_of_another_shape_is_cropped_not_stretched(fonts: Fonts) -> None:
    wide = np.zeros((90, 320), np.uint8)
    cv2.circle(wide, (160, 45), 20, 255, -1)
    surface = pygame.Surface((800, 480))
    draw(surface, replace(IDLE, preview=wide), fonts)
    frame = layout((800, 480), IDLE, fonts).figure
    disc = pixels(surface)[frame.left : frame.right, frame.top : frame.bottom].min(axis=2) > 128
    across, down = disc.any(axis=1).sum(), disc.any(axis=0).sum()
    assert abs(int(across) - int(down)) <= 4


def test_the_view_needs_no_pygame() -> None:
    check = "import sys, terminal.screen.view; sys.exit('pygame' in sys.modules)"
    root = Path(drawing.__file__).parents[2]
    subprocess.run([sys.executable, "-c", check], cwd=root, check=True)


def test_the_preview_is_no_part_of_equality() -> None:
    one, other = (replace(IDLE, preview=np.full((4, 4), grey, np.uint8)) for grey in (0, 9))
    assert one == other
    assert hash(one) == hash(other)
    assert one != replace(one, clock="14:04")


@pytest.mark.usefixtures("headless")
def test_the_png_is_the_screen(fonts: Fonts) -> None:
    with Window((640, 400), fonts=fonts) as window:
        assert window.offscreen
        assert window.fallback is None
        assert cv2.imdecode(np.frombuffer(window.png(), np.uint8), cv2.IMREAD_COLOR).max() == 0
        window.show(VIEWS["expired"])
        picture = cv2.imdecode(np.frombuffer(window.png(), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (400, 640, 3)
        assert tuple(picture[2, 2][::-1]) == PALETTES[Mode.DENY].ground
    assert window.png(), "the last picture outlives the window"


@pytest.mark.usefixtures("headless")
def test_only_what_changed_is_redrawn(fonts: Fonts) -> None:
    camera = np.full((60, 80), 40, np.uint8)
    idle = replace(IDLE, preview=camera)
    with Window(fonts=fonts) as window:
        assert window.show(idle)
        before = window.png()
        assert not window.show(replace(idle))
        assert not window.show(replace(idle, preview=camera.copy())), "the same picture again"
        camera[:] = 90  # a camera that writes into its old array
        assert window.show(idle)
        assert window.png() != before
        assert window.show(replace(idle, preview=None))
        assert window.show(replace(idle, clock="14:04", preview=None))
        allow = replace(VIEWS["allow"], preview=camera)
        assert window.show(allow)
        assert not window.show(replace(allow, preview=camera + 1)), "an answer shows no camera picture"


@pytest.mark.usefixtures("headless")
@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "card"])
def test_a_display_that_does_not_open_is_told_and_survived(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fonts: Fonts
) -> None:
    if name == "card":
        monkeypatch.setattr(windows, "DEVICES", tmp_path)
        (tmp_path / "card0").touch()
    else:
        monkeypatch.setenv(name, ":987" if name == "DISPLAY" else "wayland-987")
    if name == "card" and any(Path("/dev/dri").glob("card*")):
        pytest.skip("this machine has a graphics card, its console might really open")
    with Window((480, 320), fonts=fonts) as window:
        assert window.offscreen
        assert window.fallback is not None
        assert "memory" in window.fallback
        assert window.size == (480, 320)
        assert window.show(VIEWS["allow"])
    assert "SDL_VIDEODRIVER" not in os.environ, "programs started from here must not inherit the fallback"


@pytest.mark.usefixtures("headless")
def test_the_users_video_driver_is_obeyed(monkeypatch: pytest.MonkeyPatch, fonts: Fonts) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with Window((480, 320), fullscreen=True, fonts=fonts) as window:
        assert (window.driver, window.fallback, window.size) == ("dummy", None, (480, 320))
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with Window(fonts=fonts) as window:
        assert window.offscreen
        assert "no-such-driver" in (window.fallback or "")
    assert os.environ["SDL_VIDEODRIVER"] == "no-such-driver"


@pytest.mark.usefixtures("headless")
def test_whoever_has_a_window_manager_can_close_it_and_no_key_does(fonts: Fonts) -> None:
    with Window(fonts=fonts) as window:
        for key in (pygame.K_ESCAPE, pygame.K_q, pygame.K_a):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode="x"))
        window.show(IDLE)
        assert not window.closed
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        window.show(IDLE)
        assert window.closed
        assert not window.show(VIEWS["allow"])
    window.close()


@pytest.mark.usefixtures("headless")
def test_keys_are_given_out_once_in_order_by_their_names(fonts: Fonts) -> None:
    with Window(fonts=fonts) as window:
        for key, text in [
            (pygame.K_F2, ""),
            (pygame.K_s, "S"),
            (pygame.K_1, "1"),
            (pygame.K_LSHIFT, ""),
            (pygame.K_BACKSPACE, "\b"),
            (pygame.K_KP_ENTER, ""),
            (pygame.K_RETURN, "\r"),
            (pygame.K_ESCAPE, "\x1b"),
        ]:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=text))
        window.show(IDLE)
        assert window.keys() == "*S1\b\r\r\x1b"
        assert window.keys() == ""


@pytest.mark.usefixtures("headless")
def test_other_threads_may_only_take_the_picture(fonts: Fonts) -> None:
    refused: list[str] = []
    taken: list[bytes] = []

    def other() -> None:
        for call in (lambda: window.show(IDLE), window.close, Window):
            try:
                call()
            except RuntimeError as error:
                refused.append(str(error))
        for _ in range(5):
            taken.append(window.png())

    with Window(fonts=fonts) as window:
        window.show(IDLE)
        thread = threading.Thread(target=other)
        thread.start()
        while thread.is_alive():
            window.show(VIEWS["allow"])
            window.show(IDLE)
        thread.join()
    assert len(refused) == 3
    assert all("main thread" in sentence for sentence in refused)
    whole = {cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).tobytes() for png in taken}
    assert len(taken) == 5
    assert len(whole) <= 2, "a picture is one view or the other, never half of each"


@pytest.mark.usefixtures("headless")
def test_no_sound_and_no_joystick(fonts: Fonts) -> None:
    pygame.mixer.quit()
    with Window(fonts=fonts) as window:
        window.show(IDLE)
        assert pygame.mixer.get_init() is None
        assert not pygame.joystick.get_init()


@pytest.mark.usefixtures("headless")
def test_a_camera_picture_is_shown_within_15_ms(fonts: Fonts) -> None:
    frames = np.random.default_rng(7).integers(0, 255, (12, 240, 320), np.uint8)
    spent = []
    with Window((800, 480), fonts=fonts) as window:
        for frame in frames:
            start = time.perf_counter()
            assert window.show(replace(IDLE, preview=frame))
            spent.append(time.perf_counter() - start)
    assert sorted(spent)[3] < 0.015  # the quick ones: other programs may hold the processor now and then
