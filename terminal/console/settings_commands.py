"""The console's commands about settings: look, edit a candidate, put it in force, and take that back.

What is in force changes by `commit` and `confirm` alone. A candidate may be wrong as a whole while it is
edited, keys that belong together being set one by one; what is wrong with it is told at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from config.candidate import changes, difference, with_value, without
from config.candidate_file import CandidateFile
from config.errors import KeyFileError, SettingsError
from config.settings import Settings, parse_settings
from config.settings_history import SettingsHistory
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.restarting import restarted, told
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.console.settings_views import (
    as_text,
    base,
    history_lines,
    keys,
    keys_and_tables,
    numbers,
    settings_lines,
    show_history,
    show_settings,
    waiting,
)
from terminal.overview import PROCESSES
from terminal.provision import device_key

_CANDIDATE = "candidate"


def _set(session: Session, arguments: Arguments) -> Answer:
    key, value = arguments["key"], arguments["value"]
    return _edit(session, lambda text: with_value(text, key, value, source=_CANDIDATE))


def _unset(session: Session, arguments: Arguments) -> Answer:
    return _edit(session, lambda text: without(text, arguments["key"], source=_CANDIDATE))


def _edit(session: Session, change: Callable[[str], str]) -> Answer:
    file = CandidateFile(SettingsHistory(session.settings_path))
    return _state(session, file, file.edit(change, session.user.name).text)


def _state(session: Session, file: CandidateFile, text: str) -> Answer:
    """What the candidate changes, and what is wrong with it as a whole."""
    problems: tuple[str, ...] = ()
    try:
        parse_settings(text, source=_CANDIDATE, base=base(session))
    except SettingsError as error:
        problems = error.problems
    return {"changed": _changed(file, text), "problems": list(problems)}


def _state_lines(answer: Answer) -> Iterable[str]:
    for key, (old, new) in answer["changed"].items():
        yield f"{key}: {as_text(old)} -> {as_text(new)}"
    if not answer["changed"]:
        yield "the candidate changes nothing"
    for problem in answer["problems"]:
        yield f"not to be committed yet: {problem}"


def _compare(session: Session, arguments: Arguments) -> Answer:
    del arguments
    history = SettingsHistory(session.settings_path)
    file = CandidateFile(history)
    candidate = file.load()
    before = history.on_disk().decode("utf-8", "replace")
    return {"diff": difference(before, candidate.text, history.path.name) if candidate else []}


def _diff_lines(answer: Answer) -> Iterable[str]:
    return answer["diff"] or ["no candidate: nothing differs from what is in force"]


def _discard(session: Session, arguments: Arguments) -> Answer:
    del arguments
    CandidateFile(SettingsHistory(session.settings_path)).discard()
    return {"candidate": None}


def _commit(session: Session, arguments: Arguments) -> Answer:
    return _put_in_force(session, None, arguments.get("comment", ""))


def _commit_confirmed(session: Session, arguments: Arguments) -> Answer:
    text = arguments.get("minutes", "5")
    minutes = _number(text)
    if not 1 <= minutes <= 60:
        raise Refused(f"commit confirmed: minutes {text!r:.20} are not allowed: 1 to 60")
    return _put_in_force(session, minutes, "")


def _put_in_force(session: Session, minutes: int | None, comment: str) -> Answer:
    history = SettingsHistory(session.settings_path)
    file = CandidateFile(history)
    candidate = file.load()
    if candidate is None:
        raise Refused("commit: no candidate: nothing differs from what is in force; see `set`, `rollback`")
    changed = _changed(file, candidate.text)
    if "storage.state" in changed:
        _need_keys(session, candidate.text)
    running_by = _settings(session) if "storage.run" in changed else None
    by = session.user.name
    if minutes:
        version = history.commit_confirmed(candidate.text, by, minutes, on=candidate.on)
    else:
        version = history.commit(candidate.text, by, comment, on=candidate.on)
        file.settle()
    details = {"version": version.number, "changed": changed}
    details |= {"confirm_within_minutes": minutes} if minutes else {"comment": comment}
    session.record("commit", details)
    notes = waiting(history)
    if any(key.startswith("console.") for key in changed):
        notes.append("the console itself takes up [console] when it is next started")
    return {**details, "processes": restarted(session, PROCESSES, running_by), "notes": notes}


def _commit_lines(answer: Answer) -> Iterable[str]:
    yield f"version {answer['version']} is in force"
    for key, (old, new) in answer["changed"].items():
        yield f"  {key}: {as_text(old)} -> {as_text(new)}"
    yield from told(answer["processes"])
    yield from answer["notes"]


def _confirm(session: Session, arguments: Arguments) -> Answer:
    del arguments
    history = SettingsHistory(session.settings_path)
    version = history.confirm()
    CandidateFile(history).settle()
    session.record("confirm", {"version": version.number})
    return {"version": version.number, "confirmed": True}


def _rollback(session: Session, arguments: Arguments) -> Answer:
    number = _number(arguments["version"])
    history = SettingsHistory(session.settings_path)
    file = CandidateFile(history)
    old = history.text(number)
    file.replace(old, session.user.name)
    return {"version": number, **_state(session, file, old)}


def _rollback_lines(answer: Answer) -> Iterable[str]:
    yield from _state_lines(answer)
    yield f"version {answer['version']} is the candidate, not in force yet: `compare`, then `commit`"


def _changed(file: CandidateFile, text: str) -> dict[str, list[object]]:
    try:
        before = file.present()
    except SettingsError:
        before = ""
    return {key: list(pair) for key, pair in changes(before, text).items()}


def _number(text: str) -> int:
    """`text` as a number that counts something; 0 when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0


