"""The sending end of a transfer of one file by YMODEM or XMODEM. Source: as in blocks.py."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from terminal.console.blocks import ACK, CRC, EOT, LONG, NAK, SHORT, BlockLine, Progress, TransferError

_SECOND_THOUGHT = 2.0  # seconds in which a YMODEM receiver asks for the data once it has the header
_ENDS = 5  # how often the end is told before it is taken for unheard


class Sender:
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
        if not self._checksum and self._header(f"{name}\0{self._size} 0".encode()):
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
            came = self._line.byte(1.0, idle=True)
            if came in (CRC, NAK):
                return came
            silent += not came
        raise TransferError(
            f"nobody asked for the file within {self._patience.start:g} s; start receiving by YMODEM in the"
            " program at the other end (`rz --ymodem`, or its menu), and try again"
        )

    def _header(self, header: bytes) -> bool:
        """Give name, size, and 0 for the time: not known, so the receiver's own counts (YMODEM, chapter 5).

        Whether the other end asks for the data then, which XMODEM does not.
        """
        for _ in range(3):
            self._line.clear()
            self._line.send_block(0, header.ljust(SHORT, b"\0"))
            if self._line.answer(ACK + NAK, self._patience.answer) == ACK:
                return self._line.answer(CRC, min(_SECOND_THOUGHT, self._patience.answer)) == CRC
        return False

    def _block(self, number: int, data: bytes) -> None:
        answer: bytes | None = None
        for _ in range(self._patience.retries + 1):
            # An answer that comes late must not be taken for one to this block.
            self._line.clear()
            self._line.send_block(number, data, checksum=self._checksum)
            answer = self._line.answer(ACK + NAK, self._patience.answer, idle=answer == b"")
            if answer == ACK:
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
        if not self._line.answer(CRC, self._patience.answer):
            return
        silent = 0
        for _ in range(_ENDS):
            self._line.clear()
            self._line.send_block(0, bytes(SHORT))
            answer = self._line.answer(ACK + NAK + CRC, min(_SECOND_THOUGHT, self._patience.answer))
            silent += not answer
            if answer == ACK or silent == 2:
                return
