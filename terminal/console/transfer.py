"""One file over a line, by YMODEM or, when that is all the other end has, by XMODEM-1K or XMODEM.

Source: as in blocks.py. YMODEM tells name and size, so what arrives is what was sent to the byte; XMODEM
tells neither, and what it pads the last block with (0x1A) is cut off.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from config.files import sync_directory
from terminal.console.blocks import (
    ACK,
    CRC,
    EOT,
    LONG,
    NAK,
    PAD,
    SHORT,
    Block,
    BlockLine,
    Patience,
    Progress,
    Said,
    Stream,
    TransferError,
)

_LONGEST_NAME = 100
_UNNAMED = "received"
_ASK_EVERY = 3.0  # seconds between two askings for a transfer to begin
_SECOND_THOUGHT = 2.0  # seconds in which a YMODEM receiver asks for the data once it has the header
_ENDS = 5  # how often the end is told before it is taken for unheard
_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Transferred:
    """A file that came over whole. sha256: in hex, of what is on disk here."""

    path: Path
    size: int
    sha256: str
    protocol: str


def receive(
    stream: Stream,
    directory: Path,
    *,
    limit: int,
    progress: Progress = lambda _done, _size: None,
    patience: Patience = _PATIENCE,
) -> Transferred:
    """One file of at most `limit` bytes, now in `directory` under the base name it was sent with.

    It is there whole and durable or not at all.
    Raises: TransferError when it did not come; OSError when it cannot be written; what the stream raises.
    """
    line = BlockLine(stream, patience)
    temporary = directory / f".{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as file:
            receiver = _Receiver(line, file, limit, progress)
            name = receiver.run()
            file.flush()
            os.fsync(file.fileno())
        path = directory / name
        temporary.replace(path)
        sync_directory(directory)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        line.cancel(error)
        raise
    return Transferred(path, receiver.got, receiver.digest.hexdigest(), receiver.protocol)


def base_name(name: str) -> str:
    """What is left of `name` as a file's name here: no directories, and only A-Z a-z 0-9 . _ -."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "", last).lstrip(".-")[-_LONGEST_NAME:] or _UNNAMED


class _Receiver:
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
            came = self._line.block(min(_ASK_EVERY, self._patience.start), starting=True)
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
        while True:
            came = block or self._line.block(self._patience.answer)
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


def send(
    stream: Stream,
    path: Path,
    *,
    progress: Progress = lambda _done, _size: None,
    patience: Patience = _PATIENCE,
) -> Transferred:
    """Give the file `path` to the other end.

    Raises: TransferError when it was not taken; OSError when it cannot be read; what the stream raises.
    """
    line = BlockLine(stream, patience)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sender = _Sender(line, file, size, progress)
            sender.run(base_name(path.name))
    except BaseException as error:
        line.cancel(error)
        raise
    return Transferred(path, size, sender.digest.hexdigest(), sender.protocol)


class _Sender:
    """The sending end, for one file."""

    def __init__(self, line: BlockLine, file: BinaryIO, size: int, progress: Progress) -> None:
        self._line, self._file, self._size, self._progress = line, file, size, progress
        self._patience = line.patience
        self._checksum = False
        self.digest = hashlib.sha256()
        self.protocol = "XMODEM"

    def run(self, name: str) -> None:
        """Give it; `name` is what the other end is told."""
        self._line.allow(self._size)
        self._checksum = self._asked() == NAK
        if not self._checksum and self._header(f"{name}\0{self._size}".encode()):
            self.protocol = "YMODEM"
        number = done = 0
        while done < self._size:
            # Whoever asks for the old checksum may know only the old, short blocks.
            long = not self._checksum and self._size - done > SHORT
            data = self._file.read(LONG if long else SHORT)
            if not data:
                raise TransferError(f"the file has become shorter than the {self._size} bytes it had")
            number, done = number + 1, done + len(data)
            self._block(number, data)
            self.digest.update(data)
            self._progress(done, self._size)
        self._end()

    def _asked(self) -> bytes:
        """How the other end asks for the file. Raises: TransferError when it does not."""
        silent = 0
        while silent < self._patience.start:
            came = self._line.start_byte(1.0)
            if came in (CRC, NAK):
                return came
            silent += not came
        raise TransferError(
            f"nobody asked for the file within {self._patience.start:g} s; start receiving by YMODEM in the"
            " program at the other end (`rz --ymodem`, or its menu), and try again"
        )

    def _header(self, header: bytes) -> bool:
        """Give name and size; whether the other end asks for the data then, which XMODEM does not."""
        for _ in range(3):
            self._line.clear()
            self._line.send_block(0, header.ljust(SHORT, b"\0"))
            if self._line.answer(ACK + NAK, self._patience.answer) == ACK:
                return self._line.answer(CRC, min(_SECOND_THOUGHT, self._patience.answer)) == CRC
        return False

    def _block(self, number: int, data: bytes) -> None:
        for _ in range(self._patience.retries + 1):
            # An answer that comes late must not be taken for one to this block.
            self._line.clear()
            self._line.send_block(number, data, checksum=self._checksum)
            if self._line.answer(ACK + NAK, self._patience.answer) == ACK:
                return
        raise TransferError(
            f"the other end does not take block {number}; check the cable and send the file again"
        )

    def _end(self) -> None:
        for _ in range(_ENDS):
            self._line.clear()
            self._line.write(EOT)
            if self._line.answer(ACK + NAK, self._patience.answer) == ACK:
                break
        else:
            raise TransferError("the other end took it all but does not say that it has the file; look there")
        if self.protocol == "YMODEM":
            self._no_more()

    def _no_more(self) -> None:
        """Say that there is no other file; whoever does not ask has this one all the same."""
        asked = self._line.answer(CRC, self._patience.answer)
        for _ in range(_ENDS):
            if not asked or asked == ACK:
                return
            self._line.clear()
            self._line.send_block(0, bytes(SHORT))
            asked = self._line.answer(ACK + NAK + CRC, min(_SECOND_THOUGHT, self._patience.answer))
