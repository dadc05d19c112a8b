"""Tables for people and JSON for machines, the same for every benchmark."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=max(140, Console().width)).print(table)


def save(name: str, result: dict[str, Any], directory: Path) -> Path:
    """Write `result` with the machine it was measured on to `directory`/`name`.json; the file's path."""
    directory.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    path = directory / f"{name}.json"
    path.write_text(json.dumps({"on": machine, **result}, indent=1, ensure_ascii=False), "utf-8")
    return path


def quantile(values: Sequence[float], percent: int) -> float:
    """The `percent`-th percentile (1 to 99) of `values`."""
    return (
        statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
    )
