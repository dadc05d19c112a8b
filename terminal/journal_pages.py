"""Rows read from a damaged SQLite file without SQLite: page by page, whatever the b-tree above them says.

After "Database File Format" (sqlite.org/fileformat2.html): the b-tree pages of 1.6, the record format of 2.1,
the write-ahead log of 4. Every leaf is read for itself, so that a broken page costs only its own rows.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

Value = int | str | bytes | None

_MAGIC = b"SQLite format 3\0"
_SIZES = (4096, 1024, 2048, 8192, 16384, 32768, 65536, 512)  # of a page, the likeliest first
_PROBED = 200  # pages looked at to find the page size
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_FRAME_HEADER, _WAL_HEADER = 24, 32  # bytes
_MAX_PAYLOAD = 16_777_216  # bytes; no record is as long, a broken length is
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # by serial type


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its rowid (None in an index or a table without), and its columns as stored."""

    rowid: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the write-ahead log. sound: its checksum is right. commits: it ends a transaction."""

    page: int
    offset: int  # of its page in the log, bytes
    sound: bool
    commits: bool


class PageSource:
    """The pages of the database `path` and of its write-ahead log. Raises: OSError when it is not there."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        wal = path.with_name(f"{path.name}-wal")
        self._wal = os.open(wal, os.O_RDONLY) if wal.exists() else None
        self._wal_header = self._read(self._wal, 0, _WAL_HEADER)
        self.wal_header_sound = _wal_header_sound(self._wal_header)
        self.header = self._read(self._file, 0, 100)
        self._size = self._page_size()
        reserved = self.header[20] if self.header[:16] == _MAGIC else 0
        self._usable = self._size - reserved if reserved <= 32 else self._size
        self.pages = -(-os.fstat(self._file).st_size // self._size)
        self._latest: dict[int, int] = {}  # where the log has the newest version of a page
        self.frames = list(self._read_frames())
        self._latest = {frame.page: frame.offset for frame in self.frames if frame.sound}
        self.wal_whole = (self.wal_header_sound or not any(self._wal_header)) and all(
            frame.sound for frame in self.frames
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._file)
        if self._wal is not None:
            os.close(self._wal)

    def _read_frames(self) -> Iterator[Frame]:
        """The frames of the log that belong to its header; of a broken header, those that check out."""
        if self._wal is None:
            return
        salts = self._wal_header[16:24] if self.wal_header_sound else None
        order = ">" if not self.wal_header_sound or self._wal_header[3] & 1 else "<"
        sums = struct.unpack(">II", self._wal_header[24:32]) if self.wal_header_sound else None
        offset = _WAL_HEADER
        while len(header := self._read(self._wal, offset, _FRAME_HEADER)) == _FRAME_HEADER:
            page = self._read(self._wal, offset + _FRAME_HEADER, self._size)
            number, after, *_, first, second = struct.unpack(">6I", header)
            if salts is None or header[8:16] == salts:
                # Each is judged by the sum that the one before states: a broken frame breaks no other.
                sound = sums is not None and _checksum(header[:8] + page, sums, order) == (first, second)
                if not sound and not self.wal_header_sound and sums is not None:
                    order = "<" if order == ">" else ">"
                    sound = _checksum(header[:8] + page, sums, order) == (first, second)
                yield Frame(number, offset + _FRAME_HEADER, sound and len(page) == self._size, after > 0)
                sums = (first, second)
            offset += _FRAME_HEADER + self._size

    def rows(self, *, old: bool) -> Iterator[Row]:
        """Every row of every leaf that can be read, of the newest versions of the pages.

        old: also those of older versions, in the database under the log and in the log itself.
        """
        for number in range(1, self.pages + 1):
            if old or number not in self._latest:
                yield from self._rows_on(number, self._in_file(number))
        for number, offset in list(self._latest.items()):
            yield from self._rows_on(number, self._in_wal(offset))
        if old:
            for frame in self.frames:
                if frame.sound and self._latest.get(frame.page) != frame.offset:
                    yield from self._rows_on(frame.page, self._in_wal(frame.offset))

    def _rows_on(self, number: int, page: bytes) -> Iterator[Row]:
        start = 100 if number == 1 else 0
        if len(page) < start + 8 or page[start] not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
            return
        kind = page[start]
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        pointers = start + (12 if kind == _INDEX_INTERIOR else 8)
        for index in range(min(count, len(page) // 2)):
            at = int.from_bytes(page[pointers + 2 * index : pointers + 2 * index + 2], "big")
            try:
                yield self._row(page, at, kind)
            except (ValueError, IndexError, struct.error):
                continue  # this cell is hit; the next one may not be

    def _row(self, page: bytes, at: int, kind: int) -> Row:
        if kind == _INDEX_INTERIOR:
            at += 4
        length, at = _varint(page, at)
        rowid: int | None = None
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        if not 0 < length <= _MAX_PAYLOAD:
            raise ValueError("no payload is as long")
        usable = self._usable
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        local = length
        if length > most:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (usable - 4)
            local = local if local <= most else least
        payload = page[at : at + local]
        if local == length:
            return Row(rowid, _columns(payload, length))
        overflow = int.from_bytes(page[at + local : at + local + 4], "big")
        try:
            return Row(rowid, _columns(payload + self._overflow(overflow, length - local), length))
        except ValueError:  # the log may have used the page for something newer since
            return Row(rowid, _columns(payload + self._overflow(overflow, length - local, old=True), length))

    def _overflow(self, number: int, length: int, *, old: bool = False) -> bytes:
        found = bytearray()
        while number and len(found) < length:
            offset = None if old else self._latest.get(number)
            page = self._in_file(number) if offset is None else self._in_wal(offset)
            if len(page) < self._usable:
                raise ValueError("an overflow page is missing")
            found += page[4 : self._usable]
            number = int.from_bytes(page[:4], "big")
        return bytes(found[:length])

    def _in_file(self, number: int) -> bytes:
        return self._read(self._file, (number - 1) * self._size, self._size)

    def _in_wal(self, offset: int) -> bytes:
        return self._read(self._wal, offset, self._size)

    @staticmethod
    def _read(file: int | None, offset: int, size: int) -> bytes:
        """What is there; nothing where the disk itself cannot read it."""
        if file is None:
            return b""
        try:
            return os.pread(file, size, offset)
        except OSError:
            return b""

    def _page_size(self) -> int:
        if self.header[:16] == _MAGIC:
            stated = int.from_bytes(self.header[16:18], "big")
            if (stated or 0) == 1:
                return 65536
            if stated in _SIZES:
                return stated
        if self.wal_header_sound:
            return int.from_bytes(self._wal_header[8:12], "big")
        return max(_SIZES, key=self._leaves)  # the first of equals

    def _leaves(self, size: int) -> int:
        """How many rows the first pages give if a page is of `size` bytes."""
        self._size = self._usable = size
        self._latest = {}
        found = 0
        for number in range(2, _PROBED * 4096 // size + 2):
            page = self._read(self._file, (number - 1) * size, size)
            found += sum(isinstance(row.values[-1], str) for row in self._rows_on(number, page))
        return found


def _columns(payload: bytes, length: int) -> tuple[Value, ...]:
    """The columns of a record. Raises: ValueError, IndexError when it is none."""
    if len(payload) != length:
        raise ValueError("the payload is cut off")
    end, at = _varint(payload, 0)
    types = []
    while at < end:
        serial, at = _varint(payload, at)
        types.append(serial)
    values: list[Value] = []
    for serial in types:
        size = _INTEGER_BYTES.get(serial, 0) if serial < 12 else (serial - 12) // 2
        raw = payload[at : at + size]
        if len(raw) != size or serial in (7, 10, 11) or size > length:
            raise ValueError("no such column")
        at += size
        if serial >= 12:
            values.append(raw.decode("utf-8") if serial & 1 else raw)
        elif serial == 0:
            values.append(None)
        else:
            values.append(serial - 8 if serial >= 8 else int.from_bytes(raw, "big", signed=True))
    if at != length or not values:
        raise ValueError("the columns do not fill the payload")
    return tuple(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length integer at `at` (1.6), and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, at + 9


def _wal_header_sound(header: bytes) -> bool:
    if len(header) < _WAL_HEADER or header[:4] not in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"):
        return False
    order = ">" if header[3] & 1 else "<"
    known = int.from_bytes(header[8:12], "big") in _SIZES
    return known and _checksum(header[:24], (0, 0), order) == struct.unpack(">II", header[24:32])


def _checksum(data: bytes, sums: tuple[int, ...], order: str) -> tuple[int, int]:
    """The checksum of `data`, going on from `sums` (4.2)."""
    if len(data) % 8:
        return -1, -1  # a frame that is cut off has none
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second
