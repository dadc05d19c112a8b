"""`provision`, `provision done`, `factory reset`: a machine becomes one terminal, and blank again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from config.errors import ControlError, SettingsError
from terminal.console import accounts
from terminal.console.accounts import Accounts
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.render import lines
from terminal.console.reset import PROCESSES, begin_reset, finish_reset
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.console.setup_draft import SetupDraft
from terminal.journal_file import JournalError
from terminal.journal_reader import JournalReader
from terminal.receipt import Receipt

_TRUST_LIMIT = 65_536  # bytes
_DELIVERED_WITHIN = 120  # looks, a half second apart, for central to have the record of the reset
_DISCARD = "discard-records"


def _provision(session: Session, given: Arguments) -> Answer:
    path = session.settings_path
    finish_reset(path)
    _refuse_a_terminal(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        SetupDraft(path).check(given["name"], given["place"])
    except SettingsError as error:  # before minutes go by with a file for nothing
        raise Refused(str(error)) from error
    session.line.say("send the trust file: what `campusgate central trust` gives")
    with TemporaryDirectory() as directory:
        trust_file = session.line.receive(Path(directory), _TRUST_LIMIT)
        try:
            installed = SetupDraft(path).begin(given["name"], given["place"], trust_file)
        except SettingsError as error:
            raise Refused(str(error).replace(f"{directory}/", "")) from error
    return {
        "device": given["name"],
        "place": given["place"],
        "public_key": installed.public_key,
        "account": installed.account,
        "password": installed.password,
        "next": "keep the password, it is not shown again; then `provision done`",
    }


def _with_key(answer: Answer) -> Iterator[str]:
    """As any answer, and the public key line by line, as a file has it and `register` wants it."""
    yield from lines({name: value for name, value in answer.items() if name not in ("public_key", "next")})
    yield f"public key, for `campusgate central register {answer['device']} {answer['device']}.pem`:"
    yield from answer["public_key"].splitlines()
    yield f"next  {answer['next']}"


def _provision_done(session: Session, given: Arguments) -> Answer:
    del given
    path, draft = session.settings_path, SetupDraft(session.settings_path)
    _refuse_a_terminal(path)
    if not draft.exists():
        raise Refused("nothing is begun: `provision NAME PLACE` first")
    settings = draft.settings()
    password = session.line.secret("the password that was shown, once more: ")
    if Accounts(settings.keys / accounts.FILE).verify(accounts.FIRST, password) is None:
        raise Refused("that is not the password shown last; `provision NAME PLACE` makes a new one")
    draft.finish()
    device = {"device": settings.device.name, "place": settings.device.place}
    session.record("provision", device)
    for process in PROCESSES:
        with contextlib.suppress(ControlError):
            session.ask(process, "restart")
    return device


def _refuse_a_terminal(path: Path) -> None:
    if path.exists():
        SetupDraft(path).clear()
        raise Refused(
            "this machine is a terminal already; log in to change its settings, or `factory reset NAME` "
            "makes it a blank machine"
        )


def _factory_reset(session: Session, given: Arguments) -> Answer:
    settings = session.settings()
    name, discard = settings.device.name, given.get("records") == _DISCARD
    if given["name"] != name:
        raise Refused(f"this terminal is {name}: `factory reset {name}`")
    if "records" in given and not discard:
        raise Refused(f"{given['records']!r:.40} is not allowed: {_DISCARD} or nothing")
    journal = JournalReader(settings.journal)
    if not discard:
        _refuse_what_waits(journal, settings.receipt, name)
    session.line.say(f"everything in {settings.state} will be deleted, and {name} is no more")
    if session.line.text("Its whole name, or no:") != name:  # `ask` takes the beginning of an answer for it
        raise Refused("nothing was done")
    before = 0 if discard else journal.newest()
    session.record("factory reset", {"device": name, "discard_records": discard})
    if not discard:
        _deliver(session, journal, settings.receipt, before, name)
    begin_reset(session.settings_path)
    finish_reset(session.settings_path)  # goes on when the line is lost
    return {
        "was": name,
        "next": f"`provision` makes it a terminal again, under a NEW name: record numbers begin at 1 again, "
        f"which central would take for a fork of {name}; revoke {name} there",
    }


def _refuse_what_waits(journal: JournalReader, receipt: Path, name: str) -> None:
    try:
        waiting = Receipt.load(receipt).lacking(journal.newest())
    except JournalError as error:
        raise Refused(f"{error}; `factory reset {name} {_DISCARD}` gives up what it holds") from error
    if waiting > 0:
        raise Refused(
            f"{waiting} records wait that central lacks: `records export` carries them there, or "
            f"`factory reset {name} {_DISCARD}` gives them up"
        )


def _deliver(session: Session, journal: JournalReader, receipt: Path, before: int, name: str) -> None:
    """Wait until central has the record of this reset too: it is the last that this terminal says."""
    session.line.say("waiting for central to have the record of this")
    for _ in range(_DELIVERED_WITHIN):
        newest = journal.newest()
        if before < newest and not Receipt.load(receipt).lacking(newest):
            return
        session.line.wait(0.5)
    raise Refused(
        "central does not have the record of this reset: terminal or sync daemon do not run, or there is no "
        f"network. Nothing was reset; try again, or `factory reset {name} {_DISCARD}`"
    )


COMMANDS = (
    Command(
        "provision",
        Role.ADMIN,
        "make this blank machine a terminal",
        "provision north-gate-1 north-gate",
        _provision,
        (
            Parameter("name", "the terminal's name at central: lower-case letters, digits and -"),
            Parameter("place", "the policy's name of the place where it stands"),
        ),
        _with_key,
    ),
    Command(
        "provision done",
        Role.ADMIN,
        "make it final, once the password is kept",
        "provision done",
        _provision_done,
    ),
    Command(
        "factory reset",
        Role.ADMIN,
        "delete keys, records and settings",
        "factory reset north-gate-1",
        _factory_reset,
        (
            Parameter("name", "this terminal's name, so that no other is reset by mistake"),
            Parameter(
                "records",
                f"{_DISCARD}: also when records wait that central lacks",
                lambda _: (_DISCARD,),
                optional=True,
            ),
        ),
    ),
)
