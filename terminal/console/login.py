"""Logging in at the console: by name and password, or by a response that the maintenance key signed.

It never waits itself: it refuses, and says for how long it will go on refusing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import CampusgateError, KeyFileError
from config.keys import load_public
from hw.clock_sources import MachineSources
from terminal.console import accounts, attempts
from terminal.console.accounts import Accounts, AccountsError
from terminal.console.attempts import Attempts, boot_time
from terminal.console.challenge import Challenges
from terminal.console.response import ResponseRefused
from terminal.console.session import User
from terminal.provision import MAINTENANCE_KEY

NO_KEY = "logging in by key is off: this terminal was given no maintenance key"


class LoginRefused(CampusgateError):
    """Raised when somebody is not let in. reason: for the client; it does not tell whether a name exists.

    wait: seconds for which passwords are refused from now on.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        self.reason, self.wait = reason, wait
        super().__init__(reason)


class Login:
    """The login of one console. keys: the directory of the device's keys. device: its name."""

    def __init__(self, keys: Path, device: str, *, uptime: Callable[[], float] = boot_time) -> None:
        self._keys = keys
        self._accounts = Accounts(keys / accounts.FILE)
        self._attempts = Attempts(keys / attempts.FILE, boot=MachineSources().boot, uptime=uptime)
        self._challenges = Challenges(device, uptime=uptime)

    def wait(self) -> float:
        """Seconds for which passwords are refused from now on; 0.0 when they are not."""
        try:
            return self._attempts.wait()
        except OSError:
            return 0.0  # there is no such directory, hence no account

    def challenge(self) -> str | None:
        """The challenge to show now; None when logging in by key is off (see `NO_KEY`)."""
        return self._challenges.current().text if self._has_key else None

    def password(self, name: str, password: str) -> User:
        """Whoever has that name and password. Raises: LoginRefused."""
        try:
            if not self._accounts.exist:
                raise LoginRefused("nobody logs in by password here: this terminal has no accounts")
            if seconds := self._attempts.begin():
                raise LoginRefused(f"too many wrong passwords; {_for(seconds)}", seconds)
            account = self._accounts.verify(name, password)
            if account is None:
                seconds = self._attempts.wait()
                raise LoginRefused(f"name or password is wrong; {_for(seconds)}", seconds)
            self._attempts.succeeded()
        except AccountsError as error:
            raise LoginRefused(str(error), self.wait()) from error
        except OSError as error:
            raise LoginRefused(f"passwords cannot be checked: {error}") from error
        return User(account.name, account.role, "password")

    def response(self, text: str) -> User:
        """Whoever the maintenance key says is here. Raises: LoginRefused."""
        if not self._has_key:
            raise LoginRefused(NO_KEY)
        try:
            key = load_public(self._keys / MAINTENANCE_KEY, Ed25519PublicKey)
            answer = self._challenges.answered(text, key)
        except KeyFileError as error:
            raise LoginRefused(f"logging in by key is off: {error}") from error
        except ResponseRefused as refused:
            raise LoginRefused(f"the response {refused}") from refused
        return User(answer.name, answer.role, "key")

    def stands(self, user: User) -> bool:
        """Whether the account that `user` came in by is still there, in that role. Raises: AccountsError."""
        if user.via != "password":
            return True
        return any((one.name, one.role) == (user.name, user.role) for one in self._accounts.all())

    @property
    def _has_key(self) -> bool:
        return (self._keys / MAINTENANCE_KEY).exists()


def _for(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"try again in {whole} s" if whole < 120 else f"try again in {math.ceil(whole / 60)} minutes"
