"""The versions of a settings file: each commit one, with who, when and why; and a commit that undoes itself.

Beside campusgate.toml lies the directory campusgate.history: 000007.toml is version 7 as it was, 000007.json
says whose it is, unconfirmed.json what comes back unless somebody confirms. That is a confirmed commit as in
RFC 6241, 8.4: a deadline, a restart of the machine before it also undoes, and a further commit confirms.

Every file is written whole or not at all, in an order that a power cut may end anywhere: first what the
version will be (.json), then what is to come back, then the settings file itself, then the version (.toml).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from config.errors import CommitRefused, SettingsError
from config.files import sync_directory, write_atomic
from config.settings import Settings, parse_settings
from config.single import AlreadyRunning, Single
from config.unconfirmed import BootTime, Marker, MarkerDamaged, Unconfirmed, boot_time

log = logging.getLogger(__name__)

BY_HAND = "by hand"
ITSELF = "campusgate"


@dataclass(frozen=True, slots=True)
class Version:
    """One version. at: RFC 3339, by the system clock. by: a user, "by hand" (an editor) or "campusgate"."""

    number: int
    at: str
    by: str
    comment: str
    sha256: str


class SettingsHistory:
    """The settings file at `path` and its versions. Any number of processes and threads may have one.

    clock: what tells the time that deadlines are kept by.
    """

    def __init__(self, path: Path, clock: Callable[[], BootTime] = boot_time) -> None:
        self.path = path.resolve()  # a link stays a link
        self.clock = clock
        self._base = path.parent.absolute()
        self.directory = self.path.with_suffix(".history")
        self._marker = Marker(self.directory / "unconfirmed.json")

    def versions(self) -> list[Version]:
        """All versions, the oldest first; one whose files are damaged is left out. Raises: OSError."""
        found = []
        for file in sorted(self.directory.glob("[0-9]*.toml")):
            try:
                version = Version(**json.loads(file.with_suffix(".json").read_bytes()))
            except (OSError, ValueError, TypeError):
                continue
            if digest(file.read_bytes()) == version.sha256:
                found.append(version)
        return found

    def text(self, number: int) -> str:
        """The text of a version. Raises: CommitRefused when there is none or it was not UTF-8; OSError."""
        if number not in [version.number for version in self.versions()]:
            raise CommitRefused(f"there is no version {number}; `show history` has those there are")
        try:
            return self._file(number).read_bytes().decode()
        except UnicodeDecodeError as error:
            raise CommitRefused(f"version {number} is not UTF-8 text") from error

    def good(self) -> Iterator[tuple[int, Settings]]:
        """The versions that are valid settings, with these, the newest first. Raises: OSError."""
        for version in reversed(self.versions()):
            with suppress(SettingsError, CommitRefused):
                yield version.number, self._parse(self.text(version.number))

    def on_disk(self) -> bytes:
        """The settings file as it is; empty when there is none. Raises: OSError."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def unchanged_since(self, on: str) -> None:
        """Raises: CommitRefused when the settings file is no longer the one with the SHA-256 `on` (hex)."""
        if on != digest(self.on_disk()):
            raise CommitRefused(
                "the settings file was changed since the candidate was begun: `compare`, then `discard` it"
            )

    def commit(self, text: str, by: str, comment: str = "", *, on: str | None = None) -> Version:
        """Put `text` in force, durably. It confirms what waits to be confirmed.

        on: SHA-256 (hex) of the file that the text was made from; another one is refused.
        Raises: SettingsError when the text is not valid; CommitRefused; OSError, the old text then stays.
        """
        with self.alone():
            self._check(text, on)
            version = self._put(text.encode(), by, comment)
            self._marker.forget()
            return version

    def commit_confirmed(
        self, text: str, by: str, minutes: float, comment: str = "", *, on: str | None = None
    ) -> Version:
        """Put `text` in force for `minutes`; without `confirm` what was before comes back (`revert_if_due`).

        While another such commit waits, it is what was before that one. Raises: as `commit`.
        """
        with self.alone():
            self._check(text, on)
            waiting, newest = self.unconfirmed(), self._newest()
            back_to = waiting.back_to if waiting else newest.number if newest else 0
            try:
                self._parse(self.text(back_to))
            except (SettingsError, CommitRefused) as error:
                raise CommitRefused(
                    f"there are no good settings to come back to ({error}); `commit` needs none"
                ) from error
            now, number = self.clock(), self._free()
            marker = Unconfirmed(number, back_to, by, now.boot, now.seconds + 60 * minutes)
            return self._put(text.encode(), by, comment, marker)

    def unconfirmed(self) -> Unconfirmed | None:
        """The commit that waits to be confirmed. Raises: MarkerDamaged, OSError."""
        return self._marker.read()

    def confirm(self) -> Version:
        """Keep what waits to be confirmed: the version now in force. Raises: CommitRefused, OSError."""
        with self.alone():
            with suppress(MarkerDamaged):
                waiting = self.unconfirmed()
                if waiting is None:
                    raise CommitRefused("nothing waits to be confirmed")
                if not waiting.seconds_left(self.clock()):
                    raise CommitRefused(f"it is too late: version {waiting.back_to} comes back")
                self._still_good(waiting)
            self._marker.forget()
            return self.versions()[-1]

    def revert_if_due(self, restart: Callable[[Version], None] = lambda _: None) -> Version | None:
        """Put back what was before a commit that nobody confirmed in time; that version if it was due.

        restart: makes the processes take it up; called before the commit is forgotten, so that it is called
        again if this process dies in it. Raises: CommitRefused, OSError; the next call tries again.
        """
        waiting = self.unconfirmed()
        if waiting is None or waiting.seconds_left(self.clock()):
            return None
        with self.alone():
            if self.unconfirmed() != waiting:
                return None
            number, before = self._before(waiting)
            version = self._newest()
            if version is None or version.sha256 != digest(before):
                version = self._put(before, ITSELF, f"not confirmed: back to version {number}")
            restart(version)
            self._marker.forget()
            return version

    def forget_unconfirmed(self) -> None:
        """Let nothing come back by itself any more; for who holds the settings alone. Raises: OSError."""
        self._marker.forget()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the settings against everybody else; what was edited by hand becomes a version first.

        Raises: CommitRefused when somebody else holds them; OSError.
        """
        new = not self.directory.exists()
        try:
            with closing(Single(self.directory, "settings")):
                if new:
                    sync_directory(self.directory.parent)
                self._keep()
                yield
        except AlreadyRunning as error:
            raise CommitRefused("somebody else is changing the settings just now; try again") from error

    def _keep(self) -> None:
        """Make a version of what is on disk unless the newest is that."""
        data, newest = self.on_disk(), self._newest()
        if not data or (newest and newest.sha256 == digest(data)):
            return None
        number = self._free()
        try:  # a commit that was cut short after the settings file was written
            if Version(**json.loads(self._about(number).read_bytes())).sha256 == digest(data):
                return write_atomic(self._file(number), data)
        except (OSError, ValueError, TypeError):
            pass
        self._intend(number, data, BY_HAND, "" if newest else "as it was before the first commit")
        return write_atomic(self._file(number), data)

    def _put(self, data: bytes, by: str, comment: str, marker: Unconfirmed | None = None) -> Version:
        number = self._free()
        version = self._intend(number, data, by, comment)
        waited = self._marker.put(marker) if marker else None
        try:
            write_atomic(self.path, data)
        except OSError:
            if marker and self.on_disk() != data:  # nothing waits that could not be put in force
                self._marker.restore(waited)
            raise
        try:
            write_atomic(self._file(number), data)
        except OSError as error:  # it is in force all the same, and `_keep` makes up for its copy
            log.error("%s: cannot be written yet: %s", self._file(number), error.strerror)
        return version

    def _intend(self, number: int, data: bytes, by: str, comment: str) -> Version:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        version = Version(number, at, by, comment, digest(data))
        write_atomic(self._about(number), json.dumps(asdict(version), ensure_ascii=False).encode())
        return version

    def _before(self, waiting: Unconfirmed) -> tuple[int, bytes]:
        """What comes back: where that version is damaged, the newest good one before it."""
        try:
            return waiting.back_to, self.text(waiting.back_to).encode()
        except CommitRefused:
            for number, _ in self.good():
                if number < waiting.back_to:
                    return number, self.text(number).encode()
            raise

    def _check(self, text: str, on: str | None) -> None:
        self._parse(text)
        if text.encode() == self.on_disk():
            raise CommitRefused("these settings are in force already: there is nothing to commit")
        if on is not None:
            self.unchanged_since(on)

    def _parse(self, text: str) -> Settings:
        return parse_settings(text, source=self.path.name, base=self._base)

    def _still_good(self, waiting: Unconfirmed) -> None:
        """What was committed was; an editor may have been at it since. Raises: CommitRefused, OSError."""
        try:
            self._parse(self.on_disk().decode())
        except (SettingsError, UnicodeDecodeError) as error:
            raise CommitRefused(
                f"the settings file was broken since by hand ({error}): mend it, or let version"
                f" {waiting.back_to} come back"
            ) from error

    def _newest(self) -> Version | None:
        return next(reversed(self.versions()), None)

    def _free(self) -> int:
        """The number of the version to come."""
        return max((int(file.stem) for file in self.directory.glob("[0-9]*.toml")), default=0) + 1

    def _file(self, number: int) -> Path:
        return self.directory / f"{number:06}.toml"

    def _about(self, number: int) -> Path:
        return self.directory / f"{number:06}.json"


def last_good(path: Path) -> Settings | None:
    """The newest valid version of the settings file `path`; None when there is none. Raises: OSError."""
    return next((settings for _, settings in SettingsHistory(path).good()), None)


def digest(data: bytes) -> str:
    """What names a text here: its SHA-256 (FIPS 180-4), hex."""
    return sha256(data).hexdigest()
