"""A line that is this process's own input and output, at a real pty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from hw import serial_line
from hw.serial_line import LineLost, OwnLine


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other end of a pty that is standard input and output."""
    far, near = os.openpty()
    with os.fdopen(near, "r+b", buffering=0, closefd=True) as file:
        monkeypatch.setattr(serial_line, "sys", SimpleNamespace(stdin=file, stdout=file))
        yield far
        assert os.get_blocking(near)
    os.close(far)


def test_it_carries_both_ways_and_leaves_the_terminal_as_it_was(far: int) -> None:
    line = OwnLine()
    line.write(b"login: ")
    assert os.read(far, 100) == b"login: "
    os.write(far, b"a\x03\r")
    assert line.read(5) == b"a\x03\r"
    assert line.read(0) == b""
    line.close()


def test_it_is_lost_when_nobody_takes_what_is_written(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who stopped their program is not to stay logged in for as long as it is stopped."""
    monkeypatch.setattr(serial_line, "WRITE_WITHIN", 0.2)
    line = OwnLine()
    with pytest.raises(LineLost, match="nobody takes what is written"):
        line.write(b"x" * 1_000_000)
    line.close()
