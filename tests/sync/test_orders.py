"""Orders from the school's office to the gate: by central's command, the real downlink and a real gate."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gpiozero.pins.mock import MockFactory

from config.errors import SettingsError
from config.keys import public_pem
from config.settings import Settings
from hw.clock import SystemClock
from hw.relay import Relay
from sync.central import published
from sync.central.device_orders import MOST_WAITING
from sync.central.publish import Repository
from sync.central.site import Site
from sync.central.tables import device_setting
from sync.daemon import Daemon
from terminal.command_desk import CommandDesk
from terminal.diagnostics import Diagnosis
from terminal.gate import Gate
from terminal.journal import Journal
from terminal.orders import Do, parse_orders
from terminal.portal import Portal
from terminal.provision import trust
from terminal.reasons import Reason
from terminal.roster_layout import ORDERS
from terminal.roster_shelf import RosterShelf
from tests.sim.campus import Campus
from tests.sim.processes import wait_until
from tests.sync.office import good, opened, refused
from tests.sync.test_daemon import daemon, status
from tests.sync.world import DEVICE, at, campusgate, deliver, downlink_from, serving
from tests.terminal.world import SetThermal, sighting


class GateAt:
    """The gate of a campus in this process, on mock pins, reading what the downlink wrote."""

    def __init__(self, settings: Settings) -> None:
        trusted = trust(settings)
        self.shelf = RosterShelf(settings.roster, settings.state / "trust", trusted.root, DEVICE)
        self.portal = Portal(Relay(settings.relay, MockFactory()))
        self.journal = Journal(
            settings.journal, device=DEVICE, central_key=trusted.central_key, state_key=trusted.state_key
        )
        place = settings.device.place
        clock = SystemClock(trust="system")
        self.gate = Gate(
            place=place, shelf=self.shelf, journal=self.journal, portal=self.portal,
            thermal=SetThermal(), clock=clock,
        )  # fmt: skip
        self.desk = CommandDesk(
            device=DEVICE, place=place, shelf=self.shelf, journal=self.journal, portal=self.portal,
            clock=clock, diagnose=lambda: Diagnosis(settings, lambda: {"fault": "", "last": {"name": "张*"}}),
        )  # fmt: skip

    def look(self) -> None:
        self.shelf.refresh()
        self.desk.look()

    def close(self) -> None:
        self.journal.close()
        self.portal.close()


@pytest.fixture
def gate(campus: Campus) -> Iterator[GateAt]:
    made = GateAt(campus.settings)
    yield made
    made.close()


def commands(campus: Campus) -> list[dict[str, Any]]:
    """What `campusgate central commands` lists."""
    return [json.loads(line) for line in good(campus.site, "central", "commands").splitlines()]


def test_a_command_goes_from_the_office_to_the_gate_and_its_record_back(
    campus: Campus, central: str, gate: GateAt
) -> None:
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
        gate.look()
        said = good(campus.site, "central", "command", DEVICE, "unlock", "--expires-in", "10m")
        assert "unlock is published" in said
        assert [one["state"] for one in commands(campus)] == ["waiting"]
        assert downlink.step()
        gate.look()
        assert gate.portal.opened == 1
        good(campus.site, "central", "command", DEVICE, "lockdown")
        good(campus.site, "roster", "publish")  # a full publication carries orders on
        downlink.step()
        gate.look()
        assert gate.gate.handle(sighting("foreign")).decision.reasons == (Reason.LOCKDOWN,)
        good(campus.site, "central", "command", DEVICE, "diagnostics")
        good(campus.site, "central", "command", DEVICE, "release")
        downlink.step()
        assert wait_until(lambda: gate.look() or gate.journal.head.sequence == 5, 30)
        assert not downlink.step()
    deliver(campus.settings, central)
    told = commands(campus)
    assert [(one["do"], one["state"]) for one in told] == [
        ("unlock", "done"), ("lockdown", "done"), ("diagnostics", "done"), ("release", "done"),
    ]  # fmt: skip
    details = told[2]["details"]
    assert details["status"] == {"fault": ""}
    assert details["machine"]["uptime_seconds"] >= 0
    assert {one["what"] for one in details["doctor"]} >= {"clock", "space", "decoders"}
    assert "张" not in json.dumps(details, ensure_ascii=False)
    assert gate.portal.opened == 1


def test_other_terminals_do_not_fetch_it_and_what_has_expired_is_no_longer_published(
    campus: Campus, central: str
) -> None:
    with opened(campus.site) as store:
        store.register("library-1", public_pem(Ed25519PrivateKey.generate().public_key()))
        issued = store.orders.issue("library-1", Do.UNLOCK, 3600)
        campus.site.publish_orders(store)
        with downlink_from(at(campus.settings, central)) as downlink:
            downlink.step()
            assert not downlink.orders.commands
        assert list((campus.settings.roster / "targets" / "recent").iterdir()) == []
        assert campus.site.publish_changes(store) is None
        with store._database.begin() as db:
            db.execute(sa.text("update command set expires_at = 1"))
        assert campus.site.publish_changes(store) is not None
        assert store.orders.documents() == {}
        assert campus.site.repository.has_orders({})
        [one] = store.orders.issued(campus.site.record_key(), "library-1")
        assert (one.state, one.command.identity) == ("no-word", issued.identity)


def test_orders_outlast_every_publication_that_does_not_say_otherwise(campus: Campus) -> None:
    with opened(campus.site) as store:
        store.orders.set(DEVICE, {"sync.batch_records": 50})
        campus.site.publish_orders(store)
        documents = store.orders.documents()
        repository = Repository(campus.site.directory / "tuf", campus.site.directory / "keys")
        for publish in (
            lambda: repository.publish_recent(removed=["S20240001"]),
            lambda: repository.publish(store.people(), campus.site.policy(), []),
            lambda: campus.site.publish(store),
            lambda: (repository.renew_recent_key(), campus.site.publish_orders(store)),
        ):
            publish()
            assert repository.has_orders(documents)
        store.orders.unset(DEVICE, ["sync.batch_records"])
        assert campus.site.publish_changes(store) is not None
        current = published.current(repository.directory)
        assert current is not None
        assert not [path for path in current.recent.targets if path.startswith(ORDERS)]


def test_a_policy_that_is_being_edited_keeps_no_command_back(campus: Campus) -> None:
    (campus.site.directory / "policy.toml").write_text("pulse_seconds = ", "utf-8")
    good(campus.site, "central", "command", DEVICE, "lockdown")
    with opened(campus.site) as store:
        assert campus.site.repository.has_orders(store.orders.documents())
        store.orders.issue(DEVICE, Do.RELEASE, 60)
        with pytest.raises(SettingsError):
            campus.site.publish_changes(store)
        assert campus.site.repository.has_orders(store.orders.documents())


def test_settings_that_central_may_not_change_are_refused_with_what_it_may(campus: Campus) -> None:
    for wrong, said in {
        "storage.state=/tmp": "it may set sync.batch_records (1 to 5000), sync.batch_bytes (4096 to 8388608)",
        "central.url=http://evil.example": "it may set",
        "device.name=other": "it may set",
        "sync.batch_records=0": "[sync]: batch_records: 0 is not allowed: input should be greater than",
        "sync.batch_records=many": "'many' is not allowed",
        "sync.batch_records=true": "True is not allowed",
        "sync.poll_seconds=NaN": "is not allowed",
        "sync.roster_seconds=1e999": "is not allowed",
    }.items():
        assert said in refused(campus.site, "central", "settings", DEVICE, "set", wrong), wrong
    both = ("sync.batch_records=9", "sync.batch_bytes=1")
    assert "batch_bytes: 1" in refused(campus.site, "central", "settings", DEVICE, "set", *both)
    assert good(campus.site, "central", "settings", DEVICE, "show") == ""
    refused(campus.site, "central", "settings", DEVICE, "set", "sync.batch_records")
    assert "is not set" in refused(campus.site, "central", "settings", DEVICE, "unset", "sync.batch_records")
    assert "at least one KEY" in refused(campus.site, "central", "settings", DEVICE, "set")


def test_commands_that_cannot_be_given_are_refused(campus: Campus) -> None:
    assert "no terminal 'x' is registered" in refused(campus.site, "central", "command", "x", "unlock")
    assert "not 5s to 1h" in refused(
        campus.site, "central", "command", DEVICE, "unlock", "--expires-in", "1d"
    )
    refused(campus.site, "central", "command", DEVICE, "unlock", "--expires-in", "soon")
    refused(campus.site, "central", "command", DEVICE, "reboot")
    with opened(campus.site) as store:
        for _ in range(MOST_WAITING):
            store.orders.issue(DEVICE, Do.DIAGNOSTICS, 60)
        assert len(parse_orders(store.orders.documents()[DEVICE], DEVICE).commands) == MOST_WAITING
    assert "wait for it already" in refused(campus.site, "central", "command", DEVICE, "unlock")


def test_what_could_not_be_published_is_not_called_undone(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes out later: whoever gave it again would have the gate open twice."""
    with monkeypatch.context() as patch:

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device", "timestamp.json")

        patch.setattr(Site, "publish_orders", full)
        unlock = refused(campus.site, "central", "command", DEVICE, "unlock")
        paced = refused(campus.site, "central", "settings", DEVICE, "set", "sync.roster_seconds=10")
    [one] = commands(campus)
    assert f"id {one['id']}, is noted but not published yet: [Errno 28]" in unlock
    assert "Do not give it again" in unlock
    assert f"{DEVICE}: this is noted but not published yet" in paced


