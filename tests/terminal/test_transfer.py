"""Files over the line: with the real lrzsz at the other end, over bad cables, and what ends a transfer."""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import random
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terminal.console.blocks import (
    ACK,
    CAN,
    CRC,
    EOT,
    NAK,
    PAD,
    SOH,
    STX,
    BlockLine,
    Patience,
    TransferCancelled,
    TransferError,
)
from terminal.console.receiving import base_name
from terminal.console.transfer import receive, send
from tests.sim.processes import wait_until
from tests.terminal.lrzsz import LRZSZ, PATIENCE, Descriptor, at_other_end, hurting_line, line

SIZES = (0, 1, 127, 128, 1023, 1024, 1025, 100_000)
LIMIT = 1_000_000
needs_lrzsz = pytest.mark.skipif(not LRZSZ, reason="no lrzsz here")


def content(size: int) -> bytes:
    """Bytes of every kind; the last is none of XMODEM's padding, which only YMODEM can tell from data."""
    data = random.Random(size).randbytes(size)
    return data[:-1] + b"." if data else data


def each_size(work: Callable[[int], None]) -> None:
    """`work` for all sizes at once: lrzsz spends its time waiting."""
    with ThreadPoolExecutor(len(SIZES)) as pool:
        list(pool.map(work, SIZES))


def made(directory: Path, size: int) -> Path:
    file = directory / f"s{size}" / "north-gate.roster"
    file.parent.mkdir()
    file.write_bytes(content(size))
    return file


# --- With lrzsz


@needs_lrzsz
@pytest.mark.parametrize("sender", [("sz", "--ymodem"), ("sx",), ("sx", "-k")], ids=" ".join)
def test_what_lrzsz_sends_is_received(sender: tuple[str, ...], tmp_path: Path) -> None:
    def work(size: int) -> None:
        file, into = made(tmp_path, size), tmp_path / f"r{size}"
        into.mkdir()
        with line() as (near, far), at_other_end(far, *sender, str(file), cwd=tmp_path) as other:
            done = receive(Descriptor(near), into, limit=LIMIT, patience=PATIENCE)
            assert other.wait(30) == 0
        named = sender[0] == "sz"
        assert done.path == into / ("north-gate.roster" if named else "received")
        assert done.protocol == ("YMODEM" if named else "XMODEM")
        assert done.path.read_bytes() == content(size)
        assert (done.size, done.sha256) == (size, hashlib.sha256(content(size)).hexdigest())
        assert list(into.iterdir()) == [done.path]

    each_size(work)


@needs_lrzsz
def test_what_is_sent_by_ymodem_lrzsz_receives_to_the_byte(tmp_path: Path) -> None:
    def work(size: int) -> None:
        file, into = made(tmp_path, size), tmp_path / f"r{size}"
        into.mkdir()
        with line() as (near, far), at_other_end(far, "rz", "--ymodem", cwd=into) as other:
            done = send(Descriptor(near), file, patience=PATIENCE)
            assert other.wait(30) == 0
        assert (done.protocol, done.size) == ("YMODEM", size)
        assert done.sha256 == hashlib.sha256(content(size)).hexdigest()
        assert (into / file.name).read_bytes() == content(size)

    each_size(work)


@needs_lrzsz
@pytest.mark.parametrize("receiver", [("rx",), ("rx", "-c")], ids=" ".join)
def test_a_receiver_that_has_only_xmodem_gets_it_padded(receiver: tuple[str, ...], tmp_path: Path) -> None:
    def work(size: int) -> None:
        file, into = made(tmp_path, size), tmp_path / f"r{size}"
        into.mkdir()
        # On a pty its last answer may be lost: rx throws away what it has written when it ends.
        near, far = socket.socketpair()
        with near, far, at_other_end(far.fileno(), *receiver, "file", cwd=into) as other:
            done = send(Descriptor(near.fileno()), file, patience=PATIENCE)
            assert other.wait(30) == 0
        assert done.protocol == "XMODEM"
        got = (into / "file").read_bytes()
        assert got.startswith(content(size))
        assert got[size:].strip(PAD) == b""

    each_size(work)


