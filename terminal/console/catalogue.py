"""The commands there are: found by what was typed, completed, and explained."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator

from terminal.console.command import Command, Parameter, Refused
from terminal.console.roles import Role
from terminal.console.session import Session, User

SETUP = "setup"
"""How the user of a machine that is not provisioned came in."""

_BEFORE_PROVISIONING = ("provision", "provision done", "show version", "help")


class Catalogue:
    """The commands of one console: those given, and `help` on them."""

    def __init__(self, commands: Iterable[Command]) -> None:
        help_on = Command(
            "help",
            Role.OBSERVE,
            "the commands there are, or one of them explained",
            "help show status",
            lambda session, given: {"lines": self.help(given.get("command", ""), session.user)},
            (Parameter("command", "its name, or how it begins", optional=True, rest=True),),
            render=lambda answer: answer["lines"],
        )
        self.commands = (*commands, help_on)

    def allowed(self, user: User) -> Iterator[Command]:
        """Those that `user` may give."""
        for command in self.commands:
            if user.role.includes(command.role) and (
                user.via != SETUP or command.name in _BEFORE_PROVISIONING
            ):
                yield command

    def find(self, line: str, user: User) -> tuple[Command, list[str]]:
        """The command that `line` gives, and the words after its name. Raises: Refused."""
        words = split(line)
        found = [command for command in self.commands if words[: len(command.words)] == list(command.words)]
        if not found:
            raise Refused(f"{line!r:.60}: no such command{self._meant(line, user)}")
        command = max(found, key=lambda command: len(command.words))
        if user.via == SETUP and command.name not in _BEFORE_PROVISIONING:
            raise Refused(f"{command.name}: not before this machine is provisioned; see `help provision`")
        if not user.role.includes(command.role):
            raise Refused(f"{command.name}: is for the role {command.role}; {user.name} has {user.role}")
        return command, words[len(command.words) :]

    def asks(self, line: str) -> bool:
        """Whether `line` ends in a ? that asks what may come there, and is no part of free text."""
        words = line.rstrip("? ").split()
        begins = any(command.name.startswith(" ".join(words)) for command in self.commands)
        free = any(
            parameter.rest
            for command in self.commands
            if tuple(words[: len(command.words)]) == command.words
            for parameter in command.parameters[: len(words) - len(command.words)]
        )
        return line.endswith("?") and (begins or not free)

    def _meant(self, line: str, user: User) -> str:
        names = [command.name for command in self.allowed(user)]
        begun = [name for name in names if name.startswith(line.strip().lower())]
        near = begun or difflib.get_close_matches(line, names, n=3, cutoff=0.5)
        return f"; there is: {', '.join(near[:6])}" if near else "; `help` lists them"

    def completions(self, before: str, session: Session) -> Iterator[tuple[str, str]]:
        """What may come next after the text `before`, its last word being begun: word and what it is."""
        try:
            words = split(before)
        except Refused:
            return
        begun = words.pop() if words and not before[-1:].isspace() else ""
        seen: set[str] = set()
        for command in self.allowed(session.user):
            for word, what in self._next(command, words, session):
                if word.startswith(begun) and word not in seen:
                    seen.add(word)
                    yield word, what

    def _next(self, command: Command, words: list[str], session: Session) -> Iterable[tuple[str, str]]:
        if len(words) < len(command.words):
            if list(command.words[: len(words)]) == words:
                last = len(words) + 1 == len(command.words)
                yield command.words[len(words)], command.summary if last else ""
            return
        if list(command.words) != words[: len(command.words)]:
            return
        at = len(words) - len(command.words)
        if at < len(command.parameters) and (values := command.parameters[at].values):
            for value in values(session):
                yield value, command.parameters[at].help

    def overview(self, user: User, beginning: str = "") -> Iterator[str]:
        """A line for each command that `user` may give and that begins so."""
        shown = [command for command in self.allowed(user) if command.name.startswith(beginning)]
        width = max((len(command.usage) for command in shown), default=0)
        for command in shown:
            yield f"{command.usage:<{min(width, 34)}}  {command.summary}"

    def help(self, line: str, user: User) -> list[str]:
        """Help on the command that `line` names or begins, or on all of them. Raises: Refused."""
        shown = " ".join(line.split())
        if not shown:
            return list(self.overview(user))
        named = [command for command in self.allowed(user) if command.name == shown]
        others = list(self.overview(user, shown + " ")) if named else []
        if not named:
            lines = list(self.overview(user, shown))
            if lines:
                return lines
            named = [self.find(line, user)[0]]
        command = named[0]
        lines = [command.usage, f"  {command.summary}"]
        lines += [f"  {parameter.usage}: {parameter.help}" for parameter in command.parameters]
        lines += [f"  Role: {command.role}", "  Example:", f"    {command.example}"]
        return [*lines, *(["", *others] if others else [])]


def split(line: str) -> list[str]:
    """The words of `line`; quotes hold one together, as in a shell, and nothing else has a meaning.

    Raises: Refused.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise Refused(f"{line!r:.60}: a quote is not closed") from error
