"""One file with all that is published, for terminals that no network reaches (see sync/carried_roster.py).

The same publication gives the same bytes: names in order, no times, no owners.
"""

from __future__ import annotations

import os
import re
import secrets
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.files import sync_directory
from sync.carried_roster import SUFFIX
from sync.central.published import Version, current, files_of
from sync.central.roles import PublishError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP can tell


@dataclass(frozen=True, slots=True)
class Bundle:
    """A .roster file that was written. files: in it."""

    path: Path
    version: int
    files: int
    size: int


def write_bundle(
    repository: Path, to: Path, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> Bundle:
    """Write what the directory `repository` publishes to the file `to`, or into the directory `to`.

    May run while central publishes. What was at that path stays unless the new one is whole.
    Raises: PublishError when nothing is published, or `to` is neither; OSError.
    """
    timestamp, version, files = _published(repository)
    number = version.timestamp.version
    path = to / f"campusgate-{number}{SUFFIX}" if to.is_dir() else to
    if path.suffix != SUFFIX or not path.parent.is_dir():
        raise PublishError(f"{to}: no such directory; is the stick mounted? (a file ends in {SUFFIX})")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=False, compresslevel=9) as made:
                for done, file in enumerate(files):
                    info = zipfile.ZipInfo(str(file.relative_to(repository)), _EPOCH)
                    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
                    is_timestamp = file.name == "timestamp.json"
                    made.writestr(info, timestamp if is_timestamp else file.read_bytes(), compresslevel=9)
                    progress(done + 1, len(files))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except zipfile.LargeZipFile as error:
        temporary.unlink(missing_ok=True)
        raise PublishError(
            "what is published is too much for one file: over 65,535 files or 4 GiB"
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return Bundle(path, number, len(files), path.stat().st_size)


def _published(repository: Path) -> tuple[bytes, Version, list[Path]]:
    """timestamp.json, what it points at, and all files of it, which stay for a day when others come."""
    metadata = repository / "metadata"
    while True:
        version = current(repository)
        if version is None:
            raise PublishError(f"{repository}: nothing is published; `campusgate roster publish` does")
        timestamp = (metadata / "timestamp.json").read_bytes()
        again = current(repository)
        if again and again.timestamp == version.timestamp:
            break
    roots = {file for file in metadata.iterdir() if re.fullmatch(r"\d+\.root\.json", file.name)}
    return timestamp, version, sorted(files_of(repository, version) | roots)
