"""Commands about the staff's accounts. A password that is made is shown once, and kept nowhere in clear."""

from __future__ import annotations

from terminal.console import accounts
from terminal.console.accounts import MIN_PASSWORD, Account, Accounts
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.login import Login, LoginRefused
from terminal.console.roles import Role
from terminal.console.session import Session


def _accounts(session: Session) -> Accounts:
    return Accounts(session.settings().keys / accounts.FILE)


def _names(session: Session) -> list[str]:
    return [account.name for account in _accounts(session).all()]


def _roles(_session: Session) -> list[str]:
    return [str(role) for role in Role]


def _role(arguments: Arguments) -> Role:
    try:
        return Role(arguments["role"])
    except ValueError:
        raise Refused(f"{arguments['role']!r:.60} is no role: {', '.join(Role)}") from None


def _show(session: Session, _arguments: Arguments) -> Answer:
    return {"accounts": [_shown(account) for account in _accounts(session).all()]}


def _shown(account: Account) -> dict[str, str]:
    password = "made by the terminal" if account.made else "chosen"
    return {"name": account.name, "role": str(account.role), "password": password}


def _add(session: Session, arguments: Arguments) -> Answer:
    name, role = arguments["name"], _role(arguments)
    password = _accounts(session).add(name, role)
    return {"account": name, "role": str(role), "password": password, "note": _ONCE}


def _remove(session: Session, arguments: Arguments) -> Answer:
    _accounts(session).remove(arguments["name"])
    return {"removed": arguments["name"]}


def _change_role(session: Session, arguments: Arguments) -> Answer:
    name, role = arguments["name"], _role(arguments)
    _accounts(session).set_role(name, role)
    return {"account": name, "role": str(role)}


def _reset(session: Session, arguments: Arguments) -> Answer:
    password = _accounts(session).reset(arguments["name"])
    return {"account": arguments["name"], "password": password, "note": _ONCE}


def _password(session: Session, _arguments: Arguments) -> Answer:
    user, settings = session.user, session.settings()
    if user.via != "password":
        raise Refused("you did not log in with a password; an admin changes others' with: account reset NAME")
    old = session.line.secret("Old password: ")
    try:
        # As at the prompt: whoever finds an open session must not guess faster here.
        Login(settings.keys, settings.device.name).password(user.name, old)
    except LoginRefused as refused:
        raise Refused(refused.reason) from refused
    new = session.line.secret(f"New password, at least {MIN_PASSWORD} characters: ")
    if session.line.secret("The new password again: ") != new:
        raise Refused("the two differ; nothing is changed")
    _accounts(session).choose(user.name, new, device=settings.device.name)
    return {"account": user.name, "password": "changed"}


_ONCE = "shown this once: write it down or pass it on now"
_NAME = Parameter("name", "the account's name", _names)
_ROLE = Parameter("role", "what it may do: observe, maintain or admin", _roles)

COMMANDS = (
    Command(
        "show accounts",
        Role.ADMIN,
        "who may log in by password, and what they may do",
        "show accounts",
        _show,
    ),
    Command(
        "account add",
        Role.ADMIN,
        "make an account and show its password once",
        "account add liwei maintain",
        _add,
        (Parameter("name", "lower-case letters, digits and . _ -"), _ROLE),
        changes=True,
    ),
    Command(
        "account remove",
        Role.ADMIN,
        "remove an account; the last admin stays",
        "account remove liwei",
        _remove,
        (_NAME,),
        changes=True,
    ),
    Command(
        "account role",
        Role.ADMIN,
        "change what an account may do; the last admin stays one",
        "account role liwei admin",
        _change_role,
        (_NAME, _ROLE),
        changes=True,
    ),
    Command(
        "account reset",
        Role.ADMIN,
        "give an account a new password and show it once",
        "account reset liwei",
        _reset,
        (_NAME,),
        changes=True,
    ),
    Command(
        "password",
        Role.OBSERVE,
        "change your own password",
        "password",
        _password,
        changes=True,
    ),
)
