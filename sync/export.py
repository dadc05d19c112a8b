"""Export: what central lacks of the journal, as records files on a stick or into any stream.

A file that was begun and cut off (a stick pulled out, full, the power gone) is gone on with after its last
whole frame; a finished one is followed by another. Only a torn tail is ever cut off, and one of no more
bytes than may have been on their way to the stick. Reads the journal while the terminal writes it, and
needs no daemon.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.errors import CampusgateError
from config.files import sync_directory
from sync.frames import MAX_HEADER, MAX_LINE, FrameError, FrameReader, FrameWriter, Link, first_line
from sync.stick_file import UNSYNCED, DurableLines, ExportError, opened
from terminal.journal import JournalReader
from terminal.receipt import Receipt

SUFFIX = ".records"
LARGEST = 2**32 - 2**24  # bytes of one file: FAT holds 4 GiB less one, and a frame and the end must still fit
_FRAME_RECORDS, _FRAME_BYTES = 1000, 262_144

Progress = Callable[[int], None]  # called with the newest sequence that is written


class Sink(Protocol):
    """Where an export is written: anything with `write`."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is good in a records file of ours. through: its last record. size: bytes up to there."""

    path: Path
    first: int
    through: int
    size: int
    link: Link
    size_now: int
    complete: bool

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on with: what is behind the good part is no more than can have been torn."""
        return not self.complete and self.size_now - self.size <= UNSYNCED + MAX_LINE


@dataclass(frozen=True, slots=True)
class Blank:
    """A file that is to be begun, and its bytes now."""

    path: Path
    size_now: int
    size: ClassVar[int] = 0
    link: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. through: the last record in its files. records: how many it wrote now."""

    through: int
    records: int
    files: tuple[Path, ...]


def export(
    journal: JournalReader,
    key: Ed25519PrivateKey,
    sink: Sink,
    *,
    device: str,
    after: int,
    link: Link | None = None,
    room: int = LARGEST,
    progress: Progress = lambda _: None,
) -> int:
    """Write the records after `after`, as many as fit, and an end to `sink`; the last record's sequence.

    link: where to go on in a file; None begins one. room: bytes; the end comes when they are used up.
    Raises: ExportError when the journal no longer has the next record; JournalError; OSError of the sink.
    """
    if link is None:
        line, link = first_line(device, after + 1)
        sink.write(line)
    writer = FrameWriter(device, key, link)
    while room > 0:
        events = journal.chained_after(after, records=_FRAME_RECORDS, size=_FRAME_BYTES)
        if not events:
            break
        if events[0].first > after + 1:
            raise ExportError(
                f"the journal has no records {after + 1} to {events[0].first - 1} any more; "
                f"if they are at central or in another file, export with --after {events[0].first - 1}"
            )
        data = writer.frame(events)
        sink.write(data)
        after, room = events[-1].sequence, room - len(data)
        progress(after)
    sink.write(writer.frame(()))
    return after


