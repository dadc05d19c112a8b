"""Which settings central may change on a terminal, and laying them over those of the local file.

The list is closed, and nothing on it says where central is, whom to trust, or what hangs on a pin: what
central can break from afar, central can mend from afar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from config.reference import allowed_values
from config.settings import Settings
from config.validation import explain

CENTRAL_MAY_SET = (
    "sync.batch_records",
    "sync.batch_bytes",
    "sync.poll_seconds",
    "sync.backoff_seconds",
    "sync.roster_seconds",
)


@dataclass(frozen=True, slots=True)
class Overlaid:
    """Settings with central's on top. applied: what central's are. warnings: a line for each left out."""

    settings: Settings
    applied: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def overlaid(settings: Settings, values: Mapping[str, object]) -> Overlaid:
    """`settings` with those of `values` that central may set; one that is not allowed hurts only itself."""
    applied: dict[str, object] = {}
    warnings: list[str] = []
    for key, value in values.items():
        try:
            table, changed = _changed(settings, key, value)
        except ValueError as error:
            warnings.append(str(error))
            continue
        settings = settings.model_copy(update={table: changed})
        applied[key] = value
    return Overlaid(settings, applied, tuple(warnings))


def check_value(key: str, value: object) -> None:
    """Raises: ValueError naming key, value and what is allowed, when central may not set it so."""
    table, _, name = key.partition(".")
    model = _table(table) if key in CENTRAL_MAY_SET else None
    _validated(key, {name: value}, model)


def allowed_keys() -> str:
    """What central may set, and to what, in one line."""
    return ", ".join(f"{key} ({_allowed(key)})" for key in CENTRAL_MAY_SET)


def _changed(settings: Settings, key: str, value: object) -> tuple[str, BaseModel]:
    table, _, name = key.partition(".")
    if key not in CENTRAL_MAY_SET:
        return table, _validated(key, {}, None)
    before: BaseModel = getattr(settings, table)
    return table, _validated(key, before.model_dump() | {name: value}, type(before))


def _validated(key: str, values: Mapping[str, object], model: type[BaseModel] | None) -> BaseModel:
    if model is None:
        raise ValueError(f"{key[:80]}: is not for central to set; it may set {allowed_keys()}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        table = key.partition(".")[0]
        raise ValueError("; ".join(explain(error, model, f"[{table}]"))) from error


def _table(name: str) -> type[BaseModel]:
    table: type[BaseModel] = Settings.model_fields[name].annotation  # type: ignore[assignment]
    return table


def _allowed(key: str) -> str:
    table, _, name = key.partition(".")
    return allowed_values(_table(table).model_json_schema()["properties"][name])
