"""Commands at a gate: signed, expiring, at most once, recorded before they are done; and the gate goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from sync.central import published
from terminal.journal import Entry, Journal, JournalReader, Memo
from terminal.orders import dump_orders
from terminal.person import Person
from terminal.reasons import Reason, Verdict
from terminal.records import AnyRecord
from terminal.roster_layout import orders_target, target_file
from tests.terminal.command_rig import CommandRig, SetDiagnosis, command
from tests.terminal.world import DEVICE, NOW, PEOPLE, PIN, Town, code_of, level, pass_of, sighting


@pytest.fixture
def gate(own_town: Town, tmp_path: Path) -> Iterator[CommandRig]:
    made = CommandRig(own_town, tmp_path)
    yield made
    made.close()


def locked_again(gate: CommandRig) -> int:
    """How often the gate was released so far; it is locked now."""
    gate.portal.tick(float("inf"))
    assert level(gate.factory) == 0
    return gate.portal.opened


def target(gate: CommandRig) -> Path:
    """The file of this terminal's orders."""
    current = published.current(gate.town.repository.directory)
    assert current is not None
    return target_file(gate.town.mirror, current.recent.targets[orders_target(DEVICE)])


def test_an_unlock_opens_once_for_the_pulse_of_the_policy_and_is_recorded(gate: CommandRig) -> None:
    gate.order(command())
    assert level(gate.factory) == 1
    [said] = gate.said()
    assert said.pop("record")
    issued = (NOW - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert said == {
        "command": "c1", "do": "unlock", "outcome": "done", "reason": "", "issued_at": issued, "details": {}
    }  # fmt: skip
    assert gate.desk.refused == ""


def test_delivered_again_and_again_and_after_a_restart_it_is_done_once(gate: CommandRig) -> None:
    gate.order(command())
    gate.look()
    gate.order(command(), command("c2", "diagnostics"))
    gate.restart()
    gate.look()
    gate.town.publish()  # people are folded in; the orders stay
    gate.look()
    assert locked_again(gate) == 1
    assert gate.told() == [("c1", "unlock", "done")]
    gate.diagnosis.details = {"load": [0.1]}
    gate.look()
    assert gate.told()[1:] == [("c2", "diagnostics", "done")]
    assert gate.said()[1]["details"] == {"load": [0.1]}


def test_a_diagnosis_is_recorded_when_it_is_there_and_holds_up_no_other_command(gate: CommandRig) -> None:
    gate.order(command("c1", "diagnostics"), command("c2"))
    assert gate.told() == [("c2", "unlock", "done")]
    gate.diagnosis.details = {}
    gate.look()
    assert gate.told()[1:] == [("c1", "diagnostics", "done")]


def test_two_diagnoses_are_made_one_after_the_other(gate: CommandRig) -> None:
    gate.order(command("c1", "diagnostics"), command("c2", "diagnostics"))
    gate.look()
    assert gate.begun == 1
    gate.diagnosis.details = {}
    gate.look()
    gate.look()
    assert sorted(gate.told()) == [("c1", "diagnostics", "done"), ("c2", "diagnostics", "done")]
    assert gate.begun == 2


def test_a_diagnosis_that_nobody_waits_for_any_more_is_no_answer_to_a_later_command(gate: CommandRig) -> None:
    gate.order(command("c1", "diagnostics"))
    gate.order(command("c2"))
    gate.diagnosis = SetDiagnosis({"load": [0.2]})
    gate.order(command("c3", "diagnostics"))
    assert gate.begun == 2
    assert gate.said()[-1]["details"] == {"load": [0.2]}


def test_an_expired_command_is_recorded_as_such_and_not_done(gate: CommandRig) -> None:
    gate.order(command("c1", expires=0), command("c2", "lockdown", expires=-1))
    assert gate.told() == [("c1", "unlock", "expired"), ("c2", "lockdown", "expired")]
    assert locked_again(gate) == 0
    assert gate.show(code_of("S1")).decision.verdict is Verdict.ALLOW


def test_without_a_trusted_clock_nothing_is_done_until_there_is_one(gate: CommandRig) -> None:
    gate.clock.trusted = False
    gate.order(command(), command("c2", "lockdown"))
    assert gate.told() == []
    assert locked_again(gate) == 0
    gate.clock.trusted = True
    gate.clock.wall = NOW + timedelta(seconds=56)
    gate.look()
    assert {outcome for _, _, outcome in gate.told()} == {"expired"}
    assert locked_again(gate) == 0


def test_a_clock_that_is_far_behind_central_s_waits(gate: CommandRig) -> None:
    gate.order(command(issued=61, expires=600))
    assert gate.told() == []
    gate.clock.wall = NOW + timedelta(seconds=1)
    gate.look()
    assert gate.told() == [("c1", "unlock", "done")]


def test_an_unknown_command_is_recorded_as_refused(gate: CommandRig) -> None:
    gate.order(command("c1", "self-destruct"), command("c2"))
    assert gate.told() == [("c1", "self-destruct", "refused"), ("c2", "unlock", "done")]
    assert "self-destruct" in gate.said()[0]["reason"]


def test_a_lockdown_denies_everybody_over_restarts_until_it_is_released(gate: CommandRig) -> None:
    gate.order(command("c1", "lockdown"))
    for _ in range(2):
        for text in (code_of("S1"), pass_of("V-1"), "foreign"):
            answer = gate.show(text)
            assert (answer.decision.verdict, answer.decision.reasons) == (Verdict.DENY, (Reason.LOCKDOWN,))
            assert answer.entry is not None
        attendant = PEOPLE["T1"]
        proof = gate.gate.attendant(sighting(code_of("T1")))
        assert not isinstance(proof, Person)
        assert proof.decision.reasons == (Reason.LOCKDOWN,)
        by_hand = gate.gate.register("S1", attendant, 0.0)
        assert by_hand.decision.reasons == (Reason.LOCKDOWN,)
        gate.restart()
        gate.look()
        assert gate.desk.lockdown
    assert locked_again(gate) == 0
    gate.order(command("c2", "release"))
    assert not gate.desk.lockdown
    assert gate.show(code_of("S1", age=9)).decision.verdict is Verdict.ALLOW


def test_a_lockdown_holds_without_a_roster_and_a_trusted_clock_and_long_after_it_was_ordered(
    gate: CommandRig,
) -> None:
    gate.order(command("c1", "lockdown"))
    gate.order()  # central drops what has expired
    gate.clock.wall = NOW + timedelta(days=20)
    gate.clock.trusted = False
    gate.look()
    assert gate.desk.lockdown
    (gate.town.mirror / "metadata" / "timestamp.json").write_bytes(b"")
    gate.restart()
    gate.look()
    assert gate.desk.lockdown
    assert gate.show(code_of("S1")).decision.reasons == (Reason.LOCKDOWN,)


def test_an_unlock_opens_in_a_lockdown_too(gate: CommandRig) -> None:
    gate.order(command("c1", "lockdown"), command("c2"))
    assert locked_again(gate) == 1
    assert gate.show(code_of("S1")).decision.reasons == (Reason.LOCKDOWN,)


def test_a_release_that_came_before_a_later_lockdown_does_not_undo_it(gate: CommandRig) -> None:
    gate.order(command("c1", "lockdown"), command("c2", "release"), command("c3", "lockdown"))
    assert gate.desk.lockdown


def test_a_tampered_file_of_orders_is_refused_by_name_and_the_gate_goes_on(gate: CommandRig) -> None:
    gate.order(command("c1", "lockdown", expires=900))
    gate.order(command("c1", "lockdown", expires=900), command("c2", "release"))
    file = target(gate)
    whole = file.read_bytes()
    file.write_bytes(dump_orders(DEVICE, [command("c9")], {}))
    gate.look()
    assert "roster.altered: recent/device-north-gate-1.json" in gate.desk.refused
    file.unlink()
    gate.look()
    assert "roster.missing" in gate.desk.refused
    assert locked_again(gate) == 0
    assert gate.show(code_of("S1")).decision.verdict is Verdict.ALLOW
    file.write_bytes(whole)
    gate.look()
    assert gate.desk.refused == ""
    assert gate.told() == [("c1", "lockdown", "done"), ("c2", "release", "done")]


def test_an_older_list_that_is_put_back_is_refused_and_does_nothing(gate: CommandRig, tmp_path: Path) -> None:
    gate.order(command("c1", "lockdown"))
    older = gate.town.copy(tmp_path / "older")
    gate.order(command("c1", "lockdown"), command("c2", "release"))
    timestamp = "metadata/timestamp.json"
    (gate.town.mirror / timestamp).write_bytes((older.mirror / timestamp).read_bytes())
    gate.look()
    assert gate.shelf.refused is not None
    assert gate.shelf.refused.reason is Reason.ROSTER_ROLLED_BACK
    gate.look()
    assert not gate.desk.lockdown
    assert len(gate.told()) == 2


def test_the_file_of_another_terminal_is_not_looked_at(gate: CommandRig) -> None:
    gate.order(command(), device="north-gate-2")
    assert (gate.told(), gate.desk.refused, locked_again(gate)) == ([], "", 0)


def test_the_orders_of_another_terminal_under_this_one_s_name_are_refused(gate: CommandRig) -> None:
    mixed = dump_orders("north-gate-2", [command()], {})
    gate.town.repository.publish_recent(orders=lambda: {DEVICE: mixed})
    gate.look()
    assert "orders are not for north-gate-1" in gate.desk.refused
    assert (gate.told(), locked_again(gate)) == ([], 0)


def test_orders_that_are_too_large_are_refused_by_name(gate: CommandRig) -> None:
    gate.order(*(command(f"c{number}") for number in range(700)))
    assert "roster.oversize" in gate.desk.refused
    assert gate.told() == []


def test_a_malformed_command_hurts_only_itself(gate: CommandRig) -> None:
    good = dump_orders(DEVICE, [command("c1"), command("c2")], {})
    gate.town.repository.publish_recent(orders=lambda: {DEVICE: good.replace(b'"c1"', b'"c 1"')})
    gate.look()
    assert gate.told() == [("c2", "unlock", "done")]
    assert "command 1: is malformed" in gate.desk.refused


class Failing(Journal):
    """A journal that cannot be written when told so."""

    fails = False

    def append(self, record: AnyRecord, *more: AnyRecord, memos: Sequence[Memo] = ()) -> Entry:
        self._db.execute(f"pragma query_only = {int(self.fails)}")
        return super().append(record, *more, memos=memos)


def test_what_cannot_be_recorded_is_not_done_until_it_can_be(own_town: Town, tmp_path: Path) -> None:
    gate = CommandRig(own_town, tmp_path, journal=Failing)
    assert isinstance(gate.journal, Failing)
    gate.journal.fails = True
    gate.order(command())
    assert "append" in gate.desk.refused
    assert level(gate.factory) == 0
    gate.journal.fails = False
    gate.look()
    assert (gate.told(), level(gate.factory)) == ([("c1", "unlock", "done")], 1)
    gate.close()


def test_the_relay_moves_only_after_record_and_memo_are_durable(
    gate: CommandRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, dict[str, int]]] = []
    release = gate.portal.open_for

    def witness(entry: Entry, seconds: float) -> float:
        seen.append((JournalReader(gate.directory / "journal.db").newest(), gate.journal.recall("", "")))
        assert level(gate.factory) == 0
        return release(entry, seconds)

    monkeypatch.setattr(gate.portal, "open_for", witness)
    gate.order(command())
    assert seen == [(1, {"command:c1": int(NOW.timestamp()) + 55})]


