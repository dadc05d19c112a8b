"""One terminal after the other becomes what site.toml says, from a laptop at its console.

Each step is on the laptop's disk before the next one is taken, and each may be taken again: wherever the line
breaks, plugging the terminal in again goes on from there. A terminal is final only once its password is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.errors import CampusgateError
from config.keys import parse_public
from terminal.console.challenge import Challenge
from terminal.console.client import ConsoleClient, ConsoleRefused, Greeting, Replies
from terminal.console.response import Response, sign_response
from terminal.console.roles import Role
from terminal.console.site_file import Site, WantedTerminal
from terminal.console.site_ledger import PASSWORDS, Progress, SiteLedger
from terminal.console.site_settings import adapt


class ProvisioningError(CampusgateError, RuntimeError):
    """Raised when the terminal at the line is not to be, or cannot be, set up; says what to do."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who sets up: name, for the records, and the school's private maintenance key."""

    name: str
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to the terminal `name`: whether it was a blank machine, and the settings it got."""

    name: str
    made: bool
    changes: tuple[str, ...]


class Provisioning:
    """Sets up the terminals of `site`, kept account of in `ledger`.

    staff: logs in with the maintenance key, where given, instead of the ledger's passwords. say: is told of
    each step.
    """

    def __init__(
        self, site: Site, ledger: SiteLedger, staff: Staff | None, say: Callable[[str], None]
    ) -> None:
        self._site, self._ledger, self._staff, self._say = site, ledger, staff, say

    def serve(self, console: ConsoleClient, greeting: Greeting, only: str | None = None) -> Outcome:
        """Make the terminal that gave `greeting` what it is to be. only: the one name that it may have.

        Raises: ProvisioningError, ConsoleRefused; LineError, after which it may be served again; OSError.
        """
        made = not greeting.provisioned
        if made:
            self._make(console, only)
            console.exit()
            greeting = console.synchronise()
        terminal = self._wanted(greeting.device, only)
        self._log_in(console, terminal.name, greeting)
        changes = adapt(console, terminal, self._site.url)
        console.exit()
        self._ledger.finish(terminal)
        return Outcome(terminal.name, made, changes)

    def _make(self, console: ConsoleClient, only: str | None) -> None:
        """Make a blank machine the first terminal that no other machine is."""
        open_ = (Progress.WAITING, Progress.BEGUN)
        names = [one for one in self._site.terminals if only in (None, one.name)]
        for terminal in names:
            if self._ledger.progress(terminal) in open_ and self._begin(console, terminal):
                return
        if only:
            raise ProvisioningError(
                f"this machine is blank, and {only} is another machine; one that was reset, or replaces one, "
                "gets a name of its own in site.toml"
            )
        raise ProvisioningError(
            f"this machine is blank, and every terminal of {self._site.path} is another machine already"
        )

    def _begin(self, console: ConsoleClient, terminal: WantedTerminal) -> bool:
        name = terminal.name
        self._say(f"{name}: a blank machine becomes {name} at {terminal.place}")
        answer = console.do(
            f"provision {name} {terminal.place}", Replies(offer=("trust.json", self._site.trust))
        )
        public_key, account, password = (str(answer[key]) for key in ("public_key", "account", "password"))
        parse_public(public_key, Ed25519PublicKey, source=f"the key that {name} made")
        if self._ledger.password(name) and self._ledger.public_key(name) != public_key:
            # That one may be final and have the password that is kept here: it must not be overwritten.
            self._say(f"{name}: was begun on another machine, which is to be plugged in again")
            return False
        self._ledger.begin(name, public_key, account, password)
        console.do("provision done", Replies(secret=lambda _question: password))
        self._say(f"{name}: its key is in {name}.pem and its password in {PASSWORDS}")
        return True

    def _wanted(self, device: str | None, only: str | None) -> WantedTerminal:
        terminal = self._site.terminal(device or "")
        if terminal is None:
            raise ProvisioningError(
                f"the terminal at the line is {device}, which is not in {self._site.path}: it belongs to "
                "another site, or is to be added there"
            )
        if only and terminal.name != only:
            raise ProvisioningError(f"the terminal at the line is {device}, not {only}")
        return terminal

    def _log_in(self, console: ConsoleClient, name: str, greeting: Greeting) -> None:
        if self._staff:
            if greeting.challenge is None:
                raise ProvisioningError(f"{name}: has no maintenance key; leave --key away")
            asked = Challenge.parse(greeting.challenge)
            response = Response(asked.device, asked.nonce, self._staff.name, Role.ADMIN)
            console.login_with_response(sign_response(response, self._staff.key))
            return
        known = self._ledger.password(name)
        if known is None:
            raise ProvisioningError(
                f"{name}: is set up, but {self._ledger.directory / PASSWORDS} has no password of it: give "
                "--key, or the directory (--out) that it was set up with"
            )
        try:
            console.login_with_password(*known)
        except ConsoleRefused as refused:
            raise ProvisioningError(
                f"{name}: does not take the password in {PASSWORDS} ({refused}): it was changed, or this is "
                "another site's terminal of that name; give --key"
            ) from refused
