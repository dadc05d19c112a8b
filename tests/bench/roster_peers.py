"""What a school might do instead: one signed SQLite file, or one signed JSON file.

Both are honest: the whole file is hashed and its Ed25519 signature checked at start. Neither can notice a
byte that changes afterwards.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from terminal.person import Person


def write_sqlite(people: Iterable[Person], file: Path, key: Ed25519PrivateKey) -> None:
    """People as a table with the number as its key, and a signature of the file's digest beside it."""
    file.unlink(missing_ok=True)
    db = sqlite3.connect(file)
    db.execute("create table person (sub text primary key, name, kind, status, keys) without rowid")
    rows = ((p.subject, p.name, str(p.kind), str(p.status), b"".join(p.keys)) for p in people)
    with db:
        db.executemany("insert into person values (?, ?, ?, ?, ?)", rows)
    db.close()
    sign(file, key)


def write_json(people: Iterable[Person], file: Path, key: Ed25519PrivateKey) -> None:
    """People as one JSON object by number, and a signature of the file's digest beside it."""
    everyone = {
        p.subject: [p.name, str(p.kind), str(p.status), [base64.b64encode(k).decode() for k in p.keys]]
        for p in people
    }
    file.write_text(json.dumps(everyone, ensure_ascii=False, separators=(",", ":")), "utf-8")
    sign(file, key)


def sign(file: Path, key: Ed25519PrivateKey) -> None:
    """Write the signature of `file`'s digest beside it."""
    file.with_suffix(".sig").write_bytes(key.sign(_digest(file)))


def checked(file: Path, key: bytes) -> Path:
    """`file`, hashed whole and its signature verified. Raises: InvalidSignature."""
    Ed25519PublicKey.from_public_bytes(key).verify(file.with_suffix(".sig").read_bytes(), _digest(file))
    return file


def _digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


class SqliteRoster:
    """Looks people up in the table; the file was verified once, at start."""

    def __init__(self, file: Path, key: bytes) -> None:
        self._db = sqlite3.connect(f"{checked(file, key).absolute().as_uri()}?mode=ro", uri=True)

    def person(self, subject: str) -> object:
        """The row of `subject`, or None."""
        return self._db.execute("select * from person where sub = ?", (subject,)).fetchone()


class JsonRoster:
    """Looks people up in memory; the file was verified once, at start."""

    def __init__(self, file: Path, key: bytes) -> None:
        self._everyone: dict[str, object] = json.loads(checked(file, key).read_bytes())

    def person(self, subject: str) -> object:
        """What is known of `subject`, or None."""
        return self._everyone.get(subject)