def test_a_relay_that_fails_is_not_tried_again(gate: CommandRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_value: bool) -> bool:
        raise OSError("gpio: line was taken away")

    with monkeypatch.context() as patch:
        patch.setattr(gate.factory.pin(PIN), "_change_state", fail)
        gate.order(command())
    gate.look()
    assert gate.told() == [("c1", "unlock", "done")]
    assert locked_again(gate) == 0


def test_a_clock_that_runs_ahead_for_a_while_makes_no_command_new(gate: CommandRig) -> None:
    gate.order(command())
    gate.clock.wall = NOW + timedelta(days=20)
    gate.show("foreign")  # memos that are past their time go with any record
    gate.order(command(), command("c2", issued=20 * 86_400, expires=21 * 86_400))
    gate.clock.wall = NOW
    gate.restart()
    gate.look()
    assert [told for told in gate.told() if told[0] == "c1"] == [("c1", "unlock", "done")]
    assert locked_again(gate) == 2


def test_an_id_is_forgotten_once_it_has_expired_and_is_no_longer_listed(gate: CommandRig) -> None:
    gate.order(command("c1"))
    gate.clock.wall = NOW + timedelta(seconds=90)
    gate.order(command("c2", expires=200))
    assert set(gate.journal.recall("", "")) == {"command:c2"}
