"""Errors a clerk or technician understands, from pydantic's.

Every problem becomes one line: source, key, the value found, what is allowed. Values of keys that name a
secret are not repeated, nor the user and password of a URL. The source is a file's name, or a function that
tells it, and the line, for a key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_SECRET = ("key", "password", "secret", "token")
_USER = re.compile(r"//\S*@")  # of a URL, with a password if it has one

Source = str | Callable[[tuple[str | int, ...]], str]


def explain(error: ValidationError, model: type[BaseModel], source: Source) -> list[str]:
    """One line for each problem in `error`, which validating `source` as `model` gave."""
    return [
        _line(problem, model, source if isinstance(source, str) else source(problem["loc"]))
        for problem in error.errors(include_url=False)
    ]


def without_secrets(text: str) -> str:
    """`text` with *** for user and password of each URL in it."""
    return _USER.sub("//***@", text)


def _line(problem: Any, model: type[BaseModel], source: str) -> str:
    location = tuple(problem["loc"])
    key = ".".join(str(part) for part in location) or "(whole file)"
    kind = problem["type"]
    if kind == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        allowed = ", ".join(sorted(_fields(owner))) if owner else "nothing"
        return f"{source}: {key}: unknown key; allowed here: {allowed}"
    if kind == "missing":
        return f"{source}: {key}: is missing; {_allowed(model, location)}"
    message = problem["msg"].removeprefix("Value error, ")
    shown = (
        ""
        if any(word in key.lower() for word in _SECRET)
        else f" {without_secrets(_written(problem['input'])):.80}"
    )
    return f"{source}: {key}:{shown} is not allowed: {message[0].lower()}{message[1:]}"


def _written(value: Any) -> str:
    """`value` as people write it: a date is 2026-12-01, not datetime.date(2026, 12, 1)."""
    if isinstance(value, dt.date | dt.time):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return repr(value)


def _allowed(model: type[BaseModel], location: tuple[Any, ...]) -> str:
    owner = _model_at(model, location[:-1])
    field = _fields(owner).get(str(location[-1])) if owner and location else None
    return f"it is {field.description}" if field and field.description else "it must be given"


def _model_at(model: type[BaseModel] | None, location: tuple[Any, ...]) -> type[BaseModel] | None:
    """The model that a path of keys leads to; an index or a key of a mapping leads to the item's model."""
    for part in location:
        if model is None:
            return None
        field = _fields(model).get(str(part))
        if field is not None:
            model = next(_models(field.annotation), None)
    return model


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of `model` by the keys that people write."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _models(argument)
