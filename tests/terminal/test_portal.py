"""The portal and its relay: released for a durable record and a pulse, in the safe state otherwise."""

from __future__ import annotations

import time
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from hw.errors import RelayError
from terminal.journal import Entry
from terminal.portal import Portal, PortalState
from tests.terminal.world import PIN, level, relay_on

ENTRY = Entry(1, "0" * 64)
# safe_state, active_high -> the pin's level without power or program, when locked, when released
WIRINGS = [
    ("secure", True, 0, 0, 1),
    ("secure", False, 1, 1, 0),
    ("safe", True, 0, 1, 0),
    ("safe", False, 1, 0, 1),
]
wirings = pytest.mark.parametrize(("safe_state", "active_high", "rest", "locked", "released"), WIRINGS)


def portal_on(factory: MockFactory, **changes: Any) -> Portal:
    return Portal(relay_on(factory, **changes))


@wirings
def test_every_wiring_is_locked_from_the_start_released_for_a_pulse_and_rests_at_the_end(
    safe_state: str, active_high: bool, rest: int, locked: int, released: int
) -> None:
    factory = MockFactory()
    portal = portal_on(factory, safe_state=safe_state, active_high=active_high)
    assert (level(factory), portal.state) == (locked, PortalState.LOCKED)
    moved_at = portal.open_for(ENTRY, 3.0)
    assert (level(factory), portal.state) == (released, PortalState.RELEASED)
    portal.tick(moved_at + 3.0)
    assert (level(factory), portal.state) == (locked, PortalState.LOCKED)
    portal.open_for(ENTRY, 3.0)
    portal.close()
    assert level(factory) == rest


@wirings
def test_claiming_the_pin_never_pulses_the_gate(
    safe_state: str, active_high: bool, rest: int, locked: int, released: int
) -> None:
    factory = MockFactory()
    factory.pin(PIN).function = "output"
    factory.pin(PIN).state = locked
    factory.pin(PIN).clear_states()
    portal = portal_on(factory, safe_state=safe_state, active_high=active_high)
    assert [state.state for state in factory.pin(PIN).states] == [locked]
    portal.close()


@wirings
def test_an_exception_while_the_gate_is_released_leaves_it_at_rest(
    safe_state: str, active_high: bool, rest: int, locked: int, released: int
) -> None:
    factory = MockFactory()
    portal = portal_on(factory, safe_state=safe_state, active_high=active_high)

    def fail() -> None:
        try:
            portal.open_for(ENTRY, 60)
            raise RuntimeError("anything")
        finally:
            portal.close()

    with pytest.raises(RuntimeError):
        fail()
    assert level(factory) == rest


@pytest.mark.parametrize("proof", [None, True, 1, "entry", (1, "0" * 64), object()])
def test_nothing_but_an_entry_opens(proof: Any) -> None:
    factory = MockFactory()
    portal = portal_on(factory)
    with pytest.raises(TypeError):
        portal.open_for(proof, 3.0)
    assert (level(factory), portal.opened) == (0, 0)
    assert [state.state for state in factory.pin(PIN).states] == [0]
    portal.close()


def test_the_pulse_lasts_as_long_as_the_policy_says_and_no_longer() -> None:
    portal = portal_on(MockFactory())
    before = time.monotonic()
    moved_at = portal.open_for(ENTRY, 0.8)
    assert before <= moved_at <= time.monotonic()
    portal.tick(moved_at + 0.79)
    assert portal.state is PortalState.RELEASED
    portal.tick(moved_at + 0.8)
    assert portal.state is PortalState.LOCKED
    portal.close()


def test_a_second_person_within_the_pulse_prolongs_it() -> None:
    portal = portal_on(MockFactory())
    portal.open_for(ENTRY, 1.0)
    again = portal.open_for(ENTRY, 5.0)
    portal.tick(again + 4.9)
    assert (portal.state, portal.opened) == (PortalState.RELEASED, 2)
    portal.tick(again + 5.0)
    assert portal.state is PortalState.LOCKED
    portal.close()


def test_ticks_leave_a_locked_gate_alone() -> None:
    factory = MockFactory()
    portal = portal_on(factory)
    for now in (0.0, 1e9, -1e9):
        portal.tick(now)
    assert [state.state for state in factory.pin(PIN).states] == [0]
    portal.close()


def test_a_pin_that_is_taken_is_a_relay_error() -> None:
    factory = MockFactory()
    portal = portal_on(factory)
    with pytest.raises(RelayError, match=r"relay\.pin 17"):
        relay_on(factory)
    portal.close()
    relay_on(factory).close()
