"""Issuer keys come and go, and central publishes what changed by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from sync.central.mint import pass_code
from sync.central.publisher import Publisher
from terminal.code_keys import verified
from terminal.codes import CodeRefused, PassKind, key_id, parse
from terminal.person import Status
from terminal.reasons import Reason
from terminal.roster import Roster
from tests.sim.campus import Campus
from tests.sync.office import good, opened, refused
from tests.sync.world import at, downlink_from, open_roster, publish


def card(campus: Campus) -> str:
    key = campus.site.issuer_key()
    return pass_code(key, "S20240000", PassKind.CARD, not_before=0, expires_at=2**35)


def look(campus: Campus, url: str, text: str) -> str:
    """What a terminal makes of a pass after the next update."""
    with downlink_from(at(campus.settings, url)) as downlink:
        downlink.step()
    roster = open_roster(campus)
    claimed = parse(text)
    try:
        return verified(claimed, roster.person(claimed.subject), roster).subject
    except CodeRefused as refusal:
        return str(refusal.reason)


def test_both_keys_are_good_until_the_old_one_is_retired(campus: Campus, central: str) -> None:
    before, old = card(campus), key_id(campus.site.issuer_key().public_key())
    assert f"{old} stays good" in good(campus.site, "central", "rotate-issuer")
    after, new = card(campus), key_id(campus.site.issuer_key().public_key())
    assert old != new
    assert look(campus, central, after) == str(Reason.CODE_ISSUER_UNKNOWN)  # not published yet
    publish(campus)
    assert [look(campus, central, text) for text in (before, after)] == ["S20240000"] * 2
    assert good(campus.site, "central", "issuers") == f"{new}  signs\n{old}  earlier\n"
    assert "signs passes now" in refused(campus.site, "central", "rotate-issuer", "--retire", new)
    assert "no issuer key has the id" in refused(campus.site, "central", "rotate-issuer", "--retire", "../x")
    good(campus.site, "central", "rotate-issuer", "--retire", old)
    publish(campus)
    assert look(campus, central, before) == str(Reason.CODE_ISSUER_UNKNOWN)
    assert look(campus, central, after) == "S20240000"
    assert (campus.site.directory / "keys" / "issuer.pem").stat().st_mode & 0o777 == 0o600
    assert not any(b"PRIVATE" in f.read_bytes() for f in (campus.site.directory / "issuers").iterdir())


def test_only_what_changed_is_published(campus: Campus) -> None:
    site = campus.site
    with opened(site) as store:
        site.publish_changes(store)
        assert site.publish_changes(store) is None
        store.roster.set_status(["S20240001"], Status.REVOKED)
        store.roster.remove(["S20240002"])
        first = site.publish_changes(store)
        assert first
        assert site.publish_changes(store) is None
        good(site, "central", "rotate-issuer")
        assert site.publish_changes(store) == first + 1
        policy = site.directory / "policy.toml"
        policy.write_text(policy.read_text("utf-8").replace("37.3", "37.4"), "utf-8")
        assert site.publish_changes(store) == first + 2
        assert site.publish_changes(store) is None


def test_an_hour_without_news_is_signed_too(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    site, hours = campus.site, 0

    def published_at() -> datetime:
        return Roster(site.repository.directory, tmp_path / "trust", site.repository.root).published_at

    monkeypatch.setattr("sync.central.site.datetime", Later)
    monkeypatch.setattr("sync.central.publish.datetime", Later)
    with opened(site) as store:
        first = site.publish(store)
        assert site.publish_changes(store) is None
        before = published_at()
        shards = sorted((site.repository.directory / "targets/people").iterdir())
        hours = 1
        assert site.publish_changes(store) == first + 1
        assert site.publish_changes(store) is None
        assert sorted((site.repository.directory / "targets/people").iterdir()) == shards
        assert published_at() - before >= timedelta(hours=1)


def test_a_few_changes_reach_the_terminal(campus: Campus, central: str) -> None:
    with opened(campus.site) as store:
        campus.site.publish(store)
        store.roster.set_status(["S20240001"], Status.REVOKED)
        store.roster.remove(["S20240002"])
        campus.site.publish_changes(store)
    with downlink_from(at(campus.settings, central)) as downlink:
        downlink.step()
    roster = open_roster(campus)
    revoked, gone = roster.person("S20240001"), roster.person("S20240002")
    assert revoked
    assert (revoked.status, gone) == (Status.REVOKED, None)


@pytest.fixture
def publisher(campus: Campus) -> Iterator[Publisher]:
    with opened(campus.site) as store:
        running = Publisher(campus.site, store, 0.05)
        yield running
        running.close()


def test_the_publisher_survives_a_broken_policy_and_says_it_once(
    campus: Campus, caplog: pytest.LogCaptureFixture, tmp_path: Path, publisher: Publisher
) -> None:
    policy = campus.site.directory / "policy.toml"
    text = policy.read_text("utf-8")
    policy.write_text("broken", "utf-8")
    wait_for(lambda: "nothing is published" in caplog.text)
    time.sleep(0.3)
    assert caplog.text.count("nothing is published") == 1
    with caplog.at_level("INFO"):
        policy.write_text(text.replace("37.3", "37.5"), "utf-8")
        wait_for(lambda: "is published" in caplog.text.replace("nothing is published", ""))


def wait_for(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)