@needs_lrzsz
def test_noise_and_lost_bytes_cost_only_time(tmp_path: Path) -> None:
    def work(seed: int) -> None:
        file, into = made(tmp_path, 60_000 + seed), tmp_path / f"r{seed}"
        into.mkdir()
        if seed % 2:
            with hurting_line(seed) as (near, far), at_other_end(far, "sz", "--ymodem", str(file), cwd=into):
                done = receive(Descriptor(near), into, limit=LIMIT, patience=PATIENCE)
                assert done.path.read_bytes() == file.read_bytes()
        else:
            with hurting_line(seed) as (near, far), at_other_end(far, "rz", "--ymodem", cwd=into):
                send(Descriptor(near), file, patience=PATIENCE)
                # Its own last answers may be hurt as well: then it waits on, with the file whole.
                assert wait_until(lambda: (into / file.name).read_bytes() == file.read_bytes(), 30)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


@needs_lrzsz
@pytest.mark.parametrize("receiving", [True, False])
def test_an_end_that_is_killed_half_way_leaves_nothing(receiving: bool, tmp_path: Path) -> None:
    file, into = made(tmp_path, 300_000), tmp_path / "into"
    into.mkdir()
    quick = Patience(start=10.0, answer=0.3, byte=0.2, quiet=0.05, retries=3)
    program = ("sz", "--ymodem", str(file)) if receiving else ("rz", "--ymodem")
    with line() as (near, far), at_other_end(far, *program, cwd=into) as other:

        def half(done: int, _size: int | None) -> None:
            if done > 100_000:
                other.kill()

        carry = partial(receive, directory=into, limit=LIMIT) if receiving else partial(send, path=file)
        with pytest.raises(TransferError, match=r"broke off after|does not take block"):
            carry(Descriptor(near), patience=quick, progress=half)
    assert not receiving or list(into.iterdir()) == []


@needs_lrzsz
def test_a_file_over_the_limit_is_refused_at_both_ends(tmp_path: Path) -> None:
    file, into = made(tmp_path, 5000), tmp_path / "into"
    into.mkdir()
    with line() as (near, far), at_other_end(far, "sz", "--ymodem", str(file), cwd=into) as other:
        with pytest.raises(TransferError, match="the file has 5000 bytes; 4999 are allowed"):
            receive(Descriptor(near), into, limit=4999, patience=PATIENCE)
        assert other.wait(30) != 0
    with line() as (near, far), at_other_end(far, "sx", str(file), cwd=into) as other:
        with pytest.raises(TransferError, match="over 4999 bytes"):
            receive(Descriptor(near), into, limit=4999, patience=PATIENCE)
        assert other.wait(30) != 0
    assert list(into.iterdir()) == []


@needs_lrzsz
def test_two_files_at_once_are_refused(tmp_path: Path) -> None:
    files, into = [str(made(tmp_path, size)) for size in (10, 20)], tmp_path / "into"
    into.mkdir()
    with line() as (near, far), at_other_end(far, "sz", "--ymodem", *files, cwd=into) as other:
        with pytest.raises(TransferError, match="one at a time"):
            receive(Descriptor(near), into, limit=LIMIT, patience=PATIENCE)
        assert other.wait(30) != 0
    assert list(into.iterdir()) == []


# --- With an end that does what it wants


class Script:
    """An end that has said `said` from the beginning, and says what `answer` makes of what it hears."""

    def __init__(self, said: bytes = b"", answer: Callable[[bytes], bytes] = lambda _: b"") -> None:
        self._said, self._answer, self.heard = bytearray(said), answer, b""

    def read(self, size: int, timeout: float) -> bytes:
        del timeout  # what is not there by now never comes
        data = bytes(self._said[:size])
        del self._said[: len(data)]
        return data

    def write(self, data: bytes) -> None:
        self.heard += data
        self._said += self._answer(data)


SOON = Patience(start=4.0, answer=0.001, byte=0.001, quiet=0.001, retries=4)


def block(number: int, data: bytes, *, size: int = 128) -> bytes:
    data = data.ljust(size, b"\0" if number == 0 else PAD)
    crc = binascii.crc_hqx(data, 0).to_bytes(2, "big")
    return (SOH if size == 128 else STX) + bytes([number, 255 - number]) + data + crc


def replies(*said: bytes) -> Script:
    """An end that gives its next block at every answer."""
    left: Iterator[bytes] = iter(said)
    return Script(answer=lambda _: next(left, b""))


