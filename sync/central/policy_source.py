"""policy.toml as it is written: read, merged with the files that it includes, every key with its line.

`include = ["timetable.toml"]` at the top takes other files of the same directory in, as if they were written
here: tables are merged, arrays appended, and a key that two files give is an error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.errors import SettingsError
from sync.central.toml_lines import Key, Spot, locate

_INCLUDE = "include"
_LINE = re.compile(r"\(at line (\d+)")
_MOST = 4_194_304  # bytes of one file: four times what terminals take


@dataclass(frozen=True, slots=True)
class Source:
    """A policy before it is judged. texts: of every file, in order. spots: where each key stands."""

    document: dict[str, Any]
    spots: Spot
    texts: tuple[str, ...]

    def where(self, path: Iterable[Key]) -> str:
        """File and line of a key, such as "policy.toml:12"."""
        spot = self.spots.find(path)
        return f"{spot.source}:{spot.line}"


def read_source(path: Path) -> Source:
    """The policy in the file `path` and in those that it includes.

    Raises: SettingsError naming file and line.
    """
    text, document, spots = _read(path)
    included = document.pop(_INCLUDE, [])
    if not isinstance(included, list) or not all(isinstance(name, str) for name in included):
        where = f"{path}:{spots.find([_INCLUDE]).line}"
        raise SettingsError([f'{where}: {_INCLUDE}: a list of files is allowed, such as ["timetable.toml"]'])
    texts = [text]
    for number, name in enumerate(included):
        where = f"{path}:{spots.find([_INCLUDE, number]).line}: {_INCLUDE}"
        odd = not name or "\0" in name or Path(name).name != name
        if odd or name == path.name or name in included[:number]:
            raise SettingsError(
                [f"{where}: {name!r} is not allowed: another file of the same directory, named once"]
            )
        try:
            text, more, more_spots = _read(path.with_name(name))
        except OSError as error:
            raise SettingsError([f"{where}: {name!r} cannot be read: {error.strerror}"]) from error
        if _INCLUDE in more:
            at = more_spots.find([_INCLUDE])
            raise SettingsError([f"{at.source}:{at.line}: {_INCLUDE}: only {path.name} may include files"])
        _merge(document, spots, more, more_spots, ())
        texts.append(text)
    return Source(document, spots, tuple(texts))


def _read(path: Path) -> tuple[str, dict[str, Any], Spot]:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise SettingsError([f"{path}: is larger than {_MOST} bytes, which no terminal takes"])
        text = data.decode("utf-8-sig")  # Windows' editor puts a mark before the text
        return text, tomllib.loads(text), locate(text, str(path))
    except UnicodeDecodeError as error:
        at = str(error.object[: error.start].count(b"\n") + 1)
        raise SettingsError([f"{path}:{at}: is not UTF-8; save it as UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        told = _LINE.search(str(error))  # it ends in "(at line 3, column 5)" or "(at end of document)"
        at = told[1] if told else str(text.count("\n") + 1)
        raise SettingsError([f"{path}:{at}: is not TOML: {error}"]) from error
    except RecursionError as error:
        raise SettingsError([f"{path}: has brackets in brackets, too deep to be read"]) from error


def _merge(
    into: dict[str, Any], into_spots: Spot, more: dict[str, Any], more_spots: Spot, path: tuple[str, ...]
) -> None:
    """Put `more` into `into`. Raises: SettingsError when both have a key that is no table and no array."""
    for key, value in more.items():
        spot = more_spots.below[key]
        if key not in into:
            into[key], into_spots.below[key] = value, spot
            continue
        there, there_spot = into[key], into_spots.below[key]
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, there_spot, value, spot, (*path, key))
        elif isinstance(there, list) and isinstance(value, list):
            for number in range(len(value)):
                there_spot.below[len(there) + number] = spot.below[number]
            there += value
        else:
            name = ".".join((*path, key))
            known = f"{there_spot.source}:{there_spot.line}"
            raise SettingsError([f"{spot.source}:{spot.line}: {name}: is given in {known} already"])
