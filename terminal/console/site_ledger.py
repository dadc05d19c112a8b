"""What a laptop keeps of the terminals it sets up: public keys, passwords, and how far each one is.

Everything is on disk before the terminal is told so: NAME.pem, then the password in passwords.csv (0600),
then progress.json. A name with a password belongs to the machine with the key in NAME.pem, and to no other.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from config.errors import SettingsError
from config.files import write_atomic
from terminal.console.site_file import WantedTerminal

PASSWORDS = "passwords.csv"
_PROGRESS = "progress.json"
_COLUMNS = ("terminal", "account", "password")


class Progress(StrEnum):
    """How far a terminal is."""

    WAITING = "waiting"  # nothing was done
    BEGUN = "begun"  # its key and password are here; the terminal may be final or not
    CHANGED = "changed"  # it was as site.toml said then, and site.toml says something else now
    DONE = "done"  # it is as site.toml says


class SiteLedger:
    """The ledger in `directory`, which is made. Raises: SettingsError when it is damaged; OSError."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._passwords = _passwords(directory / PASSWORDS)
        self._done = _progress(directory / _PROGRESS)

    def progress(self, terminal: WantedTerminal) -> Progress:
        """How far `terminal` is."""
        if terminal.name in self._done:
            same = self._done[terminal.name] == _digest(terminal)
            return Progress.DONE if same else Progress.CHANGED
        return Progress.BEGUN if terminal.name in self._passwords else Progress.WAITING

    def public_key(self, name: str) -> str | None:
        """The PEM of the machine that has `name`."""
        path = self.directory / f"{name}.pem"
        return path.read_text("ascii") if path.exists() else None

    def password(self, name: str) -> tuple[str, str] | None:
        """Account and password of `name`."""
        return self._passwords.get(name)

    def begin(self, name: str, public_key: str, account: str, password: str) -> None:
        """Keep key and password of `name`, durably. Raises: OSError."""
        write_atomic(self.directory / f"{name}.pem", public_key.encode())
        passwords = {**self._passwords, name: (account, password)}
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows((device, *known) for device, known in sorted(passwords.items()))
        write_atomic(self.directory / PASSWORDS, text.getvalue().encode(), mode=0o600)
        self._passwords = passwords

    def finish(self, terminal: WantedTerminal) -> None:
        """Note that `terminal` is as site.toml says. Raises: OSError."""
        done = {**self._done, terminal.name: _digest(terminal)}
        write_atomic(self.directory / _PROGRESS, json.dumps(done, indent=1).encode())
        self._done = done


def _digest(terminal: WantedTerminal) -> str:
    """Changes with anything that site.toml says of it."""
    wanted = [terminal.place, sorted(terminal.settings.items())]
    return hashlib.sha256(json.dumps(wanted, default=str).encode()).hexdigest()


def _passwords(path: Path) -> Mapping[str, tuple[str, str]]:
    try:
        rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    except FileNotFoundError:
        return {}
    except (ValueError, csv.Error) as error:
        raise SettingsError([f"{path}: is no CSV in UTF-8: {error}"]) from error
    if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise SettingsError([f"{path}: its columns are not {', '.join(_COLUMNS)}"])
    return {name: (account, password) for name, account, password in rows[1:]}


def _progress(path: Path) -> Mapping[str, str]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            [f"{path}: is damaged; remove it: what is done is found out again at each terminal"]
        ) from error
    return {str(name): str(one) for name, one in document.items()} if isinstance(document, dict) else {}