def test_the_running_daemon_takes_up_settings_and_says_which_and_which_not(campus: Campus) -> None:
    with serving(campus) as url, opened(campus.site) as store:
        text = campus.settings_file.read_text("utf-8")
        campus.settings_file.write_text(text.replace("http://127.0.0.1:9", url), "utf-8")
        good(campus.site, "central", "settings", DEVICE, "set", "sync.roster_seconds=0.3")
        with daemon(campus):
            assert wait_until(
                lambda: status(campus).get("settings_from_central") == {"sync.roster_seconds": 0.3}, 30
            )
            rows = [("storage.state", '"/"'), ("sync.batch_records", "0"), ("sync.poll_seconds", "2")]
            with store._database.begin() as db:
                for key, value in rows:
                    db.execute(sa.insert(device_setting).values(device=DEVICE, key=key, value=value))
            campus.site.publish_orders(store)
            both = {"sync.poll_seconds": 2, "sync.roster_seconds": 0.3}
            assert wait_until(lambda: status(campus).get("settings_from_central") == both, 30)
            ignored = status(campus)["settings_ignored"]
            assert [line.split(":")[0] for line in ignored] == ["storage.state", "[sync]"]
            store.orders.unset(DEVICE, [key for key, _ in rows] + ["sync.roster_seconds"])
            campus.site.publish_orders(store)
            assert wait_until(lambda: status(campus).get("settings_from_central") == {}, 30)
    log = (campus.settings_file.parent / "sync.out").read_text("utf-8")
    assert log.count("storage.state: is not for central to set") == 1


def test_a_malformed_document_leaves_the_settings_of_before_and_the_roster_comes(
    campus: Campus, central: str
) -> None:
    with opened(campus.site) as store, downlink_from(at(campus.settings, central)) as downlink:
        store.orders.set(DEVICE, {"sync.batch_records": 50})
        campus.site.publish_orders(store)
        downlink.step()
        version = campus.site.repository.publish_recent(orders=lambda: {DEVICE: b'{"device": "other"}'})
        downlink.step()
        assert downlink.orders.settings == {"sync.batch_records": 50}
        assert downlink.version == version


def test_rosters_are_fetched_within_their_time_and_not_in_step(campus: Campus) -> None:
    daemon = Daemon(campus.settings)
    daemon._rng = random.Random(1)
    waits = [daemon._roster_seconds() for _ in range(1000)]
    longest = campus.settings.sync.roster_seconds
    assert 0.7 * longest <= min(waits) < 0.72 * longest
    assert 0.98 * longest < max(waits) <= longest
    daemon._control.close()
    daemon._single.close()


def test_every_verb_has_help_with_an_example() -> None:
    for verb in ("command", "commands", "settings"):
        assert "Example:" in campusgate("central", verb, "--help").stdout
