"""Making a machine a terminal: the settings file, the keys, and the trust that central handed out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.errors import SettingsError
from config.files import write_atomic
from config.settings import parse_settings
from terminal.console import accounts
from terminal.console.accounts import Accounts
from terminal.console.roles import Role
from terminal.provision import provision

_SETTINGS = """\
# A campusgate terminal. Every key, its default and what is allowed: campusgate terminal settings
[device]
name = {name}
place = {place}

[central]
url = {url}
"""


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """What central hands to a new terminal: nothing secret, but it must come by a way that is trusted.

    url: central's. root: bytes of TUF root.json. central_key_pem: the key that records are sealed to.
    maintenance_key_pem: the public half of the key that staff log in by, if the school has one.
    """

    url: str
    root: bytes
    central_key_pem: str
    maintenance_key_pem: str | None = None

    def dump(self) -> str:
        """The bundle as JSON text."""
        root = base64.b64encode(self.root).decode("ascii")
        document = {"url": self.url, "root": root, "record_key": self.central_key_pem}
        if self.maintenance_key_pem is not None:
            document["maintenance_key"] = self.maintenance_key_pem
        return json.dumps(document, indent=2)

    @classmethod
    def load(cls, path: Path) -> TrustBundle:
        """The bundle in the file `path`. Raises: SettingsError when it is not one."""
        try:
            document = json.loads(path.read_text("utf-8"))
            root = base64.b64decode(document["root"], validate=True)
            key = _text(document["maintenance_key"]) if "maintenance_key" in document else None
            return cls(_text(document["url"]), root, _text(document["record_key"]), key)
        except OSError as error:
            raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                [f"{path}: is not what `campusgate central trust` writes ({error})"]
            ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


@dataclass(frozen=True, slots=True)
class Installed:
    """What a machine has become. public_key: PEM, for central to register.

    account: whom the first password is for. password: to be shown this once; None when there was one before.
    """

    public_key: str
    account: str
    password: str | None = field(repr=False)


def install(path: Path, *, name: str, place: str, trust_file: Path, extra: str = "") -> Installed:
    """Write the settings file `path` unless it is there, make the keys and the first account.

    What is already here stays as it is. extra: more TOML for the settings file.
    Raises: SettingsError, KeyFileError, OSError.
    """
    bundle = TrustBundle.load(trust_file)
    # JSON strings are TOML basic strings.
    text = (
        _SETTINGS.format(name=json.dumps(name), place=json.dumps(place), url=json.dumps(bundle.url)) + extra
    )
    if path.exists():
        text = path.read_text("utf-8")
    settings = parse_settings(text, source=str(path), base=path.parent.absolute())
    if settings.device.name != name or settings.device.place != place:
        raise SettingsError(
            [f"{path}: is already {settings.device.name} at {settings.device.place}; remove it to start over"]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    settings.state.mkdir(parents=True, exist_ok=True)
    public_key = provision(
        settings,
        central_key_pem=bundle.central_key_pem,
        root=bundle.root,
        maintenance_key_pem=bundle.maintenance_key_pem,
    )
    if not path.exists():
        write_atomic(path, text.encode())
    staff = Accounts(settings.keys / accounts.FILE)
    password = (
        None if staff.exist else staff.add(accounts.FIRST, Role.ADMIN)
    )  # last: it cannot be asked for again
    return Installed(public_key, accounts.FIRST, password)