class Stick:
    """The records files of `device` on a stick. to: its directory, or one file on it.

    Raises: ExportError when `to` is neither.
    """

    def __init__(self, to: Path, *, device: str, key: Ed25519PrivateKey, journal: JournalReader) -> None:
        self._device, self._key, self._journal = device, key, journal
        self._file = None if to.is_dir() else to
        self._directory = to if to.is_dir() else to.parent
        if self._file and self._file.suffix != SUFFIX:
            raise ExportError(f"{to}: no such directory; is the stick mounted? (a file ends in {SUFFIX})")
        if not self._directory.is_dir():
            raise ExportError(f"{self._directory}: no such directory; is the stick mounted?")

    def export(
        self,
        receipt: Receipt,
        *,
        after: int | None = None,
        largest: int = LARGEST,
        progress: Progress = lambda _: None,
    ) -> Exported:
        """Bring the stick up to the newest record, from `receipt` on, or from the record `after`.

        largest: bytes of one file. Raises: ExportError, JournalError; KeyboardInterrupt with what is
        written valid.
        """
        newest = self._journal.newest()
        if after is None:  # a receipt that was altered costs only that more is exported
            after = receipt.through if self._fits(receipt.through, receipt.digest) else 0
        if after > newest:
            raise ExportError(f"--after {after}: the newest record is {newest}")
        through = after
        begun: Checked | None = None
        for checked in self._ours():
            if checked.first <= through + 1 and checked.through >= through:
                through, begun = checked.through, checked
        if begun and not begun.resumable:
            begun = None
        files: list[Path] = []
        start = through
        while begun or through < newest:  # what is written meanwhile may wait for the next export
            file = begun or self._next()
            through = self._write(file, through, largest, progress)
            files.append(file.path)
            begun = None
        return Exported(through, through - start, tuple(files))

    def _ours(self) -> list[Checked]:
        """The files that are this device's and fit its journal, in order of their records."""
        paths = [self._file] if self._file else sorted(self._directory.glob(f"campusgate-*{SUFFIX}"))
        checked = [self._check(path) for path in paths if path.is_file()]
        return sorted((one for one in checked if one), key=lambda one: (one.first, one.through))

    def _check(self, path: Path) -> Checked | None:
        with path.open("rb") as file:
            try:
                reader = FrameReader(file)
            except FrameError:
                return None
            if reader.device != self._device:
                return None
            through, digest, complete = reader.first - 1, "", False
            try:
                for frame in reader.frames([self._key.public_key()]):
                    complete = frame.is_end
                    if frame.events:
                        through, digest = frame.events[-1].sequence, frame.events[-1].digest
            except FrameError:
                pass  # what came before is good; see Checked.resumable
            size_now = os.fstat(file.fileno()).st_size
        if digest and not self._fits(through, digest):
            return None
        return Checked(path, reader.first, through, reader.size, reader.link, size_now, complete)

    def _fits(self, through: int, digest: str) -> bool:
        """Whether those records may be of this journal; of those that it no longer has nothing is known."""
        held = self._journal.after(through - 1, records=1, size=1) if through else []
        if through and (not held or held[0].first > through):
            return through <= self._journal.newest()
        return self._journal.fits(through, digest)

    def _next(self) -> Blank:
        """A file to begin, and its bytes now: it may have been begun before and torn at once."""
        path = self._file
        if path is None:
            prefix = f"campusgate-{self._device}-{datetime.now().astimezone():%Y%m%d}-"
            pattern = re.compile(rf"{re.escape(prefix)}(\d{{4,}}){re.escape(SUFFIX)}")
            found = [pattern.fullmatch(path.name) for path in self._directory.glob(f"{prefix}*{SUFFIX}")]
            number = max((int(match[1]) for match in found if match), default=0)
            path = self._directory / f"{prefix}{number:04}{SUFFIX}"
            if not (number and self._is_torn_at_once(path)):
                path = path.with_name(f"{prefix}{number + 1:04}{SUFFIX}")
        if path.exists() and not self._is_torn_at_once(path):
            raise ExportError(
                f"{path}: cannot be gone on with (it is complete, or damaged, or of another terminal, "
                "or does not begin where central's records end); name another file"
            )
        return Blank(path, path.stat().st_size if path.exists() else 0)

    def _is_torn_at_once(self, path: Path) -> bool:
        """Whether `path` holds nothing but a part of a header of ours."""
        with path.open("rb") as file:
            data = file.read(MAX_HEADER + 1)
        begin = first_line(self._device, 1)[0].partition(b'1,"format"')[0]
        is_part = begin.startswith(data[: len(begin)]) and b"\n" not in data
        return len(data) <= MAX_HEADER and (is_part or not data.strip(b"\0"))

    def _write(
        self,
        begun: Checked | Blank,
        after: int,
        largest: int,
        progress: Progress,
    ) -> int:
        with opened(begun.path, begun.size_now, begun.size) as file:
            sync_directory(begun.path.parent)
            durable = DurableLines(file, begun.size)
            reached = after

            def written(through: int) -> None:
                nonlocal reached
                reached = through
                progress(through)

            try:
                through = export(
                    self._journal,
                    self._key,
                    durable,
                    device=self._device,
                    after=after,
                    link=begun.link,
                    room=largest - durable.size,
                    progress=written,
                )
                durable.sync()
            except (OSError, KeyboardInterrupt) as error:
                durable.leave_whole()
                if isinstance(error, OSError) and not isinstance(error, CampusgateError):
                    raise ExportError(
                        f"{begun.path}: stopped after record {reached}: {error.strerror}. What is there is "
                        f"good; to go on, run this again, or on another stick with --after {reached}"
                    ) from error
                raise
        return through
