"""The demo's live table in the shell, and the one picture that shows the demo."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from terminal.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from tests.sim.demo import Demo, Row
    from tests.sim.props import Image

_SHOWN = 14  # rows
_COLOURS = {"allow": "green", "deny": "red", "refer": "yellow"}


class Table:
    """Shows `demo` as it runs: live on a terminal, line by line elsewhere, not at all when quiet."""

    def __init__(self, demo: Demo, url: str, *, quiet: bool) -> None:
        self._demo, self._url = demo, url
        self._stage = ""
        self._network = True
        self._console = Console(file=sys.stdout, quiet=quiet)
        self._live = Live(
            console=self._console,
            auto_refresh=self._console.is_terminal and not quiet,
            get_renderable=self._render,
            refresh_per_second=4,
            transient=False,
        )
        self._quiet = quiet
        self._welcome: tuple[Image | None, bytes] = (None, b"")  # the last who was let in: camera and screen

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live.start()
        else:
            self._print(f"the gate's screen and the records: {self._url}")
            self._print("  ".join(HEADINGS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def say(self, stage: str) -> None:
        """Tell what is going on."""
        self._stage = stage
        if not self._live.is_started:
            self._console.print(stage)

    def show(self, row: Row) -> None:
        """Take notice of an answer."""
        self._stage = ""
        if self._demo.watcher and row.answer.get("verdict") == "allow":
            self._welcome = (self._demo.camera_view, self._demo.screen_at(row.guest.place))
        if not self._live.is_started:
            if row.network != self._network:
                self._network = row.network
                self._print(f"--- network {'up' if row.network else 'down'}")
            self._print("  ".join(cells(row)))

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def summary(self, summary: Mapping[str, Any]) -> str:
        """The end of the run in a few lines."""
        verdicts = ", ".join(f"{verdict} {count}" for verdict, count in summary["verdicts"].items())
        times = ", ".join(f"{name} {value} ms" for name, value in summary["frame_to_relay_ms"].items())
        waiting = summary["records_written"] - summary["records_at_central"] if summary["stopped"] else 0
        lines = [
            f"scans          {summary['scans']}: {verdicts}",
            f"frame to relay {times or '-'}",
            f"records        {summary['records_written']} written, {summary['records_at_central']} at central"
            f", {summary['lost']} lost, {summary['duplicated']} duplicated",
            *(f"UNEXPECTED     {line}" for line in summary["unexpected"]),
            *(
                [f"stopped        {waiting} records still waited on the terminal"]
                if summary["stopped"]
                else []
            ),
            "everything as it should be" if summary["ok"] else "NOT as it should be",
        ]
        return "\n".join(lines)

    def save_picture(self, path: Path) -> None:
        """Save the camera's view, the gate's screen and the newest rows as one JPEG."""
        from tests.sim.picture import compose

        rows = [(cells(row), row.answer.get("verdict", "")) for row in self._demo.rows]
        path.write_bytes(compose(*self._welcome, HEADINGS, rows))

    def _render(self) -> Group:
        wide = self._console.width
        shown = HEADINGS if wide >= _WIDEST else HEADINGS[:_USUAL] if wide >= _WIDE else _NARROW
        columns = [number for number, name in enumerate(HEADINGS) if name in shown]
        table = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number in columns:
            width = _WIDTHS[number]
            table.add_column(HEADINGS[number], no_wrap=True, width=width)
        for row in list(self._demo.rows)[-_SHOWN:]:
            style = _COLOURS.get(row.answer.get("verdict", ""), "white")
            line = cells(row)
            table.add_row(
                *(line[number] for number in columns),
                style=style if row.as_expected else f"bold reverse {style}",
            )
        network = "up" if self._demo.link.up else "DOWN: records queue on the terminal"
        of = f" of {self._demo.scans}" if self._demo.scans else ""
        done = sum(self._demo.tally.verdicts.values())
        central = self._demo.watcher.at_central if self._demo.watcher else 0
        state = f"scan {done}{of}   network {network}   at central {central}"
        return Group(
            table,
            Text(state, style="bold"),
            Text(f"{self._url}   Ctrl-C stops", style="dim"),
            Text(self._stage, style="italic"),
        )


HEADINGS = (
    "time UTC",
    "name",
    "who",
    "verdict",
    "reason",
    "°C",
    "ms",
    "queue",
    "central",
    "place",
    "counts as",
)
_WIDTHS = (8, 11, 16, 9, 22, 4, 6, 5, 7, 10, 18)
_WIDEST = 130  # columns of the shell, for all of them
_USUAL = 9  # of them in a shell of
_WIDE = 100  # columns; fewer show only these:
_NARROW = ("time UTC", "name", "verdict", "reason", "°C", "queue", "central")


def cells(row: Row) -> tuple[str, ...]:
    """One answer as the table's cells."""
    answer = row.answer
    reason = (answer.get("reasons") or [""])[0]
    said = SENTENCES[Reason(reason)].en if reason else "no answer"
    return (
        answer.get("at", "")[11:19],
        answer.get("name", "") or "-",
        str(row.guest.visit),
        answer.get("verdict", "none") + ("" if row.as_expected else " (!)"),
        said,
        answer.get("celsius", ""),
        f"{answer.get('ms', 0):.1f}",
        str(row.waiting),
        str(row.at_central),
        row.guest.place,
        ", ".join(answer.get("marks", [])),
    )
