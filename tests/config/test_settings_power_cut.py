"""Settings through a kill or a power cut at every step: old or new, whole, and never a lost way back."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.candidate_file import CandidateFile
from config.settings_history import SettingsHistory, Version
from config.unconfirmed import BootTime
from tests.config.last_step import dying_at

OLD, NEW, NEWER = (
    f'[device]\nname = "gate-{n}"\nplace = "north"\n[central]\nurl = "https://c.example"\n' for n in (1, 2, 3)
)
LATER = 3600.0  # seconds, more than any deadline here


class Gate:
    """A settings file in a directory of its own, and the clock that deadlines are kept by."""

    def __init__(self, directory: Path) -> None:
        self.now = BootTime("boot-1", 100.0)
        self.path = directory / "campusgate.toml"

    @property
    def history(self) -> SettingsHistory:
        """A fresh look at what is on disk, as after a start."""
        return SettingsHistory(self.path, lambda: self.now)

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    def wait(self) -> None:
        self.now = BootTime(self.now.boot, self.now.seconds + LATER)

    def restart_machine(self) -> None:
        self.now = BootTime("boot-2", 1.0)


Act = Callable[[Gate], object]


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Disk` says what syncing does; waiting for a real one would say nothing more."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(params=["killed", "power cut", "power cut, newest name alone reached the disk"])
def every_end(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[Act, Act], Iterator[Gate]]:
    """Gives the gate as it is after `act` ended at each step in turn, and at last when it ended by itself."""

    def ends(before: Act, act: Act) -> Iterator[Gate]:
        prepared = Gate(tmp_path / "prepared")
        prepared.path.parent.mkdir()
        prepared.path.write_text(OLD, "utf-8")
        before(prepared)
        for step in itertools.count():
            gate = Gate(tmp_path / f"step-{step}")
            shutil.copytree(prepared.path.parent, gate.path.parent)
            gate.now = prepared.now
            done = False
            with dying_at(step, gate.path.parent) as disk:
                act(gate)
                done = True
            if request.param != "killed":
                disk.lose(newest="newest" in request.param)
            yield gate
            if done:
                assert step > 3
                return

    return ends


EveryEnd = Callable[[Act, Act], Iterator[Gate]]


def nothing(_: Gate) -> None:
    pass


def confirmed_commit(gate: Gate) -> Version:
    return gate.history.commit_confirmed(NEW, "anna", 5)


def test_a_commit_leaves_the_old_or_the_new_and_each_text_that_was_in_force_is_a_version(
    every_end: EveryEnd,
) -> None:
    texts = set()
    for gate in every_end(nothing, lambda gate: gate.history.commit(NEW, "anna", "why")):
        texts.add(gate.text)
        assert gate.text in (OLD, NEW)
        was = gate.text
        version = gate.history.commit(NEWER, "ben")
        versions = gate.history.versions()
        assert [gate.history.text(v.number) for v in versions] == (
            [OLD, NEW, NEWER] if was == NEW else [OLD, NEWER]
        )
        assert [v.by for v in versions] == ["by hand", *(["anna"] if was == NEW else []), "ben"]
        assert version == versions[-1]
        assert gate.text == NEWER
    assert texts == {OLD, NEW}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_commit_that_nobody_confirms_is_undone_wherever_it_was_cut_off(
    every_end: EveryEnd, restarts: bool
) -> None:
    for gate in every_end(nothing, confirmed_commit):
        assert gate.text in (OLD, NEW)
        changed = gate.text == NEW
        assert gate.history.revert_if_due() is None
        gate.restart_machine() if restarts else gate.wait()
        version = gate.history.revert_if_due()
        assert gate.text == OLD
        if changed:
            assert version is not None
            assert version.by == "campusgate"
            assert [gate.history.text(v.number) for v in gate.history.versions()] == [OLD, NEW, OLD]
        assert gate.history.unconfirmed() is None
        assert gate.history.revert_if_due() is None


def test_undoing_that_is_cut_off_is_done_at_the_next_look_and_what_runs_is_told_at_least_once(
    every_end: EveryEnd,
) -> None:
    told: list[Version] = []

    def due(gate: Gate) -> None:
        confirmed_commit(gate)
        gate.wait()

    def look(gate: Gate) -> None:
        gate.history.revert_if_due(told.append)

    for gate in every_end(due, look):
        assert gate.text in (OLD, NEW)
        look(gate)
        assert gate.text == OLD
        assert [gate.history.text(version.number) for version in gate.history.versions()] == [OLD, NEW, OLD]
        assert gate.history.unconfirmed() is None
        assert told, "the processes run on with what was undone"
        told.clear()


def test_a_confirmation_that_is_cut_off_holds_or_does_not(every_end: EveryEnd) -> None:
    texts = set()
    for gate in every_end(confirmed_commit, lambda gate: gate.history.confirm()):
        assert gate.text == NEW
        gate.wait()
        gate.history.revert_if_due()
        texts.add(gate.text)
    assert texts == {OLD, NEW}
    assert gate.text == NEW


def test_a_second_commit_while_one_waits_never_loses_the_way_back_to_what_was_confirmed(
    every_end: EveryEnd,
) -> None:
    for gate in every_end(confirmed_commit, lambda gate: gate.history.commit_confirmed(NEWER, "ben", 5)):
        assert gate.text in (NEW, NEWER)
        gate.wait()
        assert gate.history.revert_if_due()
        assert gate.text == OLD


def test_a_commit_while_one_waits_confirms_or_everything_comes_back(every_end: EveryEnd) -> None:
    for gate in every_end(confirmed_commit, lambda gate: gate.history.commit(NEWER, "ben")):
        assert gate.text in (NEW, NEWER)
        gate.wait()
        gate.history.revert_if_due()
        assert gate.text in (OLD, NEWER)
    assert gate.text == NEWER


def test_a_candidate_is_the_old_or_the_new(every_end: EveryEnd) -> None:
    def begun(gate: Gate) -> None:
        CandidateFile(gate.history).edit(lambda _: NEW, "anna")

    def edit(gate: Gate) -> None:
        CandidateFile(gate.history).edit(lambda _: NEWER, "ben")

    texts = set()
    for gate in every_end(begun, edit):
        candidate = CandidateFile(gate.history).load()
        assert candidate is not None
        texts.add((candidate.text, candidate.by))
        assert gate.text == OLD
    assert texts == {(NEW, "anna"), (NEWER, "ben")}
