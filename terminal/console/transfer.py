"""One file over a line, by YMODEM or, when that is all the other end has, by XMODEM-1K or XMODEM.

Source: as in blocks.py. YMODEM tells name and size, so what arrives is what was sent to the byte; XMODEM
tells neither, and what it pads the last block with (0x1A) is cut off.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.files import sync_directory
from terminal.console.blocks import BlockLine, Patience, Progress, Stream
from terminal.console.receiving import Receiver, base_name
from terminal.console.sending import Sender

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
            receiver = Receiver(line, file, limit, progress)
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
            sender = Sender(line, file, size, progress)
            sender.run(base_name(path.name))
    except BaseException as error:
        line.cancel(error)
        raise
    return Transferred(path, size, sender.digest.hexdigest(), sender.protocol)
