"""The receiving end of a transfer of one file by YMODEM or XMODEM. Source: as in blocks.py."""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO, Literal

from terminal.console.blocks import ACK, CRC, NAK, PAD, Block, BlockLine, Progress, Said, TransferError

_LONGEST_NAME = 100
_UNNAMED = "received"
_ASK_EVERY = 3.0  # seconds between two askings for a transfer to begin


def base_name(name: str) -> str:
    """What is left of `name` as a file's name here: no directories, and only A-Z a-z 0-9 . _ -."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "", last).lstrip(".-")[-_LONGEST_NAME:] or _UNNAMED


class Receiver:
    """The receiving end, for one file."""

    def __init__(self, line: BlockLine, file: BinaryIO, limit: int, progress: Progress) -> None:
        self._line, self._file, self._limit, self._progress = line, file, limit, progress
        self._patience = line.patience
        self._size: int | None = None
        self._held = b""  # XMODEM: the last block, whose end may be padding
        self.got = 0
        self.digest = hashlib.sha256()
        self.protocol = "YMODEM"

    def run(self) -> str:
        """Take the file; its name here."""
        first = self._start()
        if first is not Said.END and first.number == 0:
            name, self._size = self._header(first.data)
            self._line.write(ACK + CRC)
            self._data(None)
            self._line.write(ACK)
            self._no_more()
            return name
        self.protocol = "XMODEM"
        self._line.allow(self._limit)
        if first is not Said.END:
            self._data(first)
        self._line.write(ACK)
        return _UNNAMED

    def _start(self) -> Block | Literal[Said.END]:
        """Ask for the transfer until its first block comes, or the end of an empty file by XMODEM."""
        ask, ends = CRC, 0
        for _ in range(max(1, round(self._patience.start / _ASK_EVERY))):
            self._line.write(ask)
            ask = CRC
            came = self._line.block(min(_ASK_EVERY, self._patience.start), idle=True)
            if isinstance(came, Block) and came.number in (0, 1):
                return came
            if came is Said.END:
                ends += 1
                if ends == 2:
                    return Said.END
                ask = NAK
            elif came is not Said.NOTHING:
                self._line.drain()
        raise TransferError(
            f"nothing was sent within {self._patience.start:g} s; start sending by YMODEM in the program"
            " at the other end (`sz --ymodem FILE`, or its menu), and try again"
        )

    def _header(self, data: bytes) -> tuple[str, int | None]:
        """Name and size in a YMODEM header. Raises: TransferError when there is none, or it is too large."""
        name, _, rest = data.partition(b"\0")
        if not name:
            raise TransferError("the other end has no file to send")
        digits = re.match(rb"\d{1,18}(?![^\s\0])", rest)
        size = int(digits[0]) if digits else None
        if size is not None and size > self._limit:
            raise TransferError(f"the file has {size} bytes; {self._limit} are allowed")
        self._line.allow(self._limit if size is None else size)
        return base_name(name.decode("utf-8", "replace")), size

    def _data(self, block: Block | None) -> None:
        """Take blocks up to the end of the file. block: the first one, if it has come already."""
        expected, errors, ends = 1, 0, 0
        came: Block | Said | None = None
        while True:
            came = block or self._line.block(self._patience.answer, idle=came is Said.NOTHING)
            block = None
            if isinstance(came, Block):
                ends = 0
                if came.number == expected & 0xFF:
                    self._take(came.data)
                    expected, errors = expected + 1, 0
                    self._line.write(ACK)
                    continue
                if came.number != (expected - 1) & 0xFF:
                    raise TransferError(f"block {expected & 0xFF} was due, and block {came.number} came")
                # Our answer was lost.
                self._line.write(ACK + CRC if expected == 1 else ACK)
            elif came is Said.END:
                # The first one is always asked for again: a byte of noise may look like it.
                ends += 1
                if ends >= 2 and self.got == (self._size or self.got):
                    break
                self._line.write(NAK)
            else:
                if came is Said.GARBLED:
                    self._line.drain()
                # The asking that follows a header may be what was lost.
                self._line.write(CRC if expected == 1 and self.protocol == "YMODEM" else NAK)
            errors += 1
            if errors > self._patience.retries:
                self._give_up(came)
        self._keep(self._held.rstrip(PAD))

    def _give_up(self, came: Block | Said) -> None:
        if came is Said.END:
            raise TransferError(f"the file ended after {self.got} bytes; {self._size} were announced")
        told = "nothing came any more" if came is Said.NOTHING else "too much of it was garbled"
        raise TransferError(f"broke off after {self.got} bytes: {told}; check the cable and send it again")

    def _take(self, data: bytes) -> None:
        """Keep what belongs to the file of one block's data."""
        if self._size is None:
            self._keep(self._held)
            self._held = data
            if self.got + len(data.rstrip(PAD)) > self._limit:
                raise TransferError(f"the file has over {self._limit} bytes; that many are allowed")
            return
        if self.got == self._size:
            raise TransferError(f"more came than the {self._size} bytes that were announced")
        self._keep(data[: self._size - self.got])

    def _keep(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.got += len(data)
        self._progress(self.got, self._size)

    def _no_more(self) -> None:
        """Hear that there is no other file. One whose end is not told came whole all the same."""
        for _ in range(3):
            self._line.write(CRC)
            came = self._line.block(min(_ASK_EVERY, self._patience.answer))
            if isinstance(came, Block) and came.number == 0:
                if came.data[0]:
                    raise TransferError("more than one file was sent; send one at a time")
                self._line.write(ACK)
                return
            if came is Said.END:  # our last answer was lost
                self._line.write(ACK)
            elif came is Said.GARBLED:
                self._line.drain()
