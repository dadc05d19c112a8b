"""Printed passes: what is on them, and that the terminal reads them from paper."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest

from hw.frame import Frame
from sync.central import cards
from sync.central.site import Site
from terminal.codes import Code, parse, verify
from terminal.person import Status
from terminal.scanner import read_picture
from tests.sync.office import good, put, refused, student

DPI = 300
VISITOR = ("visitor", "A", "--place", "north-gate", "--hours", "1", "--out")


def pages(path: Path, dpi: int = DPI) -> list[np.ndarray]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [page.render(scale=dpi / 72).to_numpy().copy()[:, :, :3] for page in document]
    finally:
        document.close()


def texts(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def read(picture: np.ndarray, site: Site) -> Code:
    (text,) = read_picture(Frame(np.ascontiguousarray(picture), time.monotonic(), 0))
    return verify(parse(text), site.issuer_key().public_key())


def test_a_sheet_of_ten_each_read_back_at_print_resolution(site: Site, tmp_path: Path) -> None:
    people = [student(f"S{number:08d}", "欧阳娜娜" if number else "王伟") for number in range(11)]
    put(site, *people)
    out, pictures = tmp_path / "cards.pdf", tmp_path / "png"
    numbers = [one.subject for one in people]
    said = good(site, "code", "card", *numbers, "--out", str(out), "--png", str(pictures))
    assert "11 cards on 2 sheets" in said
    sheet, second = pages(out)
    assert sheet.shape[:2] == pytest.approx((297 / 25.4 * DPI, 210 / 25.4 * DPI), abs=2)
    left, top = (210 - 2 * 85.6) / 2, (297 - 5 * 54) / 2
    for index, one in enumerate(people):
        x, y = left + index % 2 * 85.6, top + index % 10 // 2 * 54
        page = sheet if index < 10 else second
        a, b, c, d = (round(mm / 25.4 * DPI) for mm in (x, x + 85.6, y, y + 54))
        code = read(page[c:d, a:b], site)
        assert (code.subject, str(code.pass_kind), code.places) == (one.subject, "card", ())
    picture = cv2.imread(str(pictures / "S00000010.png"))
    assert picture is not None
    assert picture.shape[:2] == (638, 1011)
    assert read(picture, site).subject == "S00000010"
    content = texts(out)
    assert all(part in content for part in ("欧阳娜娜", "S00000003", "示例大学", "学生 Student", "有效期"))
    assert b"/FontFile2" in out.read_bytes()
    assert out.stat().st_size < 400_000
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_card_is_still_read_when_printed_coarsely(site: Site, tmp_path: Path) -> None:
    put(site, student("S1"))
    out = tmp_path / "c.pdf"
    good(site, "code", "card", "S1", "--out", str(out), "--place", "north-gate")
    (sheet,) = pages(out, dpi=150)
    assert read(sheet[: sheet.shape[0] // 3, : sheet.shape[1] // 2], site).places == ("north-gate",)


def test_a_picture_of_a_pass_is_a_pass_so_only_its_owner_may_read_it(site: Site, tmp_path: Path) -> None:
    put(site, student("S1"))
    good(site, "code", "card", "S1", "--out", str(tmp_path / "a.pdf"), "--png", str(tmp_path))
    for name in ("b.png", "c.pdf"):
        good(site, "code", *VISITOR, str(tmp_path / name))
    good(site, "code", "pass", "S1", "--kind", "card", "--hours", "1", "--out", str(tmp_path / "d.png"))
    made = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir() if file.is_file()}
    assert made == dict.fromkeys(("a.pdf", "S1.png", "b.png", "c.pdf", "d.png"), 0o600)


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_a_visitor_gets_a_pass_that_needs_no_roster(suffix: str, site: Site, tmp_path: Path) -> None:
    out = tmp_path / f"pass{suffix}"
    good(site, "code", "visitor", "王芳", "--place", "north-gate", "--hours", "8", "--out", str(out))
    picture = pages(out)[0] if suffix == ".pdf" else cv2.imread(str(out))
    assert picture is not None
    code = read(picture, site)
    assert code.subject.startswith("V-")
    assert (str(code.pass_kind), code.places) == ("visitor", ("north-gate",))
    assert (code.expires_at or 0) - (code.not_before or 0) == 8 * 3600
    if suffix == ".pdf":
        assert "访客通行证" in texts(out)


def test_no_pass_outlives_its_person(site: Site, tmp_path: Path) -> None:
    now = int(time.time())
    put(
        site,
        replace(student("S1"), valid_until=now + 5000),
        replace(student("S2"), valid_until=now - 5),
        replace(student("S3"), status=Status.REVOKED),
        replace(student("S4"), valid_from=now + 800 * 86_400),
    )
    out = ["--out", str(tmp_path / "c.pdf")]
    good(site, "code", "card", "S1", *out, "--png", str(tmp_path))
    picture = cv2.imread(str(tmp_path / "S1.png"))
    assert picture is not None
    assert read(picture, site).expires_at == now + 5000
    assert "S2 is no longer valid" in refused(site, "code", "card", "S2", *out)
    assert "S3 is revoked" in refused(site, "code", "card", "S3", *out)
    assert "S4 is valid only from" in refused(site, "code", "card", "S4", *out)
    assert "nobody has the number S9" in refused(site, "code", "card", "S1", "S9", *out)
    words = ["王芳", "--place", "north-gate", "--hours", "1", "--out", str(tmp_path / "v.png")]
    assert "S3 is revoked" in refused(site, "code", "visitor", *words, "--subject", "S3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("card", "S1", "--out", "c.png"), "must end in .pdf"),
        (("card", "S1", "--out", "c.pdf", "--place", "moon"), "'moon' is not in the policy"),
        (("visitor", "A", "--place", "moon", "--hours", "1", "--out", "v.png"), "one of north-gate"),
        ((*VISITOR, "v.gif"), ".png or .pdf"),
        (
            ("visitor", "A", "--place", "north-gate", "--hours", "1", "--out", "v.png", "--subject", "a b"),
            "'a b'",
        ),
        (("visitor", "😀", "--place", "north-gate", "--hours", "1", "--out", "v.png"), "has no glyph for 😀"),
        (("pass", "a b", "--kind", "card", "--hours", "1"), "'a b'"),
        (("pass", "S1", "--kind", "card", "--hours", "1", "--place", "moon"), "'moon'"),
        (("pass", "S1", "--kind", "card", "--hours", "1", "--out", "x.gif"), "must end in .png"),
    ],
)
def test_what_cannot_be_is_said(
    words: tuple[str, ...], said: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(site, student("S1"))
    assert said in refused(site, "code", *words)
    assert not list(tmp_path.glob("*.p*"))


def test_without_a_chinese_font_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "FONTS", ())
    cards.font_file.cache_clear()
    with pytest.raises(cards.CardError, match="fonts-wqy-microhei"):
        cards.font_file()
    cards.font_file.cache_clear()
