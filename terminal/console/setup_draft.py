"""A machine on its way to being a terminal: nothing counts before whoever sets it up has its password.

The settings are written beside the place where they belong, as NAME.draft, and one rename makes the machine
that terminal, after the password was given back. Until then everything may be done again: NAME.setup says,
from before the first key was made, that the keys that lie here belong to an attempt and not to a terminal.
"""

from __future__ import annotations

import json
from pathlib import Path

from config.errors import SettingsError
from config.files import sync_directory, write_atomic
from config.settings import Settings, load_settings, parse_settings
from terminal.install import Installed, TrustBundle, install
from terminal.provision import forget_keys, is_provisioned


class SetupDraft:
    """The attempt to make the machine whose settings are to be at `settings_path` a terminal."""

    def __init__(self, settings_path: Path) -> None:
        self._final = settings_path
        self._marker = settings_path.with_name(f"{settings_path.name}.setup")
        self._draft = settings_path.with_name(f"{settings_path.name}.draft")
        self._factory = settings_path.with_name("factory.toml")

    def begin(self, name: str, place: str, trust_file: Path) -> Installed:
        """Make keys, account and draft for `name` at `place`, in place of an earlier attempt.

        The device key of an earlier attempt under the same name is kept, so that who sets it up can tell this
        machine from another; the password is always a new one.
        Raises: SettingsError when the name, the trust file or factory.toml is wrong, or when the keys of a
        terminal are here; KeyFileError; OSError.
        """
        bundle = TrustBundle.load(trust_file)
        extra = self._factory_text()
        settings, begun = self._possible(name, place, bundle.url, extra)
        write_atomic(self._marker, json.dumps({"name": name}).encode())
        self._draft.unlink(missing_ok=True)
        forget_keys(settings, but_device_key=begun == name)
        return install(self._draft, name=name, place=place, trust_file=trust_file, extra=f"\n{extra}")

    def check(self, name: str, place: str) -> None:
        """Whether `begin` would take them, as far as can be said without a trust file. Raises: as `begin`."""
        self._possible(name, place, "https://central", self._factory_text())

    def _possible(self, name: str, place: str, url: str, extra: str) -> tuple[Settings, str | None]:
        """The settings that this machine would get, and the name of an attempt before."""
        settings = self._settings(name, place, url, extra)
        begun = self._begun()
        if begun is None and is_provisioned(settings):
            raise SettingsError(
                [
                    f"{settings.keys}: the keys of a terminal are here, but its settings are not: put them "
                    f"back to {self._final}, or remove {settings.state} to make it another terminal"
                ]
            )
        return settings, begun

    def settings(self) -> Settings:
        """What the draft says. Raises: SettingsError when there is none."""
        return load_settings(self._draft)

    def finish(self) -> None:
        """Make this machine the terminal of the draft, durably and at once. Raises: OSError."""
        self._draft.replace(self._final)
        sync_directory(self._final.parent)
        self.clear()

    def abandon(self) -> None:
        """Undo an attempt that was not finished, with the account whose password may be in nobody's hands.

        Raises: SettingsError, OSError.
        """
        if self.exists():
            forget_keys(self.settings(), but_device_key=False)
            self._draft.unlink()
        self.clear()

    def clear(self) -> None:
        """Forget that there was an attempt, once it became a terminal. Raises: OSError."""
        self._marker.unlink(missing_ok=True)

    @property
    def begun(self) -> bool:
        """Whether there was an attempt that has not become a terminal."""
        return self._marker.exists()

    def exists(self) -> bool:
        """Whether there is a draft to finish."""
        return self._draft.exists()

    def _factory_text(self) -> str:
        return self._factory.read_text("utf-8") if self._factory.exists() else ""

    def _begun(self) -> str | None:
        """The name of the attempt that was not finished; None when there was none, "" when it is unknown."""
        try:
            return str(json.loads(self._marker.read_bytes())["name"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return ""

    def _settings(self, name: str, place: str, url: str, extra: str) -> Settings:
        text = (
            f"[device]\nname = {json.dumps(name)}\nplace = {json.dumps(place)}\n"
            f"[central]\nurl = {json.dumps(url)}\n{extra}"
        )
        source = f"{name} with {self._factory}" if extra else name
        return parse_settings(text, source=source, base=self._final.parent.absolute())