@pytest.mark.parametrize("header", [b"", b"\0" * 5])
def test_a_sender_that_has_no_file_is_told(header: bytes, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="no file to send"):
        receive(replies(block(0, header)), tmp_path, limit=LIMIT, patience=SOON)


def test_a_size_that_says_too_little_is_refused_and_the_sender_told(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"100"), block(1, b"a" * 128), block(2, b"b" * 128))
    with pytest.raises(TransferError, match="more came than the 100 bytes"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)
    assert CAN * 2 in end.heard
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_says_too_much_is_refused(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"300"), block(1, b"a" * 128), *[EOT] * 50)
    with pytest.raises(TransferError, match="ended after 128 bytes; 300 were announced"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)
    assert list(tmp_path.iterdir()) == []


def test_an_eot_of_noise_does_not_end_a_file(tmp_path: Path) -> None:
    said = [
        block(0, b"x\0" + b"256"),
        block(1, b"a" * 128),
        EOT,
        block(2, b"b" * 128),
        EOT,
        EOT,
        b"",
        block(0, b""),
    ]
    done = receive(replies(*said), tmp_path, limit=LIMIT, patience=SOON)
    assert done.path.read_bytes() == b"a" * 128 + b"b" * 128


def test_a_block_that_comes_twice_counts_once(tmp_path: Path) -> None:
    first = block(1, b"a" * 128)
    said = [block(0, b"x\0" + b"256"), first, first, block(2, b"b" * 128), EOT, EOT, b"", block(0, b"")]
    done = receive(replies(*said), tmp_path, limit=LIMIT, patience=SOON)
    assert done.path.read_bytes() == b"a" * 128 + b"b" * 128


def test_a_block_out_of_order_ends_it(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"500"), block(1, b"a" * 128), block(3, b"c" * 128))
    with pytest.raises(TransferError, match="block 2 was due, and block 3 came"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)


def test_a_header_without_a_size_is_taken_as_xmodem_is(tmp_path: Path) -> None:
    end = replies(block(0, b"x"), block(1, b"a" * 100), EOT, EOT, b"", block(0, b""))
    assert receive(end, tmp_path, limit=LIMIT, patience=SOON).path.read_bytes() == b"a" * 100


def test_an_end_that_is_gone_after_the_last_byte_has_sent_it_all(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"3"), block(1, b"abc"), EOT, EOT)
    assert receive(end, tmp_path, limit=LIMIT, patience=SOON).path.read_bytes() == b"abc"


@pytest.mark.parametrize("said", [b"\x03", b"\x03\x03", CAN * 2, b"noise" + CAN * 5])
def test_before_it_begins_ctrl_c_or_a_cancel_ends_it_without_a_word(said: bytes, tmp_path: Path) -> None:
    for transfer in (_receiving, _sending):
        end = Script(said)
        with pytest.raises(TransferCancelled):
            transfer(end, tmp_path)
        assert CAN not in end.heard


def _receiving(end: Script, directory: Path) -> None:
    receive(end, directory, limit=LIMIT, patience=SOON)


def _sending(end: Script, directory: Path, size: int = 300) -> None:
    file = directory / "file"
    file.write_bytes(content(size))
    send(end, file, patience=SOON)


@pytest.mark.parametrize("transfer", [_receiving, _sending])
def test_an_end_that_never_begins_is_waited_for_no_longer_than_told(
    transfer: Callable[[Script, Path], None], tmp_path: Path
) -> None:
    with pytest.raises(TransferError, match=r"within 4 s; start (sending|receiving)"):
        transfer(Script(), tmp_path)


def test_ctrl_c_ends_what_has_come_to_a_stand(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"500"), block(1, b"a" * 128), b"", b"\x03")
    with pytest.raises(TransferCancelled, match="interrupted"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)
    answers = iter([ACK + CRC, b"", b"\x03"])
    with pytest.raises(TransferCancelled, match="interrupted"):
        _sending(Script(CRC, lambda _: next(answers, b"")), tmp_path)