def _settings(session: Session) -> Settings | None:
    """Those in force; None when they are broken, and so nothing can run by them."""
    with suppress(SettingsError):
        return session.settings()
    return None


def _need_keys(session: Session, text: str) -> None:
    """A terminal that loses its state directory is no longer one, and nobody can log in to say otherwise."""
    settings = parse_settings(text, source=_CANDIDATE, base=base(session))
    try:
        device_key(settings)
    except KeyFileError as error:
        raise Refused(
            f"commit: {settings.state} does not hold the keys of this terminal; move them first: {error}"
        ) from error


_KEY = Parameter("key", "a setting with its table, such as relay.pin", keys)

COMMANDS = (
    Command(
        "show settings",
        Role.OBSERVE,
        "every setting in force, or one, or one table: value and where it comes from",
        "show settings relay",
        show_settings,
        (Parameter("key", "a setting or a table", keys_and_tables, optional=True),),
        settings_lines,
    ),
    Command(
        "show history",
        Role.OBSERVE,
        "the versions of the settings: when, by whom, why",
        "show history",
        show_history,
        render=history_lines,
    ),
    Command(
        "compare",
        Role.OBSERVE,
        "what the candidate changes in the settings file, as a diff",
        "compare",
        _compare,
        render=_diff_lines,
    ),
    Command(
        "set",
        Role.ADMIN,
        "set a key in the candidate; nothing is in force before `commit`",
        "set relay.pin 27",
        _set,
        (_KEY, Parameter("value", "a word, or a value as TOML has it", rest=True)),
        _state_lines,
    ),
    Command(
        "unset",
        Role.ADMIN,
        "take a key out of the candidate, so that its default holds",
        "unset inputs.tamper",
        _unset,
        (_KEY,),
        _state_lines,
    ),
    Command("discard", Role.ADMIN, "forget the candidate", "discard", _discard),
    Command(
        "commit",
        Role.ADMIN,
        "put the candidate in force and restart what uses it",
        "commit relay moved to pin 27",
        _commit,
        (Parameter("comment", "why, for the history", optional=True, rest=True),),
        _commit_lines,
    ),
    Command(
        "commit confirmed",
        Role.ADMIN,
        "the same, but what was before comes back by itself unless you `confirm` in time",
        "commit confirmed 5",
        _commit_confirmed,
        (Parameter("minutes", "1 to 60; 5 when not given", optional=True),),
        _commit_lines,
    ),
    Command("confirm", Role.ADMIN, "keep what `commit confirmed` put in force", "confirm", _confirm),
    Command(
        "rollback",
        Role.ADMIN,
        "make an older version the candidate; then `compare` and `commit`",
        "rollback 3",
        _rollback,
        (Parameter("version", "a number from `show history`", numbers),),
        _rollback_lines,
    ),
)
