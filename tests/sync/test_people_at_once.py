"""Two who change people at the same moment: neither undoes what the other did, and both are published."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from sync.central.claims import typed
from sync.central.people import Entry
from sync.central.store import Store
from terminal.codes import compressed
from terminal.person import Person, PersonKind, Status
from tests.sync.office import student

KEY = compressed(generate_private_key(SECP256R1()).public_key())


def meanwhile(store: Store, other: Callable[[], object], how: Callable[[Person], Person]) -> None:
    """Change S1 by `how` while `other` runs, which begins after S1 was read."""
    thread = threading.Thread(target=other)

    def change(one: Person) -> Person:
        thread.start()
        thread.join(1)
        return how(one)

    store.roster.change(["S1"], change)
    thread.join()


def test_a_phone_that_is_enrolled_during_a_change_stays_enrolled(database: str) -> None:
    store = Store(database)
    store.put_people([student("S1")])
    secret = typed(store.claims.make(["S1"], expires_at=2**40)["S1"])
    meanwhile(store, lambda: store.claims.redeem(secret, KEY, now=0), lambda one: replace(one, name="张三"))
    assert store.person("S1") == replace(student("S1", "张三"), keys=(KEY,))
    store.close()


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.REVOKED])
def test_who_is_suspended_during_an_import_or_a_change_stays_so(database: str, status: Status) -> None:
    store = Store(database)
    store.put_people([student("S1")])
    meanwhile(store, lambda: store.roster.set_status(["S1"], status), lambda one: replace(one, name="张三"))
    assert store.person("S1") == replace(student("S1", "张三"), status=status)
    entries = [Entry("S1", "李四", PersonKind.STUDENT)]
    store.roster.set_status(["S1"], Status.ACTIVE, reinstate=True)
    meanwhile(store, lambda: store.roster.take_in(entries), lambda one: replace(one, status=status))
    assert store.person("S1") == replace(student("S1", "李四"), status=status)
    store.close()


def test_a_change_that_ends_after_another_was_published_is_still_to_be_published(database: str) -> None:
    store = Store(database)
    store.put_people([student("S1"), student("S2")])
    store.roster.published(store.roster.unpublished()[0])
    numbers: list[int] = []

    def other() -> None:
        store.roster.set_status(["S2"], Status.REVOKED)
        numbers.append(store.roster.unpublished()[0])

    meanwhile(store, other, lambda one: replace(one, status=Status.REVOKED))
    assert numbers == [store.roster.unpublished()[0]], "else what is noted as published takes S1 along"
    store.close()
