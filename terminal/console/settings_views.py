"""What the console shows of the settings: each with its value and origin, and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from config.candidate_file import CandidateFile
from config.errors import ControlError, SettingsError
from config.reference import every_setting, tables
from config.settings_history import SettingsHistory
from config.shown import shown
from config.unconfirmed import MarkerDamaged
from terminal.console.command import Answer, Arguments, Refused
from terminal.console.session import Session


def show_settings(session: Session, arguments: Arguments) -> Answer:
    """Every setting in force, or those of the table or key that is named."""
    wanted = arguments.get("key", "")
    if wanted and wanted not in every_setting() and wanted not in tables():
        raise Refused(f"show settings: there is no {wanted!r:.60}; the tables are {', '.join(tables())}")
    notes: list[str] = []
    central: Mapping[str, object] = {}
    try:
        central = session.ask("sync", "status").get("settings_from_central", {})
    except (ControlError, SettingsError) as error:
        notes.append(f"what central has set is not known: {error}")
    history = SettingsHistory(session.settings_path)
    text = CandidateFile(history).present()
    lines = shown(text, central, source=history.path.name, base=base(session))
    notes += waiting(history)
    if CandidateFile(history).load():
        notes.append("a candidate is not in force yet: see `compare`")
    return {
        "settings": [
            asdict(line)
            for line in lines
            if not wanted or line.key == wanted or line.key.startswith(f"{wanted}.")
        ],
        "notes": notes,
    }


def settings_lines(answer: Answer) -> Iterable[str]:
    """The answer of `show_settings` as text; of one setting all there is to say."""
    settings = answer["settings"]
    for setting in settings:
        yield f"{setting['key']:<24} {as_text(setting['value']):<32} {setting['origin']}"
        if len(settings) == 1:
            yield f"  {setting['description']}"
            yield f"  it takes {setting['allowed']}"
            default = f"its default is {as_text(setting['default'])}"
            yield "  it must be given" if setting["required"] else f"  {default}"
    yield from answer["notes"]


def as_text(value: object) -> str:
    """A value as somebody would type it; "none" for one that is absent."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def show_history(session: Session, arguments: Arguments) -> Answer:
    """The versions, the newest first, and what waits."""
    del arguments
    history = SettingsHistory(session.settings_path)
    candidate = CandidateFile(history).load()
    notes = waiting(history)
    if candidate:
        notes.append(f"a candidate of {candidate.by}, {candidate.at}, is not in force yet: see `compare`")
    return {"versions": [asdict(version) for version in reversed(history.versions())], "notes": notes}


def history_lines(answer: Answer) -> Iterable[str]:
    """The answer of `show_history` as text."""
    for version in answer["versions"]:
        yield f"{version['number']:>6}  {version['at']}  {version['by']:<16} {version['comment']}".rstrip()
    if not answer["versions"]:
        yield "no versions yet: the first commit makes them"
    yield from answer["notes"]


def waiting(history: SettingsHistory) -> list[str]:
    """A line that says what comes back when, if something waits to be confirmed."""
    try:
        waiting = history.unconfirmed()
    except MarkerDamaged as damaged:
        return [str(damaged)]
    if not waiting:
        return []
    seconds = round(waiting.seconds_left(history.clock()))
    return [f"`confirm` within {seconds} s, or version {waiting.back_to} comes back"]


def base(session: Session) -> Path:
    """Where the relative paths of the settings start, for a candidate as for the file."""
    return session.settings_path.parent.absolute()


def keys(session: Session) -> Iterable[str]:
    """What completes a key."""
    del session
    return every_setting()


def keys_and_tables(session: Session) -> Iterable[str]:
    """What completes a key or a table."""
    return [*tables(), *keys(session)]


def numbers(session: Session) -> Iterable[str]:
    """What completes a version."""
    return [str(version.number) for version in SettingsHistory(session.settings_path).versions()]
