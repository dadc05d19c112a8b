"""A console command: its words, who may give it, what it takes, an example, and what it does.

The same commands serve a person at a prompt and a laptop's tool in JSON lines: a command answers a document,
and whoever speaks with the client renders it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from config.errors import CampusgateError
from terminal.console.roles import Role
from terminal.console.session import Session

GROUP = "campusgate.console"
"""Entry points that each name a tuple of commands."""

Answer = Mapping[str, Any]
Arguments = Mapping[str, str]


class Refused(CampusgateError, ValueError):
    """Raised when a command cannot be carried out as it was given; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word that a command takes after its name.

    values: what it may be, for completion; the command itself checks what it gets. rest: takes all words that
    follow, joined by blanks.
    """

    name: str
    help: str
    values: Callable[[Session], Iterable[str]] | None = None
    optional: bool = False
    rest: bool = False

    @property
    def usage(self) -> str:
        """As it stands in a usage line."""
        shown = self.name.upper() + ("..." if self.rest else "")
        return f"[{shown}]" if self.optional else shown


@dataclass(frozen=True, slots=True)
class Command:
    """One command. name: its words, such as "show status". example: a whole line that works.

    role: the least that may give it. run: what it does; raises CampusgateError or OSError with what to do.
    render: its answer as lines of text, where the general way (console/render.py) is not good enough.
    changes: every giving of it is a record in the journal, whatever comes of it; others record what they did
    themselves. What is secret is never an argument.
    """

    name: str
    role: Role
    summary: str
    example: str
    run: Callable[[Session, Arguments], Answer]
    parameters: tuple[Parameter, ...] = ()
    render: Callable[[Answer], Iterable[str]] | None = None
    changes: bool = False
    words: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.name.split()))

    @property
    def usage(self) -> str:
        """The name and what follows it."""
        return " ".join([self.name, *(parameter.usage for parameter in self.parameters)])

    def arguments(self, given: list[str]) -> Arguments:
        """`given`, the words after the name, by parameter. Raises: Refused."""
        found: dict[str, str] = {}
        rest = list(given)
        for parameter in self.parameters:
            if not rest:
                if not parameter.optional:
                    raise Refused(f"{self.name}: {parameter.usage} is missing; usage: {self.usage}")
                break
            found[parameter.name] = " ".join(rest) if parameter.rest else rest[0]
            rest = [] if parameter.rest else rest[1:]
        if rest:
            raise Refused(f"{self.name}: {rest[0]!r:.60} is too much; usage: {self.usage}")
        return found


def one_answer(given: str, answers: Iterable[str], *, begun: bool = False) -> str:
    """Which of `answers` is meant, "" when that cannot be told. Case counts only where it alone tells.

    begun: the beginning of an answer is enough when it begins only one.
    """
    given = given.strip()
    for form in (str, str.lower):
        wanted = form(given)
        whole = [answer for answer in answers if form(answer) == wanted]
        if begun and wanted and not whole:
            whole = [answer for answer in answers if form(answer).startswith(wanted)]
        if len(whole) == 1:
            return whole[0]
    return ""


def installed() -> Iterator[Command]:
    """Every command of every package, sorted by name."""
    found: list[Command] = []
    for entry in entry_points(group=GROUP):
        found += entry.load()
    yield from sorted(found, key=lambda command: command.words)
