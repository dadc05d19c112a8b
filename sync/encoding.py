"""Content codings of a batch: which one central takes, and how to apply it.

Central says in `Accept-Encoding` of its answers what it takes (RFC 9110, 12.5.3); until then, and after a
415, batches go as they are. zstd is RFC 8878, gzip RFC 1952.
"""

from __future__ import annotations

import gzip

import zstandard

_PREFERRED = ("zstd", "gzip")


class Coding:
    """The coding for the next batch: `name`, "" for none."""

    def __init__(self) -> None:
        self.name = ""
        self._refused: set[str] = set()

    def learn(self, header: str | None) -> None:
        """Take up what central's Accept-Encoding says; without one nothing changes."""
        if header is not None:
            taken = accepted(header) - self._refused
            self.name = next((name for name in _PREFERRED if name in taken), "")

    def refused(self, header: str | None) -> bool:
        """Central answered 415: go on without this coding; False when there was none to do without."""
        if not self.name:
            return False
        self._refused.add(self.name)
        self.name = ""
        self.learn(header)
        return True

    def apply(self, data: bytes) -> bytes:
        """`data` in this coding."""
        if self.name == "zstd":
            return zstandard.ZstdCompressor().compress(data)
        return gzip.compress(data, compresslevel=6, mtime=0) if self.name == "gzip" else data


def accepted(header: str) -> set[str]:
    """The codings that an Accept-Encoding names, without those of weight 0 (RFC 9110, 12.4.2)."""
    names = set()
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        if name and weight.strip("0.") != "":
            names.add(name)
    return names
