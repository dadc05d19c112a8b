"""Commands are found, completed and explained; nothing that is typed does more."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.console.catalogue import Catalogue, split
from terminal.console.command import Command, Parameter, Refused, installed
from terminal.console.roles import Role
from terminal.console.session import User

ADMIN = User("li", Role.ADMIN, "password")
OBSERVER = User("wu", Role.OBSERVE, "password")


def command(name: str, role: Role = Role.OBSERVE, *parameters: Parameter) -> Command:
    return Command(name, role, f"does {name}", name, lambda _, given: dict(given), parameters)


CATALOGUE = Catalogue(
    [
        command("show status"),
        command(
            "show settings", Role.OBSERVE, Parameter("key", "a key", lambda _: ["relay.pin"], optional=True)
        ),
        command("commit", Role.ADMIN, Parameter("comment", "why", optional=True, rest=True)),
        command("commit confirmed", Role.ADMIN, Parameter("minutes", "until", optional=True)),
        command("set", Role.ADMIN, Parameter("key", "which"), Parameter("value", "to what", rest=True)),
    ]
)


def test_the_longest_name_that_fits_is_meant() -> None:
    assert CATALOGUE.find("commit because it rains", ADMIN)[0].name == "commit"
    found, rest = CATALOGUE.find("commit confirmed 5", ADMIN)
    assert (found.name, rest) == ("commit confirmed", ["5"])


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("?", True),
        ("show?", True),
        ("show settings relay?", True),
        ("commit?", True),
        ("commit confi?", True),  # it may mean `commit confirmed`: better help than a commit
        ("commit confirmed?", True),
        ("set relay?", True),
        ("commit is it done?", False),
        ("set device.place where?", False),
        ("show status", False),
    ],
)
def test_a_question_mark_asks_unless_it_ends_free_text(line: str, asks: bool) -> None:
    assert CATALOGUE.asks(line) is asks


def test_what_is_unknown_is_refused_with_what_is_near() -> None:
    with pytest.raises(Refused, match="show status"):
        CATALOGUE.find("shw status", ADMIN)
    with pytest.raises(Refused, match="show status, show settings"):
        CATALOGUE.find("show", ADMIN)


def test_a_role_may_do_what_the_lower_ones_may_and_no_more() -> None:
    assert CATALOGUE.find("show status", ADMIN)
    with pytest.raises(Refused, match="is for the role admin; wu has observe"):
        CATALOGUE.find("set relay.pin 4", OBSERVER)
    assert [c.name for c in CATALOGUE.allowed(OBSERVER)] == ["show status", "show settings", "help"]


def test_before_provisioning_nothing_is_allowed_but_provisioning() -> None:
    with pytest.raises(Refused, match="not before this machine is provisioned"):
        CATALOGUE.find("set relay.pin 4", User("setup", Role.ADMIN, "setup"))


def test_words_are_counted() -> None:
    found, rest = CATALOGUE.find("set relay.pin", ADMIN)
    with pytest.raises(Refused, match=r"set: VALUE... is missing; usage: set KEY VALUE..."):
        found.arguments(rest)
    found, rest = CATALOGUE.find("show settings a b", ADMIN)
    with pytest.raises(Refused, match="'b' is too much"):
        found.arguments(rest)
    found, rest = CATALOGUE.find("set thermal.areas [1, 2]", ADMIN)
    assert found.arguments(rest) == {"key": "thermal.areas", "value": "[1, 2]"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ["commit", "help", "set", "show"]),
        ("sh", ["show"]),
        ("show ", ["settings", "status"]),
        ("show settings ", ["relay.pin"]),
        ("show settings x", []),
        ("commit ", ["confirmed"]),
        ("'", []),
    ],
)
def test_tab_completes_commands_and_values(before: str, after: list[str]) -> None:
    session = SimpleNamespace(user=ADMIN)
    assert sorted(word for word, _ in CATALOGUE.completions(before, session)) == after


def test_help_explains_with_an_example() -> None:
    text = "\n".join(CATALOGUE.help("commit confirmed", ADMIN))
    assert "commit confirmed [MINUTES]" in text
    assert "Example:" in text
    assert len(CATALOGUE.help("show", OBSERVER)) == 2
    with pytest.raises(Refused):
        CATALOGUE.help("dance", OBSERVER)


@given(st.text(max_size=60))
def test_any_line_is_a_command_or_refused(line: str) -> None:
    session = SimpleNamespace(user=ADMIN)
    list(CATALOGUE.completions(line, session))
    with suppress(Refused):
        found, rest = CATALOGUE.find(line, ADMIN)
        assert split(line)[: len(found.words)] == list(found.words)
        found.arguments(rest)


def test_each_installed_command_has_an_example_that_is_found_as_itself() -> None:
    commands = list(installed())
    catalogue = Catalogue(commands)
    assert len({found.name for found in commands}) == len(commands)
    for one in commands:
        found, rest = catalogue.find(one.example, ADMIN)
        assert found is one, one.example
        found.arguments(rest)
        assert one.summary[0].islower()
        assert not one.summary.endswith(".")
        assert all(parameter.help for parameter in one.parameters)
