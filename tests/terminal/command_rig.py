"""A gate of the town that takes commands, and somebody at central who gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from terminal.command_desk import CommandDesk
from terminal.events import COMMAND
from terminal.journal import JournalReader
from terminal.orders import Command, dump_orders
from terminal.records import unseal
from tests.terminal.world import DEVICE, NOW, RECORD_KEY, Rig


@dataclass
class SetDiagnosis:
    """A diagnosis that a test finishes."""

    details: Mapping[str, Any] | None = None


def command(identity: str = "c1", do: str = "unlock", *, issued: float = -5, expires: float = 55) -> Command:
    """A command; times in seconds from NOW."""
    return Command(identity, do, NOW + timedelta(seconds=issued), NOW + timedelta(seconds=expires))


class CommandRig(Rig):
    """A rig whose town is its own, so that orders can be published in it."""

    def start(self) -> None:
        super().start()
        self.diagnosis = SetDiagnosis()
        self.begun = 0  # diagnoses
        self.desk = CommandDesk(
            device=DEVICE,
            place=self.place,
            shelf=self.shelf,
            journal=self.journal,
            portal=self.portal,
            clock=self.clock,
            diagnose=self._diagnose,
        )

    def _diagnose(self) -> SetDiagnosis:
        self.begun += 1
        return self.diagnosis

    def order(self, *commands: Command, device: str = DEVICE) -> None:
        """Publish these orders and no others, let them reach the terminal, and let it look."""
        documents = {device: dump_orders(DEVICE, commands, {})}
        self.town.repository.publish_recent(orders=lambda: documents)
        self.look()

    def look(self) -> None:
        self.shelf.refresh()
        self.desk.look()

    def told(self) -> list[tuple[str, str, str]]:
        """Id, what to do and outcome of every command's record."""
        return [(said["command"], said["do"], said["outcome"]) for said in self.said()]

    def said(self) -> list[dict[str, Any]]:
        """Every command's record, opened."""
        events = JournalReader(self.directory / "journal.db").after(0, records=10_000, size=10**8)
        return [unseal(event, RECORD_KEY) for event in events if event.type == COMMAND]
