"""Options, and values of options, that several commands of central share."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from terminal.declaration import Declaration, Symptom

site_option = click.option(
    "--dir",
    "-d",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("central"),
    show_default=True,
    help="The central's directory.",
)

_COLDEST, _HOTTEST = 300, 450  # tenths of a degree: what codes and roster lines can carry


SYMPTOMS = tuple(str(symptom.name).lower() for symptom in Symptom)


def celsius(text: str) -> int:
    """Degrees Celsius with at most one decimal (R18), such as 36.5, as tenths of a degree.

    Raises: click.BadParameter.
    """
    try:
        tenths = Decimal(text) * 10
        good = tenths.is_finite() and tenths == int(tenths) and _COLDEST <= tenths <= _HOTTEST
    except InvalidOperation:
        good = False
    if not good:
        raise click.BadParameter(
            f"{text!r} is not 30.0 to 45.0 degrees Celsius with one decimal, such as 36.5"
        )
    return int(tenths)


def symptoms_of(names: Iterable[str]) -> Symptom:
    """Symptoms by their names of `SYMPTOMS`."""
    found = Symptom(0)
    for name in names:
        found |= Symptom[name.upper()]
    return found


def declaration(text: str) -> Declaration:
    """A declaration in one word, such as 36.4,cough,contact or well. Raises: click.BadParameter."""
    words = [word for word in text.lower().split(",") if word not in ("", "well")]
    heats = [word for word in words if word != "contact" and word not in SYMPTOMS]
    if len(heats) > 1 or (heats and not heats[0][:1].isdigit()):
        allowed = f"a temperature, contact, well, {', '.join(SYMPTOMS)}; with commas between"
        raise click.BadParameter(f"{heats[-1]!r} is not allowed: {allowed}")
    heat = celsius(heats[0]) if heats else None
    return Declaration(heat, symptoms_of(word for word in words if word in SYMPTOMS), "contact" in words)
