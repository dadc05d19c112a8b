"""Content codings of request bodies (RFC 9110, 8.4): gzip and zstd, never more than a bound when unpacked."""

from __future__ import annotations

import zlib

import zstandard

from config.errors import CampusgateError

ACCEPTED = "zstd, gzip"
_WINDOW = 8_388_608  # bytes, what RFC 9659 has every decoder support
_GZIP = 16 + zlib.MAX_WBITS


class CodingError(CampusgateError, ValueError):
    """Raised when a body is not what its Content-Encoding says."""


class TooLarge(CampusgateError, ValueError):
    """Raised when a body unpacks to more than is allowed."""


def decoded(data: bytes, coding: str, limit: int) -> bytes:
    """`data` unpacked, at most `limit` bytes. coding: of ACCEPTED, or "identity", in lower case.

    Raises: CodingError; TooLarge before more than that is in memory; LookupError for any other coding.
    """
    match coding:
        case "" | "identity":
            return data
        case "gzip" | "x-gzip":
            plain = _gunzip(data, limit)
        case "zstd":
            plain = _unzstd(data, limit)
        case _:
            raise LookupError(coding)
    if len(plain) > limit:
        raise TooLarge(f"at most {limit} bytes")
    return plain


def _gunzip(data: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise CodingError(f"the body is not gzip: {error}") from error
    if len(plain) <= limit and (not stream.eof or stream.unused_data):
        raise CodingError("the body is not one whole gzip member")
    return plain


def _unzstd(data: bytes, limit: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        with decompressor.stream_reader(data) as stream:
            return stream.read(limit + 1)
    except (zstandard.ZstdError, MemoryError) as error:
        raise CodingError(f"the body is not zstd: {error}") from error