def test_cancelling_in_the_middle_ends_it(tmp_path: Path) -> None:
    end = replies(block(0, b"x\0" + b"500"), block(1, b"a" * 128), CAN * 5)
    with pytest.raises(TransferCancelled, match="the other end cancelled"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)
    answers = iter([ACK + CRC, CAN * 2])
    with pytest.raises(TransferCancelled):
        _sending(Script(CRC, lambda _: next(answers, b"")), tmp_path)


def test_a_single_can_is_noise(tmp_path: Path) -> None:
    said = [block(0, b"x\0" + b"3"), CAN, block(1, b"abc"), EOT, EOT, b"", block(0, b"")]
    assert receive(replies(*said), tmp_path, limit=LIMIT, patience=SOON).path.read_bytes() == b"abc"


@pytest.mark.parametrize("transfer", [_receiving, _sending])
def test_a_line_that_is_gone_says_so_itself(transfer: Callable[[Script, Path], None], tmp_path: Path) -> None:
    def gone(data: bytes) -> bytes:
        if data[:1] in (SOH, STX, ACK):
            raise OSError("unplugged")
        return block(0, b"x\0" + b"500")

    with pytest.raises(OSError, match="unplugged"):
        transfer(Script(CRC if transfer is _sending else b"", gone), tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.name != "file"] == []


def test_a_disk_that_is_full_ends_it_at_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("terminal.console.transfer.os.fsync", full)
    end = replies(block(0, b"x\0" + b"3"), block(1, b"abc"), EOT, EOT, b"", block(0, b""))
    with pytest.raises(OSError, match="No space left"):
        receive(end, tmp_path, limit=LIMIT, patience=SOON)
    assert CAN * 2 in end.heard
    assert list(tmp_path.iterdir()) == []


def test_a_sender_that_is_slower_than_any_line_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("terminal.console.blocks.time.monotonic", lambda: float(next(clock)))
    said = [block(0, b"x\0" + b"90000"), *(block(number, b"a" * 128) for number in range(1, 100))]
    with pytest.raises(TransferError, match="takes too long"):
        receive(replies(*said), tmp_path, limit=LIMIT, patience=SOON)


def test_a_receiver_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    answers = iter([ACK + CRC, *[NAK] * 100])
    with pytest.raises(TransferError, match="does not take block 1"):
        _sending(Script(CRC, lambda _: next(answers)), tmp_path)


def test_a_late_answer_is_none_to_the_next_block(tmp_path: Path) -> None:
    """Two answers to the first block: the second must not pass for one to the block that was lost."""
    heard: list[bytes] = []

    def answer(data: bytes) -> bytes:
        heard.append(data)
        if data[:1] not in (SOH, STX):
            return ACK + CRC if data == EOT else b""
        number = data[1]
        if number == 0:
            return ACK + CRC
        return ACK * 2 if number == 1 else b"" if [d[:2] for d in heard].count(data[:2]) < 2 else ACK

    _sending(Script(CRC, answer), tmp_path, 2000)
    assert [data[1] for data in heard if data[:1] == STX] == [1, 2, 2]


# --- Whatever comes


@given(st.binary(max_size=600))
@example(block(0, b"../../etc/passwd\0" + b"3") + block(1, b"abc") + EOT * 9)
@example(block(1, b"") + EOT * 9)
@example(EOT * 9)
def test_whatever_comes_a_transfer_ends_and_leaves_no_part(
    tmp_path_factory: pytest.TempPathFactory, said: bytes
) -> None:
    directory = tmp_path_factory.mktemp("any")
    for transfer in (_receiving, _sending):
        with contextlib.suppress(TransferError):
            transfer(Script(said, lambda _: said[:20]), directory)
        assert not list(directory.glob(".*"))


@given(st.text())
@example("/etc/passwd")
@example("C:\\rosters\\北门.roster")
@example("../..")
def test_a_name_never_leaves_the_directory(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}|[A-Za-z0-9._-]{100}", base_name(name))
    assert base_name(name) not in (".", "..")


def test_the_end_of_a_name_is_what_stays() -> None:
    assert base_name("/media/usb/north gate-1.roster") == "northgate-1.roster"
    assert base_name("C:\\rosters\\北门.roster") == "roster"
    assert base_name("") == "received"


def test_a_block_line_reads_what_it_sends() -> None:
    end = Script()
    BlockLine(end, SOON).send_block(257, b"abc")
    assert end.heard == block(1, b"abc")
