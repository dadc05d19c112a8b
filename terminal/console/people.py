"""People at the line: logging in, the prompt, and what a command answers as text."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

from config import VERSION
from config.errors import CampusgateError, SettingsError
from hw.serial_line import LineLost
from terminal.console import accounts, render
from terminal.console.catalogue import SETUP
from terminal.console.command import Refused
from terminal.console.login import NO_KEY, LoginRefused
from terminal.console.person import PersonDialogue
from terminal.console.prompt import Ended, Prompt
from terminal.console.roles import Role
from terminal.console.session import User
from terminal.console.staff import StaffSession, Station
from terminal.console.toolkit import Completions
from terminal.console.wire import Interrupted, Wire

TOOL_WORD = "json"
_KEY_WORD = "key"
_ERRORS = 20  # refused lines in a row after which the rest of a paste is thrown away
_DEFAULT_IDLE = 10.0  # minutes, while there are no settings
SETTER_UP = User("setup", Role.ADMIN, SETUP)

_WELCOME = """\
Name of an account, and its password. `key`: a challenge for the school's maintenance key instead.
`json`: for a laptop's tool. There is no default password; it was shown when this terminal was provisioned."""


class People:
    """Serves people on `wire`. ending: why the console is to stop, "" while it is not."""

    def __init__(self, station: Station, wire: Wire, ending: Callable[[], str]) -> None:
        self._station, self._wire, self._ending = station, wire, ending

    def serve(self) -> bool:
        """One session; False when the client asks for JSON lines instead. Raises: LineLost, Ended."""
        self._minutes: float | None = None  # nobody is logged out who is not logged in
        prompt = Prompt(self._wire, self._why_end)
        try:
            user = self._log_in(prompt)
            if user is None:
                return False
            self._session(prompt, user)
            return True
        finally:
            prompt.close()

    def _why_end(self) -> str:
        if self._minutes is not None and self._wire.silence > self._minutes * 60:
            return f"nothing was typed for {self._minutes:g} minutes"
        return self._ending()

    def _log_in(self, prompt: Prompt) -> User | None:
        """Who it is; None when it is a tool."""
        self._banner(prompt)
        for tries in itertools.count(1):
            if not self._station.provisioned:
                return self._setter_up(prompt)
            if tries % _ERRORS == 0:
                self._throw_away(prompt)
            try:
                name = prompt.line("login: ").strip()
                if name == TOOL_WORD:
                    return None
                if name in ("help", "?"):
                    prompt.show(_WELCOME.splitlines())
                elif accounts.NAME.fullmatch(name):
                    return self._checked(prompt, name)
                elif name:  # noise, more often than not: it is not to count as a guess at a password
                    prompt.show(["no account is named so; `help` says what there is"])
            except (Interrupted, EOFError):
                continue
            except LoginRefused as refused:
                prompt.show([str(refused)])
                self._hold(refused.wait)
            except SettingsError as error:
                prompt.show([*error.problems, "nobody can log in before these settings are mended"])
        raise AssertionError("there is always another try")

    @staticmethod
    def _throw_away(prompt: Prompt) -> None:
        """What is left of a paste, or of noise, that nobody is to wait for minutes to be read."""
        if prompt.discard():
            prompt.show(["too much of what came is of no use: the rest was thrown away"])

    def _setter_up(self, prompt: Prompt) -> User | None:
        while True:
            try:
                given = prompt.line("This machine is not provisioned. Return to begin: ").strip()
                return None if given == TOOL_WORD else SETTER_UP
            except (Interrupted, EOFError):
                continue

    def _checked(self, prompt: Prompt, name: str) -> User:
        """Raises: LoginRefused, SettingsError."""
        login = self._station.login()
        try:
            if name == _KEY_WORD:
                prompt.show(["challenge:", login.challenge() or NO_KEY])
                return login.response(prompt.line("response: ").strip())
            if seconds := login.wait():
                self._hold(seconds)
            return login.password(name, prompt.secret("password: "))
        except LoginRefused as refused:
            self._station.denied(refused.reason)
            raise

    def _hold(self, seconds: float) -> None:
        """Hear nothing for a while: guesses are not to be typed ahead."""
        until = time.monotonic() + min(seconds, 60.0)
        while time.monotonic() < until and not self._ending():
            self._wire.discard()
            try:
                self._wire.pause(min(0.2, max(0.0, until - time.monotonic())))
            except Interrupted:
                continue
        self._wire.discard()

    def _banner(self, prompt: Prompt) -> None:
        device = self._station.device()
        prompt.show(["", f"campusgate {VERSION} maintenance console{f': {device}' if device else ''}"])

    def _session(self, prompt: Prompt, user: User) -> None:
        session = StaffSession(self._station, user, PersonDialogue(self._wire, prompt, self._ending))
        reason = "the line was lost"
        session.record("login", {})
        try:
            prompt.measure()
            prompt.show([f"{user.name} ({user.role}). `help` lists the commands, ? explains, Tab completes."])
            self._minutes = self._idle_minutes()
            self._wire.begin()
            self._commands(prompt, session)
            reason = "logged out"
        except Ended as ended:
            reason = str(ended)
            prompt.show([f"logged out: {reason}"])
            if self._ending():
                raise
        finally:
            self._minutes = None
            session.record("logout", {"why": reason})

    def _idle_minutes(self) -> float:
        try:
            return float(self._station.settings().console.idle_minutes)
        except SettingsError:
            return _DEFAULT_IDLE

    def _commands(self, prompt: Prompt, session: StaffSession) -> None:
        """Until the client logs out. Raises: Ended, LineLost."""
        catalogue, refusals = self._station.catalogue, 0
        completions = Completions(lambda before: catalogue.completions(before, session))
        sign = "#" if session.user.role is Role.ADMIN else ">"
        provisioned = self._station.provisioned

        def explain(before: str) -> list[str]:
            return self._explain(before, session)

        while self._station.provisioned == provisioned:  # else the rights of this session are of before
            try:
                text = prompt.command(
                    f"{self._station.device() or 'setup'}{sign} ", completions, explain
                ).strip()
            except EOFError:
                return
            except Interrupted:
                text, refusals = "", refusals + 1
            if text in ("exit", "logout", "quit"):
                return
            if text:
                refusals = 0 if self._carry_out(prompt, session, text) else refusals + 1
            if reason := self._why_end():  # after a long command too: whoever gave it may have gone
                raise Ended(reason)
            if refusals >= _ERRORS:
                self._throw_away(prompt)
                refusals = 0

    def _carry_out(self, prompt: Prompt, session: StaffSession, text: str) -> bool:
        """Whether `text` was carried out; says what came of it. Raises: Ended, LineLost."""
        try:
            if self._station.catalogue.asks(text):
                text = f"help {text.rstrip('? ')}"
            command, answer = session.run(text)
            lines: Iterable[str] = (command.render or render.lines)(answer)
            prompt.show(lines, paged=True)
            return True
        except Interrupted:
            prompt.show(["^C"])
            return True
        except EOFError:
            prompt.show(["given up"])
        except (Ended, LineLost):
            raise
        except (CampusgateError, OSError) as error:
            prompt.show([f"! {line}" for line in str(error).splitlines()])
        return False

    def _explain(self, text: str, session: StaffSession) -> list[str]:
        try:
            return self._station.catalogue.help(text, session.user)
        except Refused as refused:
            return [str(refused)]


def described(user: User) -> dict[str, Any]:
    """`user` for a client."""
    return {"name": user.name, "role": str(user.role), "via": user.via}
